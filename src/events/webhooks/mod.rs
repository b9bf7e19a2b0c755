//! Webhooks: events pushed to receivers, signed as Standard Webhooks has it, at least once and in
//! order per SKU.
//!
//! `record` is what is kept, `deliver` the task of each webhook, `detour` the way of a SKU that is
//! being retried, `send` one request, `sign` its signature, `address` where it may go. A webhook
//! that is changed is stopped, kept, and started again from its place. `docs/webhooks.md` says what
//! receivers may rely on.
//!
//! Deliberately absent: HTTP towards those who configure webhooks.

mod address;
mod ask;
mod deliver;
mod detour;
mod landed;
mod log;
mod parcel;
mod reader;
mod record;
mod send;
mod sign;

pub use self::address::{BadUrl, NoAddress, Reach, Target, is_public};
pub use self::ask::{Changes, NewWebhook, NotMade, Standing};
pub use self::log::Delivery;
pub use self::record::{DeadLetter, Mode, Off, Progress, Waiting, Webhook};
pub use self::sign::{NoSecret, NotGenuine, Secret, check_time};

use self::ask::names;
use self::deliver::{Command, Worker};
use self::log::{Hook, Limits};
use self::parcel::{Item, Lane, message};
use self::record::Rows;
use self::send::{Sender, Ways};
use super::cursor::{Cursor, NotHere};
use super::store::{Store, StoreError};
use super::{Events, config};
use holdfast_core::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OnceCell, mpsc};
use tokio::task::JoinHandle;
use tracing::warn;

/// How long a name may take to be resolved when a webhook is made.
const LOOK_UP: Duration = Duration::from_secs(2);

/// Commands on their way to a task.
const COMMANDS: usize = 16;

/// What all webhooks share.
struct Common {
    events: Events,
    rows: Rows,
    limits: Limits,
    ways: Arc<Ways>,
}

/// All webhooks. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks(Arc<Inner>);

struct Inner {
    common: Arc<Common>,
    all: Mutex<BTreeMap<String, Running>>,
    /// Changes follow each other.
    turn: tokio::sync::Mutex<()>,
}

/// A webhook and its task, while it is on.
struct Running {
    hook: Arc<Hook>,
    task: Option<Task>,
}

struct Task {
    commands: mpsc::Sender<Command>,
    handle: JoinHandle<()>,
}

impl Webhooks {
    /// Those of the store, each from its place on.
    pub fn start(
        events: Events,
        store: Store,
        settings: &config::Events,
    ) -> Result<Self, StoreError> {
        let ways = Ways {
            reach: if settings.webhooks_private {
                Reach::Any
            } else {
                Reach::Public
            },
            connect: settings.webhooks_connect_ms.duration(),
            answer: settings.webhooks_answer_ms.duration(),
            tls: OnceCell::new(),
        };
        let common = Arc::new(Common {
            rows: Rows(store),
            limits: Limits::of(settings),
            ways: Arc::new(ways),
            events,
        });
        let mut all = BTreeMap::new();
        for webhook in common.rows.webhooks()? {
            let key = format!("progress/{}", webhook.id);
            let damaged = |not: &dyn ToString| common.rows.0.damaged(&key, &not.to_string());
            let progress = common.rows.progress(&webhook.id)?;
            let mut progress = progress.ok_or_else(|| damaged(&"it is missing"))?;
            // Letters may have been kept, or dropped, after it was noted.
            let letters = common.rows.letters(&webhook.id, None, usize::MAX)?;
            progress.dead = letters.len() as u64;
            let cursor = Cursor::parse(&progress.cursor).map_err(|not: NotHere| damaged(&not))?;
            let cursor = common.not_ahead(&webhook.id, cursor);
            let hook = Arc::new(Hook::new(webhook, progress, cursor));
            common.rows.hold(&hook);
            let task = common.begin(&hook);
            all.insert(hook.id.clone(), Running { hook, task });
        }
        Ok(Self(Arc::new(Inner {
            common,
            all: Mutex::new(all),
            turn: tokio::sync::Mutex::default(),
        })))
    }

