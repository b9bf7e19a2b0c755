//! Brings shards to life and back to life.
//!
//! A shard that dies, for a bug or for its disk, is rebuilt from its ledger: the ledger's thread
//! is joined, a rescue copy made if the disk had failed, the ledger opened and replayed. Pauses
//! double with jitter; too many restarts within a window and the shard is down, and tried again
//! at the longest pause. A damaged ledger is quarantined with a report. The others serve.
//!
//! Deliberately absent: guessing. What can't be read is not skipped.

use crate::actor::{Birth, ShardActor};
use crate::clock;
use crate::ledger_thread::Berth;
use crate::links::{Mailbox, Phase};
use crate::placement::ShardIndex;
use crate::recovery::{Failure, Plan, Recovered, recover};
use crate::settings::RestartSettings;
use crate::stats::count;
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tracing::{error, warn};

pub(crate) struct Supervisor;

pub(crate) enum Message {
    /// A recovery has ended.
    Recovered(ShardIndex, Box<Result<Recovered, Failure>>),
    /// The pause of a shard is over.
    Retry(ShardIndex),
    /// Stop all shards; say when none is left and all ledgers are closed.
    Stop(oneshot::Sender<()>),
}

/// What the supervisor is born with. It says through `started` when every shard has been
/// recovered, or has failed to be for the first time.
pub(crate) struct Orders {
    pub(crate) plan: Arc<Plan>,
    pub(crate) restart: RestartSettings,
    pub(crate) started: oneshot::Sender<Vec<(ShardIndex, Failure)>>,
}

pub(crate) struct State {
    plan: Arc<Plan>,
    restart: RestartSettings,
    wards: Vec<Ward>,
    /// Until every shard has been tried once.
    starting: Option<Starting>,
    stopping: Option<oneshot::Sender<()>>,
}

/// A start that has not been told yet.
struct Starting {
    tell: oneshot::Sender<Vec<(ShardIndex, Failure)>>,
    failures: Vec<(ShardIndex, Failure)>,
    untried: BTreeSet<ShardIndex>,
}

/// A shard, as its supervisor sees it.
#[derive(Default)]
struct Ward {
    actor: Option<ActorCell>,
    berth: Berth,
    /// When it died within the window.
    deaths: VecDeque<Instant>,
    /// Whether it has been marked down since it last served.
    is_down: bool,
    /// Whether its disk failed, so that its file needs a rescue copy.
    needs_rescue: bool,
    is_recovering: bool,
}

impl Actor for Supervisor {
    type Msg = Message;
    type State = State;
    type Arguments = Orders;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        orders: Orders,
    ) -> Result<State, ActorProcessingErr> {
        let Orders {
            plan,
            restart,
            started,
        } = orders;
        let shards = plan.placement.shards();
        let wards = (0..shards).map(|_| Ward::default()).collect();
        let untried = (0..shards).collect();
        let starting = Some(Starting {
            tell: started,
            failures: Vec::new(),
            untried,
        });
        let mut state = State {
            plan,
            restart,
            wards,
            starting,
            stopping: None,
        };
        for shard in 0..shards {
            state.recover(shard, &myself);
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Recovered(shard, result) => {
                state.wards[usize::from(shard)].is_recovering = false;
                match *result {
                    _ if state.stopping.is_some() => {}
                    Ok(recovered) => state.serve(shard, recovered, &myself).await,
                    Err(failure) => state.failed(shard, failure, &myself),
                }
                state.tell_started(shard);
            }
            Message::Retry(shard) => state.recover(shard, &myself),
            Message::Stop(stopped) => {
                state.stopping = Some(stopped);
                for (index, ward) in state.wards.iter().enumerate() {
                    state.plan.links[index].set(Phase::Stopped);
                    if let Some(actor) = &ward.actor {
                        actor.stop(None);
                    }
                }
            }
        }
        state.end_if_stopped(&myself);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let (who, reason) = match event {
            SupervisionEvent::ActorFailed(who, error) => (who.get_id(), error.to_string()),
            SupervisionEvent::ActorTerminated(who, _, reason) => (
                who.get_id(),
                reason.unwrap_or_else(|| "it was stopped".to_owned()),
            ),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {
                return Ok(());
            }
        };
        if let Some(shard) = state.ward_of(who) {
            state.wards[usize::from(shard)].actor = None;
            if state.stopping.is_none() {
                error!(shard, reason, "shard died; rebuilding it from its ledger");
                if reason.contains("INV-") {
                    count(&state.plan.links[usize::from(shard)].stats.violations, 1);
                }
                state.died(shard, &reason.into(), &myself);
            }
        }
        state.end_if_stopped(&myself);
        Ok(())
    }
}

impl State {
    fn ward_of(&self, who: ActorId) -> Option<ShardIndex> {
        let is_who = |ward: &Ward| {
            ward.actor
                .as_ref()
                .is_some_and(|actor| actor.get_id() == who)
        };
        self.wards
            .iter()
            .position(is_who)
            .map(|shard| shard as ShardIndex)
    }

