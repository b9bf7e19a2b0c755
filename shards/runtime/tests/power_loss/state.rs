//! A shard's state in a form that can be compared: the canonical bytes of its chunks (INV-6), and
//! what its engine derives from them.

use holdfast_core::{
    Command, Engine, Mode, Request, ReservationId, Reserve, ReserveLine, SkuView, Text, Timestamp,
    UNITS_MAX, Units,
};
use holdfast_ledger::codec;
use smallvec::smallvec;

/// What went wrong, in words.
pub(crate) type Fault = String;

/// A state as of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) seq: u64,
    at: Timestamp,
    /// Each chunk that is not empty, with its canonical bytes.
    chunks: Vec<(u64, Vec<u8>)>,
    /// Counts, deadlines and indexes: not in the chunks, and rebuilt from them.
    derived: Vec<String>,
}

impl State {
    pub(crate) fn of(engine: &Engine, customers: &[Text]) -> Self {
        let chunks = engine.all_chunks();
        let chunks = chunks.iter();
        Self {
            seq: engine.seq(),
            at: engine.at(),
            chunks: chunks
                .map(|(id, state)| (id.to_u64(), codec::chunk::encode(state)))
                .collect(),
            derived: derived(engine, customers),
        }
    }

    /// What is different in `found`, if anything is.
    pub(crate) fn compare(&self, found: &Self) -> Result<(), Fault> {
        if self == found {
            return Ok(());
        }
        let only = |mine: &Self, other: &Self| -> Vec<String> {
            let other = &other.chunks;
            let differing = mine.chunks.iter().filter(|chunk| !other.contains(chunk));
            differing
                .map(|(id, body)| format!("{id:#x} {body:?}"))
                .collect()
        };
        let derived = self.derived.iter().zip(&found.derived);
        let derived: Vec<_> = derived.filter(|(mine, other)| mine != other).collect();
        Err(format!(
            "INV-6 at {} (found at {}): time {:?}, found {:?}; chunks {:?}, found {:?}; derived {derived:?}",
            self.seq,
            found.seq,
            self.at,
            found.at,
            only(self, found),
            only(found, self),
        ))
    }
}

fn derived(engine: &Engine, customers: &[Text]) -> Vec<String> {
    let mut derived = vec![
        format!("{:?}", engine.fill()),
        format!("next deadline {:?}", engine.next_deadline()),
        format!("due {:?}", engine.due(engine.at())),
    ];
    let mut spread: Vec<_> = engine.spread_homes().collect();
    spread.sort_unstable();
    derived.push(format!("spread {spread:?}"));
    let mut holds: Vec<_> = engine.foreign_holds().collect();
    holds.sort_unstable_by_key(|hold| hold.number);
    derived.push(format!("holds for others {holds:?}"));
    let mut tags: Vec<_> = engine.key_tags().collect();
    tags.sort_unstable_by_key(|(tag, _)| tag.hash);
    derived.push(format!("keys {tags:?}"));
    let mut views: Vec<SkuView> = engine.sku_views().collect();
    views.sort_unstable_by(|a, b| a.sku.cmp(&b.sku));
    let limited = views
        .iter()
        .filter(|view| view.config.customer_limit.is_some());
    for view in limited {
        derived.extend(
            customers
                .iter()
                .map(|customer| count_of(engine, view, customer)),
        );
    }
    derived
}

/// How many units a customer has of a limited SKU, as the refusal of far too many tells.
fn count_of(engine: &Engine, view: &SkuView, customer: &Text) -> String {
    let line = ReserveLine {
        sku: view.sku.clone(),
        units: Units::new(UNITS_MAX).expect("it is the most"),
        location: None,
    };
    let reserve = Reserve {
        id: ReservationId::UNMINTED,
        order_ref: None,
        customer: Some(customer.clone()),
        ttl: None,
        mode: Mode::AllOrNothing,
        replace: None,
        lines: smallvec![line],
    };
    let request = Request::of(Command::Reserve(Box::new(reserve)));
    let decision = engine.decide(&request, engine.at());
    format!(
        "{} {:?} {:?}",
        customer.as_str(),
        decision.events,
        decision.outcome
    )
}
