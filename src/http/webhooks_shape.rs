//! Webhooks, attempts and dead letters as callers see them.

use holdfast_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::wire::scalar::{Id, SkuName, Time};
use crate::events::webhooks::{DeadLetter, Delivery, Mode, Secret, Standing, Waiting};

/// A webhook as it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookShape {
    #[schema(value_type = Id)]
    id: String,
    url: String,
    /// Types of events that it gets; all if there are none.
    types: Vec<String>,
    /// SKUs whose events it gets; all if there are none.
    #[schema(value_type = Vec<SkuName>)]
    skus: Vec<String>,
    /// Events of one request.
    batch_max: usize,
    /// How an event is put into a request.
    mode: ModeWord,
    /// What it is signed with; told when it is made and rotated, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// `false`: nothing is delivered, for the reason in `off`.
    enabled: bool,
    #[schema(required)]
    off: Option<OffShape>,
    created_at: Time,
    /// Everything before it was taken, waits in `waiting`, or is a dead letter.
    cursor: String,
    /// Events that were recorded since the oldest that has still to be delivered.
    lag: u64,
    /// SKUs whose events wait behind one that is being retried.
    waiting: Vec<WaitingShape>,
    /// Events that were taken.
    delivered: u64,
    /// Attempts that were not.
    failed: u64,
    /// Events that were given up, and kept.
    dead_letters: u64,
    /// How often events were trimmed before they could be delivered.
    gaps: u64,
    /// When something was taken last.
    #[schema(required)]
    taken_at: Option<Time>,
    /// Since when nothing was taken, although something was tried.
    #[schema(required)]
    failing_since: Option<Time>,
}

/// How an event is put into a request.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookMode)]
pub(crate) enum ModeWord {
    /// All of it as JSON.
    Structured,
    /// Its attributes as headers, its data as the body.
    Binary,
}

/// Why a webhook is off.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookOff)]
struct OffShape {
    at: Time,
    why: String,
}

/// A SKU whose events wait.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookWaiting)]
struct WaitingShape {
    /// Absent where the events are of no SKU.
    #[schema(value_type = Option<SkuName>, required)]
    sku: Option<String>,
    /// Attempts that the first of them has had.
    attempts: u32,
    /// When it is tried again.
    next_at: Time,
    error: String,
}

/// A page of webhooks, by id.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookPage)]
pub(crate) struct WebhookPage {
    pub(crate) items: Vec<WebhookShape>,
    /// Where the next page begins; `null` on the last one.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

/// One attempt to deliver.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(crate) struct DeliveryShape {
    at: Time,
    /// The message's `webhook-id`; `gap` where events were lost.
    webhook_id: String,
    /// Events in it.
    events: usize,
    /// Which attempt of these it was, from 1.
    attempt: u32,
    /// What was answered.
    #[schema(required)]
    status: Option<u16>,
    duration_ms: u64,
    /// Why it was no success.
    #[schema(required)]
    error: Option<String>,
    /// When it is tried again.
    #[schema(required)]
    next_at: Option<Time>,
}

/// The last attempts since the start of the server, the newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDeliveryPage)]
pub(crate) struct DeliveryPage {
    pub(crate) items: Vec<DeliveryShape>,
    /// `null`: there is one page.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

/// An event that was given up.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
struct LetterShape {
    id: String,
    /// The `CloudEvent`.
    #[schema(value_type = serde_json::Value)]
    event: Box<RawValue>,
    at: Time,
    attempts: u32,
    /// What was answered last.
    #[schema(required)]
    status: Option<u16>,
    error: String,
}

/// A page of dead letters, by shard and sequence.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterPage)]
pub(crate) struct LetterPage {
    items: Vec<LetterShape>,
    /// Where the next page begins; `null` on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// What is sent again.
#[derive(Serialize, ToSchema)]
#[schema(as = Redelivered)]
pub(crate) struct Redelivered {
    /// Dead letters that are on their way; one that fails again stays one.
    pub(crate) letters: usize,
}

impl WebhookShape {
    /// Without its secret.
    pub(crate) fn of(standing: &Standing) -> Self {
        let Standing {
            webhook,
            progress,
            lag,
        } = standing;
        let off = webhook.off.as_ref().map(|off| OffShape {
            at: time(off.at),
            why: off.why.clone(),
        });
        Self {
            id: webhook.id.clone(),
            url: webhook.url.clone(),
            types: webhook.types.clone(),
            skus: webhook.skus.clone(),
            batch_max: webhook.batch_max,
            mode: webhook.mode.into(),
            secret: None,
            enabled: off.is_none(),
            off,
            created_at: time(webhook.created_at),
            cursor: progress.cursor.clone(),
            lag: *lag,
            waiting: progress.waiting.iter().map(waiting).collect(),
            delivered: progress.delivered,
            failed: progress.failed,
            dead_letters: progress.dead,
            gaps: progress.gaps,
            taken_at: progress.taken_at.map(time),
            failing_since: progress.failing_since.map(time),
        }
    }

    /// With its secret, this once.
    pub(crate) fn with_secret(mut self, secret: &Secret) -> Self {
        self.secret = Some(secret.text());
        self
    }
}

impl DeliveryShape {
    pub(crate) fn of(delivery: &Delivery) -> Self {
        Self {
            at: Time(delivery.at),
            webhook_id: delivery.id.clone(),
            events: delivery.events,
            attempt: delivery.attempt,
            status: delivery.status,
            duration_ms: delivery.duration_ms,
            error: delivery.error.clone(),
            next_at: delivery.next_at.map(Time),
        }
    }
}

impl LetterPage {
    pub(crate) fn of(letters: Vec<DeadLetter>, next_cursor: Option<String>) -> Self {
        let shape = |letter: DeadLetter| LetterShape {
            id: letter.id,
            event: letter.event,
            at: time(letter.at),
            attempts: letter.attempts,
            status: letter.status,
            error: letter.error,
        };
        Self {
            items: letters.into_iter().map(shape).collect(),
            next_cursor,
        }
    }
}

impl From<Mode> for ModeWord {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Structured => Self::Structured,
            Mode::Binary => Self::Binary,
        }
    }
}

impl From<ModeWord> for Mode {
    fn from(word: ModeWord) -> Self {
        match word {
            ModeWord::Structured => Self::Structured,
            ModeWord::Binary => Self::Binary,
        }
    }
}

fn waiting(waiting: &Waiting) -> WaitingShape {
    WaitingShape {
        sku: waiting.sku.clone(),
        attempts: waiting.attempts,
        next_at: time(waiting.next_at),
        error: waiting.error.clone(),
    }
}

fn time(ms: u64) -> Time {
    Time(Timestamp::from_ms(ms))
}
