//! What the benches send: one line, a key, 16 bytes of order reference, 12 of customer and SKU.

#![allow(dead_code, reason = "no bench needs all of it")]

use holdfast_core::{
    Command, Configure, KeyTag, Location, Mode, Note, Patch, Receive, ReservationId, Reserve,
    ReserveLine, Sku, Text, Units,
};
use holdfast_runtime::{Deadline, Operation, Router};
use smallvec::smallvec;
use std::time::Duration;

/// Commands of a message.
pub(crate) const MESSAGE: u64 = 1000;
/// Callers at once.
pub(crate) const CALLERS: u64 = 8;

/// The n-th SKU, 12 bytes.
pub(crate) fn sku(n: usize) -> Sku {
    Sku::parse(&format!("SKU-{n:08}")).expect("a name")
}

/// So many SKUs.
pub(crate) fn skus(count: usize) -> Vec<Sku> {
    (0..count).map(sku).collect()
}

/// A message of reserves, from the one with this number.
pub(crate) fn operations(skus: &[Sku], first: u64) -> Vec<Operation> {
    (first..first + MESSAGE)
        .map(|number| {
            let hash = [number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number];
            let sku = skus[(hash[0] >> 20) as usize % skus.len()].clone();
            let units = Units::new(1).expect("a quantity");
            let reserve = Reserve {
                id: ReservationId::UNMINTED,
                order_ref: Text::parse(&format!("order-{number:010}")).ok(),
                customer: Text::parse(&format!("cust-{:07}", number % 1_000_000)).ok(),
                ttl: None,
                mode: Mode::AllOrNothing,
                replace: None,
                lines: smallvec![ReserveLine {
                    sku,
                    units,
                    location: None
                }],
            };
            let key = Some(KeyTag {
                hash,
                content: number,
            });
            Operation {
                key,
                command: Command::Reserve(Box::new(reserve)),
            }
        })
        .collect()
}

/// Makes SKUs with plenty of stock.
pub(crate) async fn stock(router: &Router, skus: &[Sku]) {
    for some in skus.chunks(1000) {
        let configure = |sku: &Sku| Configure {
            sku: sku.clone(),
            safety_stock: Vec::new(),
            customer_limit: Patch::Keep,
            opens_at: Patch::Keep,
            closes_at: Patch::Keep,
            paused: Patch::Keep,
            low_at: Patch::Keep,
            location_order: Patch::Keep,
            reason: None,
            expected_version: None,
        };
        let receive = |sku: &Sku| Receive {
            id: ReservationId::UNMINTED,
            sku: sku.clone(),
            location: Location::main(),
            units: Units::new(1_000_000_000).expect("a quantity"),
            expected_version: None,
            note: Note::default(),
        };
        let made = some.iter().flat_map(|sku| {
            [
                Command::Configure(Box::new(configure(sku))),
                Command::Receive(Box::new(receive(sku))),
            ]
        });
        let operations = made
            .map(|command| Operation { key: None, command })
            .collect();
        let told = router
            .batch(operations, Deadline::within(Duration::from_secs(10)))
            .await;
        assert!(told.iter().all(Result::is_ok), "stock was received");
    }
}
