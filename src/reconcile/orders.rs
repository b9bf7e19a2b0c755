//! Orders as the order service knows them, gathered from their rows.
//!
//! Deliberately absent: what the ledger says of them (`judge`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use holdfast_core::{Location, ReservationId, Sku, Text};

use super::reader::Fault;
use super::row::{OrderRow, OrderState};

/// An order, all its lines together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// What the order service calls it.
    pub(super) name: Text,
    /// The reservation it was made of.
    pub(super) reservation: Option<ReservationId>,
    /// How it stands.
    pub(super) state: OrderState,
    /// What was ordered.
    pub(super) lines: Vec<OrderLine>,
    /// Whether its rows contradict each other, so that it is not compared.
    pub(super) is_contradicted: bool,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrderLine {
    /// The line of the file.
    pub(super) line: u64,
    /// Of what.
    pub(super) sku: Sku,
    /// Where, if the order service knows.
    pub(super) location: Option<Location>,
    /// How many.
    pub(super) units: u32,
}

/// All orders of a file.
#[derive(Debug, Default)]
pub(super) struct Orders {
    all: Vec<Order>,
    by_order: HashMap<Text, u32>,
    by_reservation: HashMap<ReservationId, u32>,
}

impl Orders {
    /// Takes a row; a fault if it contradicts one before it.
    pub(super) fn take(&mut self, row: OrderRow) -> Result<(), Fault> {
        let next = self.all.len() as u32;
        let at = match self.by_order.entry(row.order.clone()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                self.all.push(Order {
                    name: row.order.clone(),
                    reservation: None,
                    state: row.state,
                    lines: Vec::new(),
                    is_contradicted: false,
                });
                *free.insert(next)
            }
        };
        let order = &mut self.all[at as usize];
        let fault = |reason: &str| Fault {
            line: row.line,
            reason: reason.to_owned(),
        };
        if order.state != row.state {
            order.is_contradicted = true;
            return Err(fault("the order has another state in a row before"));
        }
        let is_same = |line: &&OrderLine| line.sku == row.sku && line.location == row.location;
        if order.lines.iter().any(|line| is_same(&line)) {
            // An export that tells a line twice can't mean twice the units.
            let first = order.lines.iter().find(is_same).expect("just found");
            let is_repeat = first.units == row.units;
            order.is_contradicted |= !is_repeat;
            return Err(fault("the order has this line already"));
        }
        if let Some(id) = row.reservation {
            let is_other = order.reservation.is_some_and(|known| known != id);
            let owner = *self.by_reservation.entry(id).or_insert(at);
            if is_other || owner != at {
                order.is_contradicted = true;
                return Err(fault(
                    "the order or the reservation is named with another one before",
                ));
            }
            order.reservation = Some(id);
        }
        order.lines.push(OrderLine {
            line: row.line,
            sku: row.sku,
            location: row.location,
            units: row.units,
        });
        Ok(())
    }

    /// The order of a reservation: by its id, else by the order it names.
    pub(super) fn of(&self, id: ReservationId, order: Option<&Text>) -> Option<usize> {
        let by_id = self.by_reservation.get(&id);
        let at = by_id.or_else(|| self.by_order.get(order?))?;
        Some(*at as usize)
    }

    /// All of them, in the order of the file.
    pub(super) fn all(&self) -> &[Order] {
        &self.all
    }
}
