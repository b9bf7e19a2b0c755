//! Shipments that name the sale they belong to.

use super::movement::Asked;
use super::{Decision, Engine};
use crate::command::Sale;
use crate::units::Units;

impl Engine {
    /// Units left for a reservation.
    pub(super) fn decide_ship_sale(
        &self,
        asked: &Asked<'_>,
        units: Units,
        _sale: &Sale,
    ) -> Decision {
        self.decide_ship(asked, units)
    }
}
