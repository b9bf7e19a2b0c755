//! The calls about webhooks: make, change, look at, test, rotate and delete them, and deal with
//! what could not be delivered.

use axum::extract::State;
use axum::response::Response;
use holdfast_core::Sku;
use serde::Deserialize;
use utoipa::ToSchema;
use xxhash_rust::xxh3::xxh3_128;

use super::call::{Call, NoQuery};
use super::consumers::{store_failed, text_of};
use super::events::{events_of, start_of};
use super::json::{Path, Query};
use super::problem::{Code, Problem};
use super::render;
use super::skus::limit_of;
use super::state::Api;
use super::webhooks_shape::{
    DeliveryPage, DeliveryShape, LetterPage, ModeWord, Redelivered, WebhookPage, WebhookShape,
};
use super::wire::scalar::SkuName;
use crate::events::EventType;
use crate::events::webhooks::{Changes, Mode, NewWebhook, NotMade, Secret, Webhooks};
use crate::opaque::to_cursor;

/// SKUs of one webhook, at most.
const SKUS_MAX: usize = 1_000;

/// `POST /v1/webhooks`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhook)]
pub(crate) struct NewBody {
    /// `https://` or `http://`, to a public address unless the server allows others.
    url: String,
    /// Types of events, with or without prefix and version; absent for all.
    types: Option<Vec<String>>,
    /// SKUs; absent for all.
    #[schema(max_items = 1000)]
    skus: Option<Vec<SkuName>>,
    /// `whsec_` and 24 to 64 random bytes in base64; made and told if absent.
    secret: Option<String>,
    /// Events of one request; more than 1 are sent as a batch of `CloudEvents`.
    #[schema(minimum = 1, maximum = 1000)]
    batch_max: Option<usize>,
    /// How an event is put into a request: `structured`, all of it as JSON, which it is if absent; or
    /// `binary`, attributes as headers `ce-…` and its data as the body, with a `batch_max` of 1.
    mode: Option<ModeWord>,
    /// Where it begins: a cursor, `earliest` or `latest`, which it is if absent.
    after: Option<String>,
}

/// `PUT /v1/webhooks/{id}`: what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeWebhook)]
pub(crate) struct ChangeBody {
    url: Option<String>,
    /// Types of events; an empty list for all.
    types: Option<Vec<String>>,
    /// SKUs; an empty list for all.
    #[schema(max_items = 1000)]
    skus: Option<Vec<SkuName>>,
    #[schema(minimum = 1, maximum = 1000)]
    batch_max: Option<usize>,
    mode: Option<ModeWord>,
    /// Whether events are delivered; switching it on again goes on where it stopped.
    enabled: Option<bool>,
    /// Where it goes on: a cursor, `earliest` or `latest`. Nothing waits for a retry then.
    after: Option<String>,
}

/// `POST /v1/webhooks/{id}/rotate`
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RotateWebhook)]
pub(crate) struct RotateBody {
    /// The new secret; made and told if absent.
    secret: Option<String>,
}

/// `POST /v1/webhooks/{id}/redeliver`
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RedeliverWebhook)]
pub(crate) struct RedeliverBody {
    /// A dead letter; all of them if absent.
    letter: Option<String>,
}

/// `GET /v1/webhooks` and the lists of one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `POST /v1/webhooks`
pub(crate) async fn create(State(api): State<Api>, call: Call) -> Result<Response, Problem> {
    let webhooks = webhooks_of(&api)?;
    let key = key_of(&api, &call)?;
    let body: NewBody = call.json()?;
    let events = events_of(&api)?;
    let made_by = key.map(|key| (key, format!("{:032x}", xxh3_128(&normal(&call)))));
    let new = NewWebhook {
        types: types_of(body.types)?,
        skus: skus_of(body.skus)?,
        secret: body.secret.as_deref().map(secret_of).transpose()?,
        batch_max: batch_of(&api, body.batch_max)?.unwrap_or(1),
        mode: body.mode.map_or_else(Mode::default, Mode::from),
        from: start_of(&events, body.after.as_deref(), "latest", "after")?,
        url: body.url,
        made_by,
    };
    let (standing, secret, replayed) = webhooks.create(new).await.map_err(not_made)?;
    let shape = WebhookShape::of(&standing).with_secret(&secret);
    Ok(render::created(&shape, replayed))
}

