//! What a command leans on and its shard can't know: the counters of the past, what another shard
//! sold, or what another shard has to record first.
//!
//! Such a command is sent as it is at first, marked as unread: a repeat is answered at once, whatever
//! has become of the past or of the other shard. Where the shard says that it needs more, that is
//! read here, and the command is sent again. Deliberately absent: deciding anything.

use crate::lists::{Listed, Query};
use crate::message::{Deadline, Operation};
use crate::placement::ShardIndex;
use crate::reply::Told;
use crate::router::Router;
use crate::statement::NoPast;
use crate::unavailable::Unavailable;
use holdfast_core::{
    Answer, At, Command, Correct, DecideDrift, DriftRecord, DriftState, FromHome, KeyTag, Location,
    MovementKind, Refusal, ReservationId, SaleLine, SaleLines, Sku, Then, TraceParent, Verdict,
};
use std::collections::{HashMap, HashSet};
use tokio::task::JoinSet;

/// How often what a command leans on is read, where it has moved each time.
const TRIES: u32 = 5;

/// Pasts that are read at the same time for one batch.
const READERS: usize = 8;

/// Why there is no history where none is built, where stock moves on and on, and at first.
const UNKEPT: &str = "is not kept, so nothing can be compared with it; see statement.enabled";
const MOVING: &str = "moved each time it was read for this count; retry";
const BEHIND: &str = "is not readable up to now yet; retry";

/// A command under way.
struct Pending {
    /// Its place in its batch.
    place: usize,
    operation: Operation,
    /// The past it speaks of.
    at: Option<At>,
    tries: u32,
}

/// Shipments for sales of one home.
#[derive(Default)]
struct Shipments {
    commands: Vec<Pending>,
    sales: Vec<(ReservationId, Sku)>,
}

impl Pending {
    fn new(place: usize, operation: Operation) -> Self {
        let at = match &operation.command {
            Command::Movement(movement) => match &movement.kind {
                MovementKind::Count(count) => match &count.then {
                    Some(Then::At(at)) => Some(*at),
                    Some(Then::Read(_)) | None => None,
                },
                _ => None,
            },
            _ => None,
        };
        Self {
            place,
            operation,
            at,
            tries: 0,
        }
    }

    /// The SKU whose later movements wait for it: a count is compared with what was before them.
    fn holds_back(&self) -> Option<&Sku> {
        self.at.and_then(|_| sku_of(&self.operation.command))
    }

    /// Whether what was told leaves something to be read.
    fn wants_more(&self, told: &Told) -> bool {
        match told {
            Err(Unavailable::Unread) => true,
            Ok(Answer::Refused { refusal, .. }) => self.has_moved(refusal),
            _ => false,
        }
    }

    /// Whether stock has moved since the past was read. What the caller expects is another matter.
    fn has_moved(&self, refusal: &Refusal) -> bool {
        let (Command::Movement(movement), Refusal::VersionChanged { expected, .. }) =
            (&self.operation.command, refusal)
        else {
            return false;
        };
        let MovementKind::Count(count) = &movement.kind else {
            return false;
        };
        let read = count.read().map(|then| then.stock_version);
        read == Some(*expected) && movement.expected_version != Some(*expected)
    }
}

impl Router {
    /// Marks what a command leans on and its shard can't know; whether there is something.
    pub(crate) fn mark(&self, command: &mut Command) -> bool {
        let placement = self.placement();
        match command {
            Command::Movement(movement) => match &mut movement.kind {
                MovementKind::Count(count) => matches!(count.then, Some(Then::At(_))),
                MovementKind::Ship {
                    sale: Some(sale), ..
                } => {
                    let home = placement.home_of(sale.id);
                    let is_elsewhere = home != placement.shard_of_sku(&movement.sku);
                    if is_elsewhere && sale.lines == SaleLines::Here {
                        sale.lines = SaleLines::Unread;
                    }
                    sale.lines == SaleLines::Unread
                }
                _ => false,
            },
            Command::DecideDrift(decide) => {
                let is_meant = decide.verdict == Verdict::Approve && placement.shards() > 1;
                if is_meant && decide.home == FromHome::Here {
                    decide.home = FromHome::Unread;
                }
                decide.home == FromHome::Unread
            }
            _ => false,
        }
    }

