//! The payload of every figure: a reserve of one line with a 36-byte key, a 16-byte order
//! reference, a 12-byte customer and a 12-byte SKU.

use holdfast_core::{
    Command, Configure, KeyTag, Millis, Mode, Movement, MovementKind, ReservationId, Reserve,
    ReserveLine, Sku, Text, Units,
};
use holdfast_runtime::Operation;
use smallvec::smallvec;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Over how many SKUs a spread load goes.
pub(crate) const SPREAD: usize = 10_000;

/// Names of SKUs, 12 bytes each.
pub(crate) fn skus(count: usize) -> Vec<Sku> {
    (0..count).map(sku).collect()
}

/// The `n`th SKU.
pub(crate) fn sku(n: usize) -> Sku {
    Sku::parse(&format!("SKU-{n:08}")).expect("a name")
}

/// The `n`th key's hash and its content's.
pub(crate) fn key(n: u64) -> KeyTag {
    let text = format!("cart-{n:010}-{:016x}-r01", mixed(n));
    debug_assert_eq!(text.len(), 36);
    let hash = xxh3_128(text.as_bytes());
    KeyTag {
        hash: [(hash >> 64) as u64, hash as u64],
        content: xxh3_64(&n.to_le_bytes()),
    }
}

/// The `n`th reserve, of a SKU out of `skus` that looks random.
pub(crate) fn reserve(n: u64, skus: &[Sku], ttl: Option<Millis>) -> Box<Reserve> {
    let sku = skus[(mixed(n) >> 24) as usize % skus.len()].clone();
    let units = Units::new(1).expect("a quantity");
    Box::new(Reserve {
        id: ReservationId::UNMINTED,
        order_ref: Text::parse(&format!("order-{n:010}")).ok(),
        customer: Text::parse(&format!("cust-{:07}", n % 10_000_000)).ok(),
        ttl,
        mode: Mode::AllOrNothing,
        replace: None,
        lines: smallvec![ReserveLine {
            sku,
            units,
            location: None,
        }],
    })
}

/// A message of `count` reserves.
pub(crate) fn message(first: u64, count: u64, skus: &[Sku], ttl: Option<Millis>) -> Vec<Operation> {
    let operation = |n| Operation::keyed(Some(key(n)), Command::Reserve(reserve(n, skus, ttl)));
    (first..first + count).map(operation).collect()
}

/// What makes a SKU.
pub(crate) fn configure(sku: &Sku) -> Command {
    Command::Configure(Box::new(Configure::new(sku.clone())))
}

/// What stocks a SKU with more than any bench reserves; `id` is minted here or by its shard.
pub(crate) fn receive(sku: &Sku, id: ReservationId) -> Command {
    Command::Movement(Box::new(Movement {
        id,
        ..Movement::new(
            sku.clone(),
            MovementKind::Receive(Units::new(1_000_000_000).expect("a quantity")),
        )
    }))
}

/// The operations that make and stock these SKUs.
pub(crate) fn stocking(skus: &[Sku]) -> Vec<Operation> {
    let commands = skus
        .iter()
        .flat_map(|sku| [configure(sku), receive(sku, ReservationId::UNMINTED)]);
    commands.map(Operation::of).collect()
}

const fn mixed(n: u64) -> u64 {
    (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
