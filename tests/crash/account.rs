//! What the buyers were told.

use serde_json::Value;
use std::collections::BTreeMap;

/// Every acknowledged reservation.
#[derive(Debug, Default)]
pub(crate) struct Account {
    by_id: BTreeMap<String, Entry>,
    by_key: BTreeMap<String, String>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) lines: Value,
    state: State,
}

/// How far it was acknowledged to have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Confirmed,
    Released,
}

/// What a later look found.
pub(crate) enum Seen {
    Answer(u16, Value),
}

/// Units of a SKU, by what became of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Units {
    pub(crate) reserved: u64,
    pub(crate) sold: u64,
}

impl Account {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.by_id.values()
    }

    pub(crate) fn created(&mut self, key: &str, lines: &Value, body: &Value) {
        let id = body["id"]
            .as_str()
            .expect("a reservation has an id")
            .to_owned();
        let earlier = self.by_key.insert(key.to_owned(), id.clone());
        assert!(
            earlier.is_none_or(|earlier| earlier == id),
            "one key made two reservations"
        );
        let (key, lines) = (key.to_owned(), lines.clone());
        self.by_id.insert(
            id.clone(),
            Entry {
                id,
                key,
                lines,
                state: State::Open,
            },
        );
    }

    pub(crate) fn reached(&mut self, id: &str, state: State) {
        self.by_id.get_mut(id).expect("it was created").state = state;
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.by_id.extend(other.by_id);
        self.by_key.extend(other.by_key);
    }

    /// Where a later look contradicts what was acknowledged.
    pub(crate) fn lies(&self, id: &str, seen: &Seen) -> Vec<String> {
        let Seen::Answer(status, body) = seen;
        let entry = &self.by_id[id];
        if *status != 200 {
            return vec![format!(
                "{id} was acknowledged and answers {status}: {body}"
            )];
        }
        let wanted = match entry.state {
            State::Open => "open",
            State::Confirmed => "confirmed",
            State::Released => "released",
        };
        let mut lies = Vec::new();
        if body["status"] != wanted {
            lies.push(format!("{id} was left {wanted} and is {}", body["status"]));
        }
        let sum = |lines: &Value, of: &dyn Fn(&Value) -> u64| -> u64 {
            lines.as_array().into_iter().flatten().map(of).sum()
        };
        let asked = sum(&entry.lines, &|line| line["qty"].as_u64().unwrap_or(0));
        let names = ["open", "confirmed", "released", "expired"];
        let there = sum(&body["lines"], &|line| {
            names
                .iter()
                .map(|name| line[*name].as_u64().unwrap_or(0))
                .sum()
        });
        if asked != there {
            lies.push(format!(
                "{id} was acknowledged with {asked} units and has {there}"
            ));
        }
        lies
    }

    /// Where a repeat of a reserve made something else.
    pub(crate) fn replay_lie(&self, key: &str, id: &str) -> Option<String> {
        let first = &self.by_key[key];
        (first != id).then(|| format!("{key} made {first}, and {id} when repeated"))
    }

    pub(crate) fn units(&self, sku: &str) -> Units {
        let mut units = Units::default();
        for entry in self.by_id.values() {
            let lines = entry.lines.as_array().into_iter().flatten();
            let asked: u64 = lines
                .filter(|line| line["sku"] == sku)
                .map(|line| line["qty"].as_u64().unwrap_or(0))
                .sum();
            match entry.state {
                State::Open => units.reserved += asked,
                State::Confirmed => units.sold += asked,
                State::Released => {}
            }
        }
        units
    }
}