    /// Ends the tasks; each notes its place first.
    pub async fn stop(&self) {
        let _turn = self.0.turn.lock().await;
        let tasks: Vec<Task> = self
            .all()
            .values_mut()
            .filter_map(|one| one.task.take())
            .collect();
        for task in tasks {
            task.end().await;
        }
    }

    /// Makes a webhook. Its secret is told this once; `true` if this repeats an earlier call.
    pub async fn create(&self, new: NewWebhook) -> Result<(Standing, Secret, bool), NotMade> {
        let _turn = self.0.turn.lock().await;
        if let Some((key, content)) = &new.made_by {
            let by_key = |hook: &Arc<Hook>| {
                let made_by = hook.webhook().made_by.clone();
                made_by.filter(|(own, _)| own == key)
            };
            let found = self
                .hooks()
                .into_iter()
                .find_map(|hook| Some((by_key(&hook)?, hook)));
            if let Some(((_, made), hook)) = found {
                if made != *content {
                    return Err(NotMade::KeyReused);
                }
                let secret = Secret::parse(&hook.webhook().secret).expect("it was made from one");
                return Ok((self.standing(&hook), secret, true));
            }
        }
        let max = self.0.common.limits.webhooks_max;
        if max <= self.all().len() {
            return Err(NotMade::TooMany { max });
        }
        fits(new.mode, new.batch_max)?;
        self.0.common.check(&new.url).await?;
        let secret = match new.secret {
            Some(secret) => secret,
            None => Secret::random()?,
        };
        let webhook = Webhook {
            id: random_id()?,
            url: new.url,
            types: names(&new.types),
            skus: new.skus.iter().map(ToString::to_string).collect(),
            batch_max: new.batch_max,
            mode: new.mode,
            secret: secret.text(),
            previous: None,
            created_at: self.0.common.now().ms(),
            off: None,
            made_by: new.made_by,
            rotated_by: None,
        };
        let hook = Arc::new(Hook::new(webhook, Progress::at(&new.from), new.from));
        let rows = &self.0.common.rows;
        // The place first: a webhook without one would be damage.
        rows.hold(&hook);
        rows.keep(&hook.webhook()).await?;
        let task = self.0.common.begin(&hook);
        let standing = self.standing(&hook);
        self.all().insert(hook.id.clone(), Running { hook, task });
        Ok((standing, secret, false))
    }

    /// Changes a webhook; it goes on from its place.
    pub async fn change(&self, id: &str, changes: Changes) -> Result<Standing, NotMade> {
        let _turn = self.0.turn.lock().await;
        let hook = self.hook(id)?;
        let known = hook.webhook();
        fits(
            changes.mode.unwrap_or(known.mode),
            changes.batch_max.unwrap_or(known.batch_max),
        )?;
        if let Some(url) = &changes.url {
            self.0.common.check(url).await?;
        }
        self.end(id).await;
        let now = self.0.common.now().ms();
        if let Some(cursor) = &changes.cursor {
            hook.place(cursor);
        }
        if changes.enabled == Some(true) {
            hook.begin_anew(now);
        }
        let webhook = hook.change(|webhook| changes.apply(webhook, now));
        self.0.common.rows.hold(&hook);
        let kept = self.0.common.rows.keep(&webhook).await;
        let task = self.0.common.begin(&hook);
        if let Some(running) = self.all().get_mut(id) {
            running.task = task;
        }
        kept?;
        Ok(self.standing(&hook))
    }

    /// Forgets a webhook and its dead letters.
    pub async fn delete(&self, id: &str) -> Result<Standing, NotMade> {
        let _turn = self.0.turn.lock().await;
        let hook = self.hook(id)?;
        let standing = self.standing(&hook);
        self.end(id).await;
        self.0.common.rows.forget(id).await?;
        self.all().remove(id);
        Ok(standing)
    }