    /// Does a command that was marked.
    pub(crate) async fn execute_marked(&self, operation: Operation, deadline: Deadline) -> Told {
        let mut pending = Pending::new(0, operation);
        loop {
            let told = self.enter(pending.operation.clone(), deadline).await;
            if !pending.wants_more(&told) {
                return told;
            }
            if let Some(told) = self.inform(&mut pending, deadline).await {
                return told;
            }
        }
    }

    /// Does a batch with commands that were marked. Movements of one SKU keep their order; what has
    /// to wait for a count of the past goes in a message after it.
    pub(crate) async fn batch_marked(
        &self,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Vec<Told> {
        let mut told: Vec<Option<Told>> = Vec::new();
        told.resize_with(operations.len(), || None);
        let each = operations.into_iter().enumerate();
        let mut waiting: Vec<Pending> = each.map(|(at, op)| Pending::new(at, op)).collect();
        while !waiting.is_empty() {
            let (round, mut later) = in_order(waiting);
            let operations = round.iter().map(|one| one.operation.clone()).collect();
            let answers = self.send_all(operations, deadline).await;
            let mut again = Vec::new();
            for (one, answer) in round.into_iter().zip(answers) {
                if one.wants_more(&answer) {
                    again.push(one);
                } else {
                    told[one.place] = Some(answer);
                }
            }
            for (one, answer) in self.inform_all(again, deadline).await {
                match answer {
                    Some(answer) => told[one.place] = Some(answer),
                    None => later.push(one),
                }
            }
            later.sort_unstable_by_key(|one| one.place);
            waiting = later;
        }
        told.into_iter()
            .map(|told| told.expect("every operation was answered"))
            .collect()
    }

    /// Reads what a command leans on; its answer, where that can't be.
    async fn inform(&self, pending: &mut Pending, deadline: Deadline) -> Option<Told> {
        let placement = self.placement();
        let trace = pending.operation.trace.clone();
        pending.tries += 1;
        let informed = match &mut pending.operation.command {
            Command::Movement(movement) => {
                let shard = placement.shard_of_sku(&movement.sku);
                if TRIES < pending.tries {
                    return Some(Err(history(shard, MOVING)));
                }
                match &mut movement.kind {
                    MovementKind::Count(count) => {
                        let at = pending.at.expect("only a count of the past is unread");
                        let (sku, location) = (&movement.sku, &movement.location);
                        let read = self.read_past(sku, location, at, shard).await;
                        read.map(|then| count.then = Some(then))
                    }
                    MovementKind::Ship {
                        sale: Some(sale), ..
                    } => {
                        let lines = self.sale_lines(sale.id, &movement.sku).await;
                        lines.map(|lines| sale.lines = lines)
                    }
                    _ => unreachable!("it leans on nothing"),
                }
            }
            Command::DecideDrift(decide) => match self.correct(decide, trace, deadline).await {
                Ok(home) => {
                    decide.home = home;
                    Ok(())
                }
                Err(told) => Err(told),
            },
            _ => unreachable!("it leans on nothing"),
        };
        informed.err().map(|told| *told)
    }

    /// Reads what the commands of a batch lean on: a few of them at a time.
    async fn inform_all(
        &self,
        pending: Vec<Pending>,
        deadline: Deadline,
    ) -> Vec<(Pending, Option<Told>)> {
        let mut informed = Vec::with_capacity(pending.len());
        let mut readers = JoinSet::new();
        for mut one in self.tell_sales(pending, &mut informed).await {
            if readers.len() == READERS {
                let read = readers.join_next().await.expect("there are some");
                informed.push(read.expect("readers do not panic"));
            }
            let router = self.clone();
            readers.spawn(async move {
                let told = router.inform(&mut one, deadline).await;
                (one, told)
            });
        }
        while let Some(read) = readers.join_next().await {
            informed.push(read.expect("readers do not panic"));
        }
        informed
    }

    /// Asks each home once for all the sales that the shipments of a batch name; the other commands.
    async fn tell_sales(
        &self,
        pending: Vec<Pending>,
        informed: &mut Vec<(Pending, Option<Told>)>,
    ) -> Vec<Pending> {
        let mut homes: HashMap<ShardIndex, Shipments> = HashMap::new();
        let mut others = Vec::new();
        for one in pending {
            match sale_of(&one.operation.command) {
                Some(sale) => {
                    let home = homes.entry(self.placement().home_of(sale.0)).or_default();
                    home.commands.push(one);
                    home.sales.push(sale);
                }
                None => others.push(one),
            }
        }
        let mut asked = Vec::new();
        for (home, Shipments { commands, sales }) in homes {
            asked.push((home, commands, self.ask(home, Query::Sales(sales))));
        }
        for (home, shipments, asked) in asked {
            let listed = match asked {
                Ok(listed) => listed
                    .await
                    .map_err(|_| Unavailable::Recovering { shard: home }),
                Err(why) => Err(why),
            };
            match listed {
                Ok(Listed::Sales(sales)) => {
                    for (mut one, lines) in shipments.into_iter().zip(sales) {
                        set_lines(&mut one.operation.command, told_lines(lines));
                        informed.push((one, None));
                    }
                }
                Ok(_) => unreachable!("a shard lists what it is asked for"),
                Err(why) => {
                    let each = shipments.into_iter();
                    informed.extend(each.map(|one| (one, Some(Err(why.clone())))));
                }
            }
        }
        others
    }

    async fn read_past(
        &self,
        sku: &Sku,
        location: &Location,
        at: At,
        shard: ShardIndex,
    ) -> Result<Then, Box<Told>> {
        let oldest = match self.count_then(sku, location, at).await {
            Ok(then) => return Ok(Then::Read(Box::new(then))),
            Err(NoPast::Future) => None,
            Err(NoPast::Trimmed { oldest }) => Some(oldest),
            Err(NoPast::Disabled) => return Err(Box::new(Err(history(shard, UNKEPT)))),
            Err(NoPast::Behind | NoPast::UnknownSku | NoPast::UnknownLocation) => {
                return Err(Box::new(Err(history(shard, BEHIND))));
            }
            Err(NoPast::Unavailable(why)) => return Err(Box::new(Err(why))),
        };
        let sku = sku.clone();
        Err(Box::new(Ok(self.refuse(Refusal::NoPast { sku, oldest }))))
    }

    /// What home says of a sale's lines of a SKU.
    async fn sale_lines(&self, id: ReservationId, sku: &Sku) -> Result<SaleLines, Box<Told>> {
        let home = self.placement().home_of(id);
        let query = Query::Sales(vec![(id, sku.clone())]);
        match self.list(home, query).await {
            Ok(Listed::Sales(mut sales)) => Ok(told_lines(sales.pop().flatten())),
            Ok(_) => unreachable!("a shard lists what it is asked for"),
            Err(why) => Err(Box::new(Err(why))),
        }
    }

    /// Has the home of a drift's reservation record the correction, where that is another shard, or
    /// say what the correction needs to know. Home does it once, whoever asks how often.
    async fn correct(
        &self,
        decide: &DecideDrift,
        trace: Option<Box<TraceParent>>,
        deadline: Deadline,
    ) -> Result<FromHome, Box<Told>> {
        let own = self.placement().shard_of_sku(&decide.sku);
        let drift = match self.list(own, Query::Drift(decide.id)).await {
            Ok(Listed::Drift(Some(view))) => view.drift,
            Ok(_) => return Err(Box::new(Ok(self.refuse(Refusal::UnknownDrift(decide.id))))),
            Err(why) => return Err(Box::new(Err(why))),
        };
        let elsewhere = drift
            .reservation
            .filter(|id| self.placement().home_of(*id) != own);
        let is_open = drift.state == DriftState::Open;
        let correction = drift.correction(decide).filter(|_| is_open);
        let (Some(reservation), Some(command)) = (elsewhere, correction) else {
            return Err(Box::new(Ok(self.conflict(&drift))));
        };
        if matches!(command, Command::Movement(_)) {
            return match self.sale_lines(reservation, &drift.sku).await? {
                SaleLines::Told(lines) => Ok(FromHome::Told(lines)),
                SaleLines::Here | SaleLines::Unread => Err(Box::new(Ok(self.conflict(&drift)))),
            };
        }
        let operation = Operation {
            key: Some(tag_of(drift.id)),
            command: Command::Correct(Box::new(Correct {
                drift: drift.id,
                command,
            })),
            trace,
        };
        match self.enter(operation, deadline).await {
            Ok(Answer::Reservation { .. }) => Ok(FromHome::Done),
            Ok(Answer::Refused { .. }) => Err(Box::new(Ok(self.conflict(&drift)))),
            told => Err(Box::new(told)),
        }
    }

    fn conflict(&self, drift: &DriftRecord) -> Answer {
        let (id, state) = (drift.id, drift.state.clone());
        self.refuse(Refusal::DriftConflict { id, state })
    }

    fn refuse(&self, refusal: Refusal) -> Answer {
        Answer::Refused {
            refusal: Box::new(refusal),
            at: self.now(),
            seq: 0,
            replayed: false,
        }
    }
}

/// What may be sent now: all but movements behind a count of the past of their SKU.
fn in_order(waiting: Vec<Pending>) -> (Vec<Pending>, Vec<Pending>) {
    let mut held_back: HashSet<Sku> = HashSet::new();
    waiting.into_iter().partition(|one| {
        let sku = sku_of(&one.operation.command);
        let is_behind = sku.is_some_and(|sku| held_back.contains(sku));
        held_back.extend(one.holds_back().cloned());
        !is_behind
    })
}

/// Whose stock or settings a command changes in its place among others.
fn sku_of(command: &Command) -> Option<&Sku> {
    match command {
        Command::Movement(movement) => Some(&movement.sku),
        Command::Configure(configure) => Some(&configure.sku),
        _ => None,
    }
}

fn sale_of(command: &Command) -> Option<(ReservationId, Sku)> {
    let Command::Movement(movement) = command else {
        return None;
    };
    match &movement.kind {
        MovementKind::Ship {
            sale: Some(sale), ..
        } => Some((sale.id, movement.sku.clone())),
        _ => None,
    }
}

fn set_lines(command: &mut Command, lines: SaleLines) {
    if let Command::Movement(movement) = command
        && let MovementKind::Ship {
            sale: Some(sale), ..
        } = &mut movement.kind
    {
        sale.lines = lines;
    }
}

/// A sale that its home does not know is as good as none named.
fn told_lines(lines: Option<Vec<SaleLine>>) -> SaleLines {
    lines.map_or(SaleLines::Here, SaleLines::Told)
}

const fn history(shard: ShardIndex, why: &'static str) -> Unavailable {
    Unavailable::History { shard, why }
}

/// The key under which a drift is corrected at another shard; no caller's key hashes to it but by
/// chance.
fn tag_of(drift: ReservationId) -> KeyTag {
    const PURPOSE: &[u8] = b"drift correction";
    let hash = xxhash_rust::xxh3::xxh3_128(&[PURPOSE, &drift.as_u128().to_le_bytes()].concat());
    KeyTag {
        hash: [(hash >> 64) as u64, hash as u64],
        content: hash as u64,
    }
}
