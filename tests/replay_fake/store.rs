//! What the stand-in keeps: shelves, holds, keys.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::Lie;

#[derive(Default)]
pub(super) struct Shelf {
    pub(super) received: i64,
    pub(super) on_hand: i64,
    pub(super) reserved: i64,
    pub(super) sold: i64,
    pub(super) released: i64,
    pub(super) expired: i64,
}

pub(super) struct Hold {
    pub(super) status: &'static str,
    pub(super) order_ref: Value,
    pub(super) lapses: Instant,
    pub(super) lines: Vec<(String, String, i64)>,
}

#[derive(Default)]
pub(super) struct Store {
    pub(super) shelves: BTreeMap<(String, String), Shelf>,
    pub(super) holds: Vec<Hold>,
    pub(super) keys: HashMap<String, (u16, String)>,
    pub(super) changes: u64,
    /// From so many changes on nobody gets an answer, until the next restart.
    pub(super) stuck_at: Option<u64>,
}

impl Store {
    pub(super) fn lapse(&mut self) {
        let now = Instant::now();
        for hold in self.holds.iter_mut().filter(|hold| hold.status == "open") {
            if hold.lapses <= now {
                hold.status = "expired";
                for (sku, location, qty) in &hold.lines {
                    let key = (sku.clone(), location.clone());
                    let shelf = self.shelves.get_mut(&key).expect("held units have a shelf");
                    shelf.reserved -= qty;
                    shelf.expired += qty;
                }
            }
        }
    }

    pub(super) fn sku(&self, sku: &str) -> Option<Value> {
        let mut sum = Shelf::default();
        let mut available = 0;
        let mut locations = serde_json::Map::new();
        let shelves = self.shelves.range((sku.to_owned(), String::new())..);
        for ((_, location), shelf) in shelves.take_while(|((name, _), _)| name == sku) {
            let free = (shelf.on_hand - shelf.reserved).max(0);
            locations.insert(location.clone(), shelf.json(free));
            available += free;
            sum.received += shelf.received;
            sum.on_hand += shelf.on_hand;
            sum.reserved += shelf.reserved;
            sum.sold += shelf.sold;
            sum.released += shelf.released;
            sum.expired += shelf.expired;
        }
        if locations.is_empty() {
            return None;
        }
        let mut answer = sum.json(available);
        answer["sku"] = json!(sku);
        answer["locations"] = Value::Object(locations);
        Some(answer)
    }

    pub(super) fn reservation(&self, id: usize) -> Option<Value> {
        let hold = self.holds.get(id)?;
        let lines: Vec<Value> = hold
            .lines
            .iter()
            .map(|(sku, location, qty)| {
                let of = |status| if hold.status == status { *qty } else { 0 };
                json!({
                    "sku": sku, "location": location, "requested": qty, "qty": qty,
                    "open": of("open"), "confirmed": of("confirmed"),
                    "released": of("released"), "expired": of("expired"),
                })
            })
            .collect();
        let order_ref = &hold.order_ref;
        Some(json!({
            "id": id.to_string(), "status": hold.status, "order_ref": order_ref, "late": false,
            "created_at": "2026-01-01T00:00:00Z", "lines": lines,
        }))
    }
}

impl Shelf {
    pub(super) fn json(&self, available: i64) -> Value {
        json!({
            "received": self.received, "on_hand": self.on_hand, "reserved": self.reserved,
            "sold": self.sold, "released": self.released, "expired": self.expired,
            "available": available,
        })
    }
}

impl Store {
    pub(super) fn hold(
        &mut self,
        lines: Vec<(String, String, i64)>,
        order_ref: Value,
        ttl: Duration,
    ) -> usize {
        for (sku, location, qty) in &lines {
            let key = (sku.clone(), location.clone());
            self.shelves
                .get_mut(&key)
                .expect("it was looked at")
                .reserved += qty;
        }
        let lapses = Instant::now() + ttl;
        self.holds.push(Hold {
            status: "open",
            order_ref,
            lapses,
            lines,
        });
        self.holds.len() - 1
    }

    /// Books the end of a hold.
    pub(super) fn book(&mut self, lines: Vec<(String, String, i64)>, confirm: bool, lie: Lie) {
        for (sku, location, qty) in lines {
            let shelf = self
                .shelves
                .get_mut(&(sku, location))
                .expect("held units have a shelf");
            shelf.reserved -= qty;
            if !confirm {
                shelf.released += qty;
            } else if lie != Lie::LoseSales {
                shelf.on_hand -= qty;
                shelf.sold += qty;
                if lie == Lie::Vanish {
                    shelf.on_hand -= 1;
                }
            }
        }
    }

    /// Another client takes what is left of the first thing in hold `id`.
    pub(super) fn visit(&mut self, id: usize) {
        let (sku, location, _) = self.holds[id].lines[0].clone();
        let shelf = &self.shelves[&(sku.clone(), location.clone())];
        let free = shelf.on_hand - shelf.reserved;
        if free > 0 {
            let lines = vec![(sku, location, free)];
            self.hold(lines, json!("somebody-else"), Duration::from_mins(10));
        }
    }
}