    /// A new secret; the one before signs too, for as long as the overlap is. `true` if this
    /// repeats an earlier call.
    pub async fn rotate(
        &self,
        id: &str,
        key: Option<String>,
        secret: Option<Secret>,
    ) -> Result<(Standing, Secret, bool), NotMade> {
        let _turn = self.0.turn.lock().await;
        let hook = self.hook(id)?;
        let known = hook.webhook();
        if key.is_some() && known.rotated_by == key {
            let secret = Secret::parse(&known.secret).expect("it was made from one");
            return Ok((self.standing(&hook), secret, true));
        }
        let secret = match secret {
            Some(secret) => secret,
            None => Secret::random()?,
        };
        let until = self.0.common.now().ms() + self.0.common.limits.overlap_ms;
        let webhook = hook.change(|webhook| {
            let previous = std::mem::replace(&mut webhook.secret, secret.text());
            webhook.previous = Some((previous, until));
            webhook.rotated_by = key;
        });
        self.0.common.rows.keep(&webhook).await?;
        Ok((self.standing(&hook), secret, false))
    }

    /// Sends an event that says nothing, once, beside all others.
    pub async fn test(&self, id: &str) -> Result<Delivery, NotMade> {
        let hook = self.hook(id)?;
        let common = &self.0.common;
        let now = common.now();
        let event_id = format!("test-{}", random_id()?);
        let cluster = common.events.router().cluster();
        let event = serde_json::json!({
            "specversion": "1.0",
            "id": event_id,
            "source": format!("/holdfast/{cluster:016x}"),
            "type": "holdfast.webhook.test.v1",
            "time": crate::rfc3339::TimeText::of(now).as_str(),
            "datacontenttype": "application/json",
            "data": { "webhook": id },
        });
        let item = Item {
            lane: Lane {
                shard: 0,
                sku: None,
            },
            seq: 0,
            id: event_id,
            json: event.to_string().into(),
        };
        let message = message(&[item], hook.webhook().form());
        let attempt = common.sender(&hook)?.send(&message, now).await;
        let delivery = Delivery::of(common.now(), &message.id, 1, 1, &attempt, None);
        hook.log(delivery.clone());
        if attempt.is_taken()
            && let Some(commands) = self.commands(id)
        {
            // A task that has as much to do as this hears it by itself.
            let _ = commands.try_send(Command::Resume);
        }
        Ok(delivery)
    }

    /// Sends dead letters again, one or all; how many, and none where the webhook is off.
    pub async fn redeliver(&self, id: &str, letter: Option<&str>) -> Result<usize, NotMade> {
        let rows = &self.0.common.rows;
        self.hook(id)?;
        let found = if let Some(letter) = letter {
            rows.letter(id, letter)?.into_iter().collect()
        } else {
            rows.letters(id, None, self.0.common.limits.dead_max as usize)?
        };
        let letters: Vec<String> = found.into_iter().map(|letter| letter.id).collect();
        let count = letters.len();
        let Some(commands) = self.commands(id) else {
            return Ok(0);
        };
        let sent = commands.send(Command::Redeliver(letters)).await;
        Ok(if sent.is_ok() { count } else { 0 })
    }

