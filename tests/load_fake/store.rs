//! The stand-in's stock.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Lie, Said};

pub(super) struct Store {
    lie: Lie,
    shelves: BTreeMap<String, Shelf>,
    holds: Vec<Hold>,
    keys: HashMap<String, usize>,
    confirms: HashSet<String>,
    /// Units of a SKU that a customer has.
    had: HashMap<(String, String), u64>,
    turn: u64,
}

#[derive(Default)]
struct Shelf {
    received: u64,
    reserved: u64,
    sold: u64,
    vanished: u64,
    limit: Option<u64>,
}

struct Hold {
    lines: Vec<(String, u64)>,
    customer: String,
    status: &'static str,
    ends: Instant,
    late: bool,
    is_final: bool,
}

fn problem(status: u16, code: &str) -> Said {
    (status, json!({ "status": status, "code": code }), false)
}

fn id_of(place: usize) -> String {
    format!("00000000-0000-8000-8000-{:012x}", place + 1)
}

fn place_of(id: &str) -> usize {
    usize::from_str_radix(&id[24..], 16).expect("an id of ours") - 1
}

impl Store {
    pub(super) fn new(lie: Lie) -> Self {
        Self {
            lie,
            shelves: BTreeMap::new(),
            holds: Vec::new(),
            keys: HashMap::new(),
            confirms: HashSet::new(),
            had: HashMap::new(),
            turn: 0,
        }
    }

    /// Whether this is the 10th of something, where lies are `lie`.
    fn lies(&mut self, lie: Lie) -> bool {
        if self.lie == lie {
            self.turn += 1;
        }
        self.lie == lie && self.turn.is_multiple_of(10)
    }

    pub(super) fn make(&mut self, sku: &str, limit: Option<u64>) {
        self.shelves.entry(sku.to_owned()).or_default().limit = limit;
    }

    pub(super) fn receive(&mut self, sku: &str, qty: u64) {
        let times = if self.lie == Lie::ReceiveTwice { 2 } else { 1 };
        self.shelves.get_mut(sku).expect("it was made").received += times * qty;
    }

    pub(super) fn skus(&self, prefix: &str) -> Vec<Value> {
        let of = |(sku, shelf): (&String, &Shelf)| {
            let on_hand = shelf.on_hand();
            json!({
                "sku": sku, "on_hand": on_hand, "reserved": shelf.reserved, "sold": shelf.sold,
                "received": shelf.received,
                "available": on_hand.saturating_sub(shelf.reserved),
            })
        };
        let meant = self
            .shelves
            .iter()
            .filter(|(sku, _)| sku.starts_with(prefix));
        meant.map(of).collect()
    }

    /// Ends what is over.
    pub(super) fn lapse(&mut self) {
        let now = Instant::now();
        for hold in &mut self.holds {
            if hold.status == "open" && hold.ends <= now {
                hold.status = "expired";
                for (sku, qty) in &hold.lines {
                    self.shelves.get_mut(sku).expect("it was made").reserved -= qty;
                    let had = self.had.entry((hold.customer.clone(), sku.clone()));
                    *had.or_default() -= qty;
                }
            }
        }
    }

    pub(super) fn reserve(&mut self, key: &str, body: &Value) -> Said {
        if let Some(&place) = self.keys.get(key)
            && self.lie != Lie::RepeatAnew
        {
            let marked = self.lie != Lie::Unmarked;
            return (201, self.show(place), marked);
        }
        if self.lies(Lie::Strange) {
            return problem(422, "ttl-limit");
        }
        let customer = body["customer"].as_str().expect("a customer").to_owned();
        let lines = body["lines"].as_array().expect("lines").iter().map(|line| {
            let sku = line["sku"].as_str().expect("a SKU").to_owned();
            (sku, line["qty"].as_u64().expect("units"))
        });
        let mut lines: Vec<(String, u64)> = lines.collect();
        let denied = self.lies(Lie::Deny);
        let mut short = Vec::new();
        for (sku, qty) in &lines {
            let shelf = &self.shelves[sku];
            let available = shelf.on_hand().saturating_sub(shelf.reserved);
            let had = self.had.get(&(customer.clone(), sku.clone()));
            let limit = shelf.limit.filter(|_| self.lie != Lie::NoLimit);
            if limit.is_some_and(|limit| had.copied().unwrap_or(0) + qty > limit) {
                return problem(409, "customer-limit");
            }
            if (*qty > available && self.lie != Lie::Oversell) || (denied && *qty <= available) {
                short.push(json!({ "sku": sku, "requested": qty, "available": available }));
            }
        }
        if !short.is_empty() {
            let body = json!({ "code": "insufficient-stock", "lines": short });
            return (409, body, false);
        }
        if self.lie == Lie::Stingy {
            lines[0].1 -= 1;
        }
        for (sku, qty) in &lines {
            self.shelves.get_mut(sku).expect("it was made").reserved += qty;
            *self.had.entry((customer.clone(), sku.clone())).or_default() += qty;
        }
        let ttl = Duration::from_millis(body["ttl_ms"].as_u64().expect("a TTL"));
        self.holds.push(Hold {
            lines,
            customer,
            status: "open",
            ends: Instant::now() + ttl,
            late: false,
            is_final: false,
        });
        let place = self.holds.len() - 1;
        self.keys.insert(key.to_owned(), place);
        (201, self.show(place), false)
    }

