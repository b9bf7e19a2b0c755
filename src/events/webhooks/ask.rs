//! What may be asked of webhooks, and what is answered.

use super::address::{BadUrl, NoAddress};
use super::record::{Mode, Off, Progress, Webhook};
use super::sign::Secret;
use crate::events::cursor::Cursor;
use crate::events::kind::EventType;
use crate::events::store::StoreError;
use holdfast_core::Sku;

/// A webhook that is asked for.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Where it goes.
    pub url: String,
    /// Types of events; all if there are none.
    pub types: Vec<EventType>,
    /// SKUs; all if there are none.
    pub skus: Vec<Sku>,
    /// What it is signed with; made if absent.
    pub secret: Option<Secret>,
    /// Events of one request.
    pub batch_max: usize,
    /// How an event is put into a request.
    pub mode: Mode,
    /// Where it begins.
    pub from: Cursor,
    /// The call's key and a hash of what it asked for, so that a repeat is no second webhook.
    pub made_by: Option<(String, String)>,
}

/// What is to be changed of a webhook; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Where it goes.
    pub url: Option<String>,
    /// Types of events; all if there are none.
    pub types: Option<Vec<EventType>>,
    /// SKUs; all if there are none.
    pub skus: Option<Vec<Sku>>,
    /// Events of one request.
    pub batch_max: Option<usize>,
    /// How an event is put into a request.
    pub mode: Option<Mode>,
    /// Whether it is delivered to.
    pub enabled: Option<bool>,
    /// Where it goes on.
    pub cursor: Option<Cursor>,
}

/// A webhook as it stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// As it was asked for.
    pub webhook: Webhook,
    /// How far it is.
    pub progress: Progress,
    /// Events that were recorded since its place.
    pub lag: u64,
}

/// Why a webhook can't be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// It is no URL of a webhook.
    #[error("{0}")]
    Url(#[from] BadUrl),
    /// It may not go there.
    #[error("{0}")]
    Address(NoAddress),
    /// There are as many as may be.
    #[error("there are {max} webhooks, as many as events.webhooks_max allows; delete one")]
    TooMany {
        /// The bound.
        max: usize,
    },
    /// The key has made another webhook.
    #[error("the key was used for a webhook with other content; send another key")]
    KeyReused,
    /// Headers are of one event.
    #[error("a request in binary mode carries one event; batch_max must be 1 with it")]
    BinaryBatch,
    /// There is none of this id.
    #[error("no webhook has the id {0}")]
    Unknown(String),
    /// The system has no randomness for a secret.
    #[error("no secret can be made: {0}")]
    Random(#[from] getrandom::Error),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Changes {
    /// Makes them.
    pub(super) fn apply(self, webhook: &mut Webhook, now: u64) {
        if let Some(url) = self.url {
            webhook.url = url;
        }
        if let Some(types) = self.types {
            webhook.types = names(&types);
        }
        if let Some(skus) = self.skus {
            webhook.skus = skus.iter().map(ToString::to_string).collect();
        }
        if let Some(batch_max) = self.batch_max {
            webhook.batch_max = batch_max;
        }
        if let Some(mode) = self.mode {
            webhook.mode = mode;
        }
        match self.enabled {
            Some(true) => webhook.off = None,
            Some(false) if webhook.off.is_none() => {
                let why = "somebody switched it off".to_owned();
                webhook.off = Some(Off { at: now, why });
            }
            Some(false) | None => {}
        }
    }
}

/// Types by their names.
pub(super) fn names(types: &[EventType]) -> Vec<String> {
    types.iter().map(|kind| kind.name().to_owned()).collect()
}
