//! Comparing an order with its reservations, and nothing else.
//!
//! An order has one reservation that counts: the one that sold something, the one it names before
//! others. Open holds of cancelled and of unpaid orders are no difference: they end by themselves.

use holdfast_core::{DriftKind, LineView, Location, Proposal, ReservationView, Sku, Status};

use super::finding::Finding;
use super::orders::Order;
use super::row::OrderState;

/// What an order and its reservations disagree on.
pub(super) fn order(order: &Order, views: &[ReservationView]) -> Vec<Finding> {
    let is_named = |view: &&ReservationView| order.reservation == Some(view.id);
    let mut sold: Vec<&ReservationView> = views.iter().filter(|view| has_sold(view)).collect();
    sold.sort_by_key(|view| (!is_named(view), view.id));
    if order.state == OrderState::Cancelled {
        let lines = sold.into_iter().flat_map(|view| taken_back(view, order));
        return lines.collect();
    }
    let mut findings: Vec<Finding> = sold
        .iter()
        .skip(1)
        .flat_map(|view| sold_lines(view, DriftKind::ConfirmedTwice))
        .collect();
    if order.state == OrderState::Pending {
        return findings;
    }
    let open = || views.iter().find(|view| view.status == Status::Open);
    let named = || views.iter().find(is_named);
    match sold.first().copied() {
        Some(view) => findings.extend(quantities(order, view)),
        None => match open().or_else(named).or_else(|| views.first()) {
            Some(view) => findings.extend(unsold(order, view)),
            None => findings.extend(unknown(order)),
        },
    }
    findings
}

/// What is held or sold under a reservation of which no order tells.
pub(super) fn stranger(view: &ReservationView) -> Vec<Finding> {
    if has_sold(view) {
        return sold_lines(view, DriftKind::NoOrder);
    }
    // A cart that names no order is none yet.
    let is_held = view.status == Status::Open && view.order_ref.is_some();
    let Some(line) = view.lines.first().filter(|_| is_held) else {
        return Vec::new();
    };
    let held: i64 = view.lines.iter().map(|line| i64::from(line.open)).sum();
    let place = (line.sku.clone(), line.location.clone());
    vec![finding(DriftKind::NoOrder, place, (held, 0), Proposal::Release).of(view)]
}

fn has_sold(view: &ReservationView) -> bool {
    view.lines.iter().any(|line| units_sold(line) > 0)
}

fn units_sold(line: &LineView) -> u32 {
    line.confirmed - line.cancelled
}

/// Taking back units of a line, as far as they are still here.
fn taking_back(line: &LineView, units: u32) -> Proposal {
    match units.min(units_sold(line) - line.shipped.min(units_sold(line))) {
        0 => Proposal::Look,
        units => Proposal::Cancel(units),
    }
}

fn sold_lines(view: &ReservationView, kind: DriftKind) -> Vec<Finding> {
    let sold = view.lines.iter().filter(|line| units_sold(line) > 0);
    let as_finding = |line: &LineView| {
        let units = units_sold(line);
        let place = (line.sku.clone(), line.location.clone());
        finding(kind, place, (i64::from(units), 0), taking_back(line, units)).of(view)
    };
    sold.map(as_finding).collect()
}

fn taken_back(view: &ReservationView, order: &Order) -> Vec<Finding> {
    let mut findings = sold_lines(view, DriftKind::CancelledConfirmed);
    for finding in &mut findings {
        finding.line = order.lines.first().map_or(0, |line| line.line);
    }
    findings
}

/// A paid order of which nothing was sold here.
fn unsold(order: &Order, view: &ReservationView) -> Option<Finding> {
    let line = view.lines.first()?;
    let (kind, proposal) = match view.status {
        Status::Expired => (DriftKind::PaidExpired, Proposal::Confirm),
        Status::Open => (DriftKind::PaidUnconfirmed, Proposal::Confirm),
        Status::Released | Status::Confirmed => (DriftKind::PaidUnconfirmed, Proposal::Look),
    };
    let place = (line.sku.clone(), line.location.clone());
    let mut finding = finding(kind, place, (0, ordered(order)), proposal).of(view);
    finding.line = order.lines.first().map_or(0, |line| line.line);
    Some(finding)
}

fn unknown(order: &Order) -> Option<Finding> {
    let line = order.lines.first()?;
    let place = (line.sku.clone(), line.location.clone());
    let place = (place.0, place.1.unwrap_or_else(Location::main));
    let kind = DriftKind::UnknownReservation;
    let mut finding = finding(kind, place, (0, ordered(order)), Proposal::Look);
    (finding.reservation, finding.line) = (order.reservation, line.line);
    Some(finding)
}

fn ordered(order: &Order) -> i64 {
    order.lines.iter().map(|line| i64::from(line.units)).sum()
}

/// A paid order against what was sold, and against what left where its goods have left.
fn quantities(order: &Order, view: &ReservationView) -> Vec<Finding> {
    let mut skus: Vec<&Sku> = order.lines.iter().map(|line| &line.sku).collect();
    skus.extend(view.lines.iter().map(|line| &line.sku));
    skus.sort_unstable();
    skus.dedup();
    let of = |sku| quantity(order, view, sku);
    skus.into_iter().flat_map(of).collect()
}

fn quantity(order: &Order, view: &ReservationView, sku: &Sku) -> Vec<Finding> {
    let asked: Vec<_> = order.lines.iter().filter(|line| line.sku == *sku).collect();
    let here: Vec<_> = view.lines.iter().filter(|line| line.sku == *sku).collect();
    let ordered: i64 = asked.iter().map(|line| i64::from(line.units)).sum();
    let sold: i64 = here.iter().map(|line| i64::from(units_sold(line))).sum();
    let mut findings = Vec::new();
    let mut find = |location: &Location, numbers, proposal| {
        let place = (sku.clone(), location.clone());
        let mut finding = finding(DriftKind::OrderQuantity, place, numbers, proposal).of(view);
        finding.line = asked.first().map_or(0, |line| line.line);
        findings.push(finding);
    };
    if ordered < sold {
        // The last place was the last resort: it gives back first.
        let mut over = sold - ordered;
        for line in here.iter().rev().filter(|line| units_sold(line) > 0) {
            let units = i64::from(units_sold(line)).min(over);
            let numbers = (
                i64::from(units_sold(line)),
                i64::from(units_sold(line)) - units,
            );
            if units > 0 {
                find(&line.location, numbers, taking_back(line, units as u32));
            }
            over -= units;
        }
    } else if sold < ordered {
        let asked = asked.first().and_then(|line| line.location.as_ref());
        let location = here.first().map(|line| &line.location).or(asked);
        let location = location.cloned().unwrap_or_else(Location::main);
        find(&location, (sold, ordered), Proposal::Look);
    } else if order.state == OrderState::Shipped {
        for line in here.iter().filter(|line| line.shipped < units_sold(line)) {
            let numbers = (i64::from(line.shipped), i64::from(units_sold(line)));
            let left = Proposal::Ship(units_sold(line) - line.shipped);
            find(&line.location, numbers, left);
        }
    }
    findings
}

fn finding(
    kind: DriftKind,
    (sku, location): (Sku, Location),
    (expected, found): (i64, i64),
    proposal: Proposal,
) -> Finding {
    Finding {
        kind,
        sku,
        location,
        expected,
        found,
        proposal,
        evidence: (0, 0),
        adjusted: 0,
        reservation: None,
        made: None,
        line: 0,
    }
}

impl Finding {
    fn of(mut self, view: &ReservationView) -> Self {
        (self.reservation, self.made) = (Some(view.id), Some(view.created_at));
        self
    }
}