    pub(super) fn read(&mut self, id: &str) -> Said {
        let place = place_of(id);
        if self.lie == Lie::Forget && place.is_multiple_of(10) {
            return problem(404, "unknown-reservation");
        }
        let mut shown = self.show(place);
        if self.lie == Lie::TwoEnds && shown["status"] == "confirmed" {
            shown["status"] = json!("released");
            for line in shown["lines"].as_array_mut().expect("lines") {
                line["released"] = line["confirmed"].take();
                line["confirmed"] = json!(0);
            }
        }
        (200, shown, false)
    }

    pub(super) fn confirm(&mut self, id: &str, key: &str) -> Said {
        let place = place_of(id);
        let is_repeat = !self.confirms.insert(key.to_owned());
        let hold = &self.holds[place];
        if hold.status == "confirmed" {
            return (200, self.show(place), is_repeat);
        }
        if hold.status == "released" {
            return problem(409, "reservation-released");
        }
        if hold.status == "expired" {
            let there = hold.lines.iter().all(|(sku, qty)| {
                let shelf = &self.shelves[sku];
                let had = self.had.get(&(hold.customer.clone(), sku.clone()));
                let after = had.copied().unwrap_or(0) + qty;
                shelf.on_hand() >= shelf.reserved + qty
                    && shelf.limit.is_none_or(|limit| after <= limit)
            });
            let may = hold.is_final && self.lie == Lie::AfterFinal || there && !hold.is_final;
            if !may {
                self.holds[place].is_final = true;
                return problem(410, "reservation-expired");
            }
            let hold = &mut self.holds[place];
            hold.late = true;
            for (sku, qty) in &hold.lines {
                let had = (hold.customer.clone(), sku.clone());
                *self.had.entry(had).or_default() += qty;
            }
        }
        let (vanishes, is_lost) = (self.lies(Lie::Vanish), self.lies(Lie::LoseSales));
        let hold = &mut self.holds[place];
        let was_open = hold.status == "open";
        hold.status = "confirmed";
        for (sku, qty) in &hold.lines {
            let shelf = self.shelves.get_mut(sku).expect("it was made");
            if was_open {
                shelf.reserved -= qty;
            }
            if !is_lost {
                shelf.sold += qty;
            }
            if vanishes {
                shelf.vanished += qty;
            }
        }
        (200, self.show(place), false)
    }

    pub(super) fn release(&mut self, id: &str) -> Said {
        let place = place_of(id);
        let hold = &mut self.holds[place];
        if hold.status == "open" {
            hold.status = "released";
            for (sku, qty) in &hold.lines {
                self.shelves.get_mut(sku).expect("it was made").reserved -= qty;
                *self
                    .had
                    .entry((hold.customer.clone(), sku.clone()))
                    .or_default() -= qty;
            }
        }
        (200, self.show(place), false)
    }

    fn show(&self, place: usize) -> Value {
        let hold = &self.holds[place];
        let status = hold.status;
        let lines: Vec<Value> = hold
            .lines
            .iter()
            .map(|(sku, qty)| {
                let mut line = json!({
                    "sku": sku, "location": "main", "requested": qty, "qty": qty,
                    "open": 0, "confirmed": 0, "released": 0, "expired": 0,
                });
                line[status] = json!(qty);
                line
            })
            .collect();
        json!({ "id": id_of(place), "status": status, "late": hold.late, "lines": lines })
    }
}

impl Shelf {
    const fn on_hand(&self) -> u64 {
        (self.received).saturating_sub(self.sold + self.vanished)
    }
}
