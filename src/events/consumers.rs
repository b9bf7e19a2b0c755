//! Consumers whose place the server keeps: a name and a cursor, moved by the consumer itself once
//! it has dealt with what lies before. What follows the slowest place is kept from being trimmed.
//!
//! Deliberately absent: groups and leases. Who shares a name shares its place.

use super::cursor::{Cursor, NotHere};
use super::hold::Hold;
use super::store::{Store, StoreError};
use super::{Events, config};
use holdfast_core::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A consumer's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// What lies before this it has dealt with.
    pub cursor: Cursor,
    /// When it was moved last.
    pub updated_at: Timestamp,
}

/// As it stands in the store.
#[derive(serde::Serialize, serde::Deserialize)]
struct Row {
    cursor: String,
    updated_at: u64,
}

/// Why a consumer's place can't be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSet {
    /// There are as many as may be.
    #[error("there are {max} consumers, as many as events.consumers_max allows; delete one")]
    TooMany {
        /// The bound.
        max: usize,
    },
    /// It could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All consumers. Cheap to clone.
#[derive(Clone)]
pub struct Consumers(Arc<Inner>);

struct Inner {
    events: Events,
    store: Store,
    hold: Hold,
    max: usize,
    all: Mutex<BTreeMap<String, Consumer>>,
    /// Changes follow each other, so that memory and disk agree on the last one.
    turn: tokio::sync::Mutex<()>,
}

impl Consumers {
    /// Those of the store.
    pub fn open(
        events: Events,
        store: Store,
        hold: Hold,
        settings: &config::Events,
    ) -> Result<Self, StoreError> {
        let mut all = BTreeMap::new();
        for (key, row) in store.scan::<Row>("consumer/", None, usize::MAX)? {
            let name = key.trim_start_matches("consumer/").to_owned();
            let cursor =
                Cursor::parse(&row.cursor).map_err(|not: NotHere| store.damaged(&key, &not))?;
            store.hold(&key, Some(cursor.clone()));
            let consumer = Consumer {
                name: name.clone(),
                cursor,
                updated_at: Timestamp::from_ms(row.updated_at),
            };
            all.insert(name, consumer);
        }
        Ok(Self(Arc::new(Inner {
            events,
            store,
            hold,
            max: settings.consumers_max as usize,
            all: Mutex::new(all),
            turn: tokio::sync::Mutex::default(),
        })))
    }

    /// Sets a consumer's place, durably; it is made if it is new. Earlier places are as good as
    /// later ones: that is how a consumer goes back.
    pub async fn set(&self, name: &str, cursor: Cursor) -> Result<Consumer, NotSet> {
        let _turn = self.0.turn.lock().await;
        let is_new = !self.all().contains_key(name);
        if is_new && self.0.max <= self.all().len() {
            return Err(NotSet::TooMany { max: self.0.max });
        }
        let consumer = Consumer {
            name: name.to_owned(),
            cursor: cursor.clone(),
            updated_at: self.0.events.router().now(),
        };
        let row = Row {
            cursor: cursor.to_string(),
            updated_at: consumer.updated_at.ms(),
        };
        let key = format!("consumer/{name}");
        // Held before it is promised.
        self.0.store.hold(&key, Some(cursor));
        self.0.hold.apply();
        self.0.store.write_durably(&key, Some(&row)).await?;
        self.all().insert(name.to_owned(), consumer.clone());
        Ok(consumer)
    }

    /// Forgets a consumer; whether there was one.
    pub async fn delete(&self, name: &str) -> Result<bool, StoreError> {
        let _turn = self.0.turn.lock().await;
        if !self.all().contains_key(name) {
            return Ok(false);
        }
        let key = format!("consumer/{name}");
        self.0.store.write_durably::<Row>(&key, None).await?;
        self.0.store.hold(&key, None);
        self.all().remove(name);
        Ok(true)
    }

    /// A consumer.
    pub fn get(&self, name: &str) -> Option<Consumer> {
        self.all().get(name).cloned()
    }

    /// Up to `limit` consumers whose names come after `after`, by name.
    pub fn list(&self, after: Option<&str>, limit: usize) -> Vec<Consumer> {
        let all = self.all();
        let is_later = |name: &str| after.is_none_or(|after| after < name);
        let later = all.iter().filter(|(name, _)| is_later(name));
        later
            .take(limit)
            .map(|(_, consumer)| consumer.clone())
            .collect()
    }

    /// Events that a consumer has still to deal with.
    pub fn lag(&self, consumer: &Consumer) -> u64 {
        self.0.events.lag(&consumer.cursor)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Consumer>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