    /// Starts a recovery on a thread of its own.
    fn recover(&mut self, shard: ShardIndex, myself: &ActorRef<Message>) {
        if self.stopping.is_some() {
            return;
        }
        let ward = &mut self.wards[usize::from(shard)];
        ward.is_recovering = true;
        let (plan, berth, rescue) = (
            Arc::clone(&self.plan),
            ward.berth.clone(),
            ward.needs_rescue,
        );
        let recovery = tokio::task::spawn_blocking(move || {
            let disk_failed = berth.join().is_err_and(|error| error.is_disk());
            if (rescue || disk_failed) && plan.dir.created(shard) {
                warn!(
                    shard,
                    "the disk had failed; making a rescue copy of the ledger"
                );
                plan.ledgers.rescue(&plan.dir, shard)?;
            }
            recover(&plan, shard)
        });
        let myself = myself.clone();
        tokio::spawn(async move {
            let result = recovery.await.unwrap_or_else(|death| {
                Err(Failure::State(format!("the recovery ended early: {death}")))
            });
            // Where the supervisor has gone, the ledger is closed by being dropped.
            let _ = myself.send_message(Message::Recovered(shard, Box::new(result)));
        });
    }

    async fn serve(&mut self, shard: ShardIndex, recovered: Recovered, me: &ActorRef<Message>) {
        let ward = &mut self.wards[usize::from(shard)];
        let links = Arc::clone(&self.plan.links);
        let mailbox = Arc::default();
        let birth = Birth {
            shard: recovered.shard,
            ledger: recovered.ledger,
            berth: ward.berth.clone(),
            clock: self.plan.clock.clone(),
            links: Arc::clone(&links),
            index: shard,
            queued: Arc::clone(&mailbox),
        };
        match ShardActor::spawn_linked(None, ShardActor, birth, me.get_cell()).await {
            Ok((actor, _)) => {
                ward.actor = Some(actor.get_cell());
                (ward.is_down, ward.needs_rescue) = (false, false);
                links[usize::from(shard)].set(Phase::Serving(Mailbox {
                    actor,
                    queued: mailbox,
                }));
                for link in links.iter().filter(|link| link.index != shard) {
                    link.send_uncounted(crate::actor::Message::Reopened(shard));
                }
            }
            Err(reason) => self.died(shard, &reason.to_string().into(), me),
        }
    }

    fn failed(&mut self, shard: ShardIndex, failure: Failure, myself: &ActorRef<Message>) {
        let reason: Arc<str> = failure.to_string().into();
        let ward = &mut self.wards[usize::from(shard)];
        ward.needs_rescue |= failure.is_disk();
        if failure.is_damage() {
            error!(shard, %reason, "shard quarantined; the others serve");
            self.plan.links[usize::from(shard)].set(Phase::Quarantined(reason));
        } else {
            error!(shard, %reason, "shard could not be rebuilt; trying again");
            self.died(shard, &reason, myself);
        }
        if let Some(starting) = &mut self.starting {
            starting.failures.push((shard, failure));
        }
    }

    /// Tries again after a pause.
    fn died(&mut self, shard: ShardIndex, reason: &Arc<str>, myself: &ActorRef<Message>) {
        let link = &self.plan.links[usize::from(shard)];
        count(&link.stats.restarts, 1);
        let ward = &mut self.wards[usize::from(shard)];
        let now = clock::instant();
        ward.deaths.push_back(now);
        while ward
            .deaths
            .front()
            .is_some_and(|death| self.restart.window < now - *death)
        {
            ward.deaths.pop_front();
        }
        let deaths = u32::try_from(ward.deaths.len()).unwrap_or(u32::MAX);
        ward.is_down |= self.restart.max < deaths;
        let pause = if ward.is_down {
            link.set(Phase::Down(Arc::clone(reason)));
            self.restart.pause_max
        } else {
            link.set(Phase::Recovering);
            pause(&self.restart, deaths)
        };
        let myself = myself.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let _ = myself.send_message(Message::Retry(shard));
        });
    }

    fn tell_started(&mut self, shard: ShardIndex) {
        let Some(starting) = &mut self.starting else {
            return;
        };
        starting.untried.remove(&shard);
        if starting.untried.is_empty()
            && let Some(Starting { tell, failures, .. }) = self.starting.take()
        {
            // Where nobody waits for the start, the shards serve all the same.
            let _ = tell.send(failures);
        }
    }

    /// Once every shard is gone, closes what they left and ends.
    fn end_if_stopped(&mut self, myself: &ActorRef<Message>) {
        let is_gone = |ward: &Ward| ward.actor.is_none() && !ward.is_recovering;
        if !self.wards.iter().all(is_gone) {
            return;
        }
        let Some(stopped) = self.stopping.take() else {
            return;
        };
        let berths: Vec<Berth> = self.wards.iter().map(|ward| ward.berth.clone()).collect();
        let plan = Arc::clone(&self.plan);
        tokio::task::spawn_blocking(move || {
            for (shard, berth) in berths.iter().enumerate() {
                if let Err(error) = berth.join() {
                    error!(shard, %error, "the ledger did not close cleanly");
                }
            }
            if let Some(lookup) = &plan.lookup {
                lookup.stop();
            }
            if let Some(statement) = &plan.statement {
                statement.stop();
            }
            if let Some(archives) = &plan.archives {
                archives.stop();
            }
            drop(plan);
            let _ = stopped.send(());
        });
        myself.stop(None);
    }
}

/// Doubles with each death, and shortened at random by up to half.
fn pause(settings: &RestartSettings, deaths: u32) -> Duration {
    let doubled = settings
        .pause_min
        .saturating_mul(1 << (deaths.saturating_sub(1)).min(16));
    let longest = doubled.min(settings.pause_max);
    let part = (clock::seed() % 512) as u32;
    longest / 2 + longest * part / 1024
}
