//! A webhook, how far its deliveries are, and what could not be delivered: as they are kept.

use super::super::cursor::Cursor;
use super::super::kind::EventType;
use super::super::store::{Store, StoreError};
use super::parcel::Form;
use super::sign::Secret;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A webhook as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Where it goes.
    pub url: String,
    /// Types of events that it gets; all if there are none.
    #[serde(default)]
    pub types: Vec<String>,
    /// SKUs whose events it gets; all if there are none.
    #[serde(default)]
    pub skus: Vec<String>,
    /// Events of one request.
    pub batch_max: usize,
    /// How an event is put into a request.
    #[serde(default)]
    pub mode: Mode,
    /// What it is signed with.
    pub(super) secret: String,
    /// What it was signed with before, and until when it still is.
    pub(super) previous: Option<(String, u64)>,
    /// When it was made.
    pub created_at: u64,
    /// Why nothing is delivered, if so.
    pub off: Option<Off>,
    /// The key of the call that made it, and a hash of what it asked for.
    pub(super) made_by: Option<(String, String)>,
    /// The key of the call that rotated its secret last.
    pub(super) rotated_by: Option<String>,
}

/// How an event is put into a request, as CloudEvents calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// All of it as JSON.
    #[default]
    Structured,
    /// Its attributes as headers, its data as the body.
    Binary,
}

/// A webhook that is switched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Off {
    /// Since when.
    pub at: u64,
    /// Why, for people.
    pub why: String,
}

/// How far deliveries are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Everything before it was delivered, waits below, or is a dead letter.
    pub cursor: String,
    /// SKUs whose events wait behind one that is being retried.
    #[serde(default)]
    pub waiting: Vec<Waiting>,
    /// Events that were taken.
    pub delivered: u64,
    /// Attempts that were not.
    pub failed: u64,
    /// Events that could not be delivered and were kept.
    pub dead: u64,
    /// How often events were lost, having been trimmed.
    pub gaps: u64,
    /// Since when nothing was taken, while something was tried.
    pub failing_since: Option<u64>,
    /// When something was taken last.
    pub taken_at: Option<u64>,
}

/// A SKU whose events wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which; absent where the events are of no SKU.
    pub sku: Option<String>,
    /// Its shard.
    pub shard: u16,
    /// The last of its events that needs nothing more.
    pub after: u64,
    /// Attempts that the next one has had.
    pub attempts: u32,
    /// When it is tried again.
    pub next_at: u64,
    /// Why it was not taken.
    pub error: String,
}

/// An event that could not be delivered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its name among the webhook's letters.
    #[serde(skip)]
    pub id: String,
    /// The event, as it was to be delivered.
    pub event: Box<RawValue>,
    /// The event's id.
    pub event_id: String,
    /// When it was given up.
    pub at: u64,
    /// Attempts it has had.
    pub attempts: u32,
    /// What was answered last.
    pub status: Option<u16>,
    /// Why it was not taken.
    pub error: String,
}

impl Webhook {
    /// The types it wants.
    pub(super) fn kinds(&self) -> Vec<EventType> {
        self.types
            .iter()
            .filter_map(|name| EventType::parse(name))
            .collect()
    }

    /// How its requests are made.
    pub(super) fn form(&self) -> Form {
        match (self.mode, self.batch_max) {
            (Mode::Binary, _) => Form::Binary,
            (Mode::Structured, 1) => Form::Single,
            (Mode::Structured, most) => Form::Batch(most),
        }
    }

    /// What it is signed with now: the secret, and the one before while both are good.
    pub(super) fn secrets(&self, now: u64) -> Vec<Secret> {
        let previous = self.previous.iter().filter(|(_, until)| now < *until);
        let texts = std::iter::once(&self.secret).chain(previous.map(|(secret, _)| secret));
        texts.filter_map(|text| Secret::parse(text).ok()).collect()
    }
}

impl Progress {
    pub(super) fn at(cursor: &Cursor) -> Self {
        Self {
            cursor: cursor.to_string(),
            waiting: Vec::new(),
            delivered: 0,
            failed: 0,
            dead: 0,
            gaps: 0,
            failing_since: None,
            taken_at: None,
        }
    }

    /// The oldest event that has still to be read, shard by shard.
    pub(super) fn oldest(&self, cursor: &Cursor) -> Cursor {
        let mut oldest = cursor.clone();
        for waiting in &self.waiting {
            oldest.set(waiting.shard, oldest.seq(waiting.shard).min(waiting.after));
        }
        oldest
    }
}

/// The rows of webhooks.
#[derive(Clone)]
pub(super) struct Rows(pub(super) Store);

impl Rows {
    pub(super) fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let all = self.0.scan("webhook/", None, usize::MAX)?;
        Ok(all.into_iter().map(|(_, webhook)| webhook).collect())
    }

    pub(super) async fn keep(&self, webhook: &Webhook) -> Result<(), StoreError> {
        let key = format!("webhook/{}", webhook.id);
        self.0.write_durably(&key, Some(webhook)).await
    }

    pub(super) fn progress(&self, id: &str) -> Result<Option<Progress>, StoreError> {
        self.0.read(&format!("progress/{id}"))
    }

    /// Notes how far a webhook is, and holds the journal for it.
    pub(super) fn note(&self, id: &str, progress: &Progress, cursor: &Cursor) {
        let key = format!("progress/{id}");
        self.0.write(&key, Some(progress));
        self.0.hold(&key, Some(progress.oldest(cursor)));
    }

    /// Forgets a webhook with all its rows.
    pub(super) async fn forget(&self, id: &str) -> Result<(), StoreError> {
        for letter in self.letters(id, None, usize::MAX)? {
            self.bury(id, &letter.id, None);
        }
        let key = format!("progress/{id}");
        self.0.write::<Progress>(&key, None);
        self.0.hold(&key, None);
        let row = format!("webhook/{id}");
        self.0.write_durably::<Webhook>(&row, None).await
    }

    /// Keeps a dead letter, or drops it.
    pub(super) fn bury(&self, id: &str, letter: &str, row: Option<&DeadLetter>) {
        self.0.write(&format!("dead/{id}/{letter}"), row);
    }

    pub(super) fn letter(&self, id: &str, letter: &str) -> Result<Option<DeadLetter>, StoreError> {
        let found = self.0.read::<DeadLetter>(&format!("dead/{id}/{letter}"))?;
        Ok(found.map(|found| DeadLetter {
            id: letter.to_owned(),
            ..found
        }))
    }

    /// A webhook's dead letters, by shard and sequence.
    pub(super) fn letters(
        &self,
        id: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let prefix = format!("dead/{id}/");
        let after = after.map(|after| format!("{prefix}{after}"));
        let found = self
            .0
            .scan::<DeadLetter>(&prefix, after.as_deref(), limit)?;
        let named = |(key, letter): (String, DeadLetter)| DeadLetter {
            id: key[prefix.len()..].to_owned(),
            ..letter
        };
        Ok(found.into_iter().map(named).collect())
    }
}