    /// The dead letters of a webhook, by shard and sequence.
    pub fn letters(
        &self,
        id: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, NotMade> {
        self.hook(id)?;
        Ok(self.0.common.rows.letters(id, after, limit)?)
    }

    /// The last attempts, the newest first; since the start of the server.
    pub fn deliveries(&self, id: &str) -> Result<Vec<Delivery>, NotMade> {
        Ok(self.hook(id)?.deliveries())
    }

    /// A webhook.
    pub fn get(&self, id: &str) -> Result<Standing, NotMade> {
        Ok(self.standing(&*self.hook(id)?))
    }

    /// Up to `limit` webhooks whose ids come after `after`, by id.
    pub fn list(&self, after: Option<&str>, limit: usize) -> Vec<Standing> {
        let hooks = self.hooks().into_iter();
        let later = hooks.filter(|hook| after.is_none_or(|after| after < hook.id.as_str()));
        later.take(limit).map(|hook| self.standing(&hook)).collect()
    }

    fn standing(&self, hook: &Hook) -> Standing {
        let (progress, cursor) = hook.seen();
        Standing {
            webhook: hook.webhook(),
            lag: self.0.common.events.lag(&progress.oldest(&cursor)),
            progress,
        }
    }

    fn hook(&self, id: &str) -> Result<Arc<Hook>, NotMade> {
        let found = self.all().get(id).map(|running| Arc::clone(&running.hook));
        found.ok_or_else(|| NotMade::Unknown(id.to_owned()))
    }

    fn hooks(&self) -> Vec<Arc<Hook>> {
        self.all()
            .values()
            .map(|running| Arc::clone(&running.hook))
            .collect()
    }

    fn commands(&self, id: &str) -> Option<mpsc::Sender<Command>> {
        let all = self.all();
        Some(all.get(id)?.task.as_ref()?.commands.clone())
    }

    async fn end(&self, id: &str) {
        let task = self
            .all()
            .get_mut(id)
            .and_then(|running| running.task.take());
        if let Some(task) = task {
            task.end().await;
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    async fn end(self) {
        drop(self.commands);
        // One that has panicked has ended, too.
        let _ = self.handle.await;
    }
}

impl Common {
    fn now(&self) -> Timestamp {
        self.events.router().now()
    }

    /// Starts a webhook's task, if it is on.
    fn begin(self: &Arc<Self>, hook: &Arc<Hook>) -> Option<Task> {
        if hook.webhook().off.is_some() {
            return None;
        }
        let sender = self.sender(hook).ok()?;
        let (progress, cursor) = hook.seen();
        let (common, hook) = (Arc::clone(self), Arc::clone(hook));
        let worker = Worker::new(common, hook, sender, cursor, progress);
        let (commands, told) = mpsc::channel(COMMANDS);
        let handle = tokio::spawn(worker.run(told));
        Some(Task { commands, handle })
    }

    fn sender(&self, hook: &Hook) -> Result<Sender, BadUrl> {
        let target = Target::parse(&hook.webhook().url)?;
        Ok(Sender::new(Arc::clone(&self.ways), target, hook.shared()))
    }

    /// Refuses URLs and addresses that can't be right. A name that is not known yet may become so.
    async fn check(&self, url: &str) -> Result<(), NotMade> {
        let target = Target::parse(url)?;
        let found = tokio::time::timeout(LOOK_UP, target.addresses(self.ways.reach)).await;
        match found {
            Ok(Err(no @ NoAddress::Forbidden { .. })) => Err(NotMade::Address(no)),
            Ok(Ok(_) | Err(NoAddress::Unknown { .. })) | Err(_) => Ok(()),
        }
    }

    /// A place that is ahead of the ledgers, as after restoring an older copy of them, is moved to
    /// their ends.
    fn not_ahead(&self, id: &str, mut cursor: Cursor) -> Cursor {
        for shard in 0..cursor.shards() {
            let head = self.events.router().head_of(shard);
            if let Some(head) = head.filter(|head| *head < cursor.seq(shard)) {
                warn!(
                    webhook = id,
                    shard, head, "a webhook is ahead of the ledger; it goes on at its end"
                );
                cursor.set(shard, head);
            }
        }
        cursor
    }
}

impl Rows {
    /// Keeps how far a webhook is, and the journal from there on.
    fn hold(&self, hook: &Hook) {
        let (progress, cursor) = hook.seen();
        self.note(&hook.id, &progress, &cursor);
    }
}

fn fits(mode: Mode, batch_max: usize) -> Result<(), NotMade> {
    if mode == Mode::Binary && 1 < batch_max {
        return Err(NotMade::BinaryBatch);
    }
    Ok(())
}

fn random_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
    Ok(id.hyphenated().to_string())
}