/// `GET /v1/webhooks`
pub(crate) async fn list(
    State(api): State<Api>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let webhooks = webhooks_of(&api)?;
    let limit = limit_of(query.limit, api.bounds().page_max)?;
    let after = query.cursor.as_deref().map(text_of).transpose()?;
    let found = webhooks.list(after.as_deref(), limit);
    let next = found.last().filter(|_| found.len() == limit);
    Ok(render::ok(&WebhookPage {
        next_cursor: next.map(|one| to_cursor(one.webhook.id.as_bytes())),
        items: found.iter().map(WebhookShape::of).collect(),
    }))
}

/// `GET /v1/webhooks/{id}`
pub(crate) async fn read(
    State(api): State<Api>,
    Path(id): Path<String>,
    _: NoQuery,
) -> Result<Response, Problem> {
    let standing = webhooks_of(&api)?.get(&id).map_err(not_made)?;
    Ok(render::ok(&WebhookShape::of(&standing)))
}

/// `PUT /v1/webhooks/{id}`: repeating it is harmless, and needs no key.
pub(crate) async fn change(
    State(api): State<Api>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let webhooks = webhooks_of(&api)?;
    let body: ChangeBody = call.json()?;
    let from = |text: &String| start_of(&events_of(&api)?, Some(text), "latest", "after");
    let changes = Changes {
        url: body.url,
        types: body.types.map(|types| types_of(Some(types))).transpose()?,
        skus: body.skus.map(|skus| skus_of(Some(skus))).transpose()?,
        batch_max: batch_of(&api, body.batch_max)?,
        mode: body.mode.map(Mode::from),
        enabled: body.enabled,
        cursor: body.after.as_ref().map(from).transpose()?,
    };
    let standing = webhooks.change(&id, changes).await.map_err(not_made)?;
    Ok(render::ok(&WebhookShape::of(&standing)))
}

/// `DELETE /v1/webhooks/{id}`
pub(crate) async fn delete(
    State(api): State<Api>,
    Path(id): Path<String>,
    _: NoQuery,
) -> Result<Response, Problem> {
    let standing = webhooks_of(&api)?.delete(&id).await.map_err(not_made)?;
    Ok(render::ok(&WebhookShape::of(&standing)))
}

/// `POST /v1/webhooks/{id}/test`: sends one event that says nothing, and tells how that went.
pub(crate) async fn test(
    State(api): State<Api>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    key_of(&api, &call)?;
    let delivery = webhooks_of(&api)?.test(&id).await.map_err(not_made)?;
    Ok(render::ok(&DeliveryShape::of(&delivery)))
}

/// `POST /v1/webhooks/{id}/rotate`
pub(crate) async fn rotate(
    State(api): State<Api>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let webhooks = webhooks_of(&api)?;
    let key = key_of(&api, &call)?;
    let body: RotateBody = call.json_or_default()?;
    let secret = body.secret.as_deref().map(secret_of).transpose()?;
    let rotated = webhooks.rotate(&id, key, secret).await;
    let (standing, secret, replayed) = rotated.map_err(not_made)?;
    let shape = WebhookShape::of(&standing).with_secret(&secret);
    Ok(render::done(&shape, replayed))
}

/// `GET /v1/webhooks/{id}/deliveries`
pub(crate) async fn deliveries(
    State(api): State<Api>,
    Path(id): Path<String>,
    _: NoQuery,
) -> Result<Response, Problem> {
    let found = webhooks_of(&api)?.deliveries(&id).map_err(not_made)?;
    Ok(render::ok(&DeliveryPage {
        items: found.iter().map(DeliveryShape::of).collect(),
        next_cursor: None,
    }))
}

/// `GET /v1/webhooks/{id}/dead-letters`
pub(crate) async fn dead_letters(
    State(api): State<Api>,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let webhooks = webhooks_of(&api)?;
    let limit = limit_of(query.limit, api.bounds().page_max)?;
    let after = query.cursor.as_deref().map(text_of).transpose()?;
    let read = move || webhooks.letters(&id, after.as_deref(), limit);
    // They are on the disk.
    let found = tokio::task::spawn_blocking(read).await;
    let found = found.map_err(|_| Problem::new(Code::Internal, "the letters can't be read"))?;
    let found = found.map_err(not_made)?;
    let next = found.last().filter(|_| found.len() == limit);
    let next_cursor = next.map(|letter| to_cursor(letter.id.as_bytes()));
    Ok(render::ok(&LetterPage::of(found, next_cursor)))
}

