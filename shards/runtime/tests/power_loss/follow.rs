//! What may have become of a thing after it was shown: time goes one way.

use crate::state::Fault;
use holdfast_core::{Counter, ReservationView, SkuView};

/// Whether a reservation may have become `found` after it `was` shown.
pub(crate) fn follows(was: &ReservationView, found: &ReservationView) -> Result<(), Fault> {
    let bad = || Err(format!("{} was told as {was:?}, and now {found:?}", was.id));
    let is_same = was.order_ref == found.order_ref
        && was.customer == found.customer
        && was.created_at == found.created_at
        && was.replaces == found.replaces
        && was.lines.len() == found.lines.len();
    if !is_same || found.version < was.version {
        return bad();
    }
    for (was_line, line) in was.lines.iter().zip(&found.lines) {
        let is_same = was_line.sku == line.sku
            && was_line.location == line.location
            && was_line.requested == line.requested
            && was_line.units == line.units;
        let falls = line.confirmed < was_line.confirmed
            || line.released < was_line.released
            || line.cancelled < was_line.cancelled
            || line.shipped < was_line.shipped;
        let moved = line.confirmed != was_line.confirmed
            || line.released != was_line.released
            || line.cancelled != was_line.cancelled;
        if !is_same || falls || (moved && found.version == was.version) {
            return bad();
        }
    }
    let is_settled = found.version > was.version
        || (was.payment_ref == found.payment_ref
            && was.pinned_until == found.pinned_until
            && was.late == found.late
            && was.replaced_by == found.replaced_by
            && was.expires_at <= found.expires_at);
    if is_settled { Ok(()) } else { bad() }
}

/// Whether a SKU may have become `found` after it `was` shown.
pub(crate) fn sku_follows(was: &SkuView, found: &SkuView) -> Result<(), Fault> {
    let (before, now) = (was.versions, found.versions);
    let is_later =
        before.all <= now.all && before.stock <= now.stock && before.config <= now.config;
    let is_same = before.all < now.all || was.levels == found.levels;
    let is_config_same = before.config < now.config || was.config == found.config;
    // What was sold may be cancelled.
    let flows = [
        Counter::Received,
        Counter::Released,
        Counter::Shipped,
        Counter::ReturnsReceived,
        Counter::WrittenOff,
    ];
    let falls = flows
        .iter()
        .any(|flow| found.total(*flow) < was.total(*flow));
    if is_later && is_same && is_config_same && !falls {
        return Ok(());
    }
    Err(format!(
        "{} was told as {was:?}, and now {found:?}",
        was.sku
    ))
}