/// `POST /v1/webhooks/{id}/redeliver`
pub(crate) async fn redeliver(
    State(api): State<Api>,
    Path(id): Path<String>,
    call: Call,
) -> Result<Response, Problem> {
    let webhooks = webhooks_of(&api)?;
    key_of(&api, &call)?;
    let body: RedeliverBody = call.json_or_default()?;
    if webhooks.get(&id).map_err(not_made)?.webhook.off.is_some() {
        let detail = "the webhook is off; PUT {\"enabled\":true} first";
        return Err(Problem::new(Code::WebhookOff, detail));
    }
    let sent = webhooks.redeliver(&id, body.letter.as_deref()).await;
    let letters = sent.map_err(not_made)?;
    if let (0, Some(letter)) = (letters, &body.letter) {
        let detail = format!("{letter:?} is no dead letter of this webhook");
        return Err(Problem::invalid("letter", detail));
    }
    Ok(render::accepted(&Redelivered { letters }))
}

fn webhooks_of(api: &Api) -> Result<Webhooks, Problem> {
    let deliveries = api.deliveries().ok_or_else(|| {
        let detail = "this server delivers no events; they need statement.enabled";
        Problem::new(Code::NotFound, detail)
    });
    Ok(deliveries?.webhooks.clone())
}

fn not_made(not: NotMade) -> Problem {
    let detail = not.to_string();
    match not {
        NotMade::Url(_) => Problem::invalid("url", detail),
        NotMade::BinaryBatch => Problem::invalid("batch_max", detail),
        NotMade::Address(_) => Problem::new(Code::WebhookAddressForbidden, detail),
        NotMade::TooMany { .. } => Problem::new(Code::Capacity, detail).with("table", "webhooks"),
        NotMade::KeyReused => Problem::new(Code::IdempotencyKeyReused, detail),
        NotMade::Unknown(_) => Problem::new(Code::UnknownWebhook, detail),
        NotMade::Random(_) => Problem::new(Code::Internal, detail),
        NotMade::Store(error) => store_failed(&error),
    }
}

fn key_of(api: &Api, call: &Call) -> Result<Option<String>, Problem> {
    let key = call.key(api.bounds().keys)?;
    Ok(key.map(|key| String::from_utf8_lossy(key).into_owned()))
}

/// The body without what means nothing.
fn normal(call: &Call) -> Vec<u8> {
    let value = call.json::<serde_json::Value>();
    value.map_or_else(|_| Vec::new(), |value| value.to_string().into_bytes())
}

fn types_of(names: Option<Vec<String>>) -> Result<Vec<EventType>, Problem> {
    let parse = |name: &String| {
        EventType::parse(name).ok_or_else(|| {
            let detail = format!("{name:?} is no type of event; /v1/events/schemas lists them");
            Problem::invalid("types", detail)
        })
    };
    names.unwrap_or_default().iter().map(parse).collect()
}

fn skus_of(skus: Option<Vec<SkuName>>) -> Result<Vec<Sku>, Problem> {
    let skus = skus.unwrap_or_default();
    if SKUS_MAX < skus.len() {
        let detail = format!("{} SKUs, and at most {SKUS_MAX} are allowed", skus.len());
        return Err(Problem::invalid("skus", detail));
    }
    Ok(skus.into_iter().map(|sku| sku.0).collect())
}

fn secret_of(text: &str) -> Result<Secret, Problem> {
    // What was sent is not repeated.
    Secret::parse(text).map_err(|no| Problem::invalid("secret", no.to_string()))
}

fn batch_of(api: &Api, batch: Option<usize>) -> Result<Option<usize>, Problem> {
    let most = api.event_bounds().batch_max;
    match batch {
        Some(batch) if !(1..=most).contains(&batch) => {
            let detail = format!("{batch} is not 1 to {most} events");
            Err(Problem::invalid("batch_max", detail))
        }
        batch => Ok(batch),
    }
}
