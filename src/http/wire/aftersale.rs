//! The bodies of the calls about what was sold or moved: cancel, and a hold's move.

use holdfast_core::{Cancel, Command, MoveHold, ReservationId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::problem::Problem;
use super::body::{LineBody, line_units};
use super::object::Object;
use super::scalar::{FreeText, LocationName, Qty, SkuName};

/// `POST /v1/reservations/{id}/cancel`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Cancel)]
pub(crate) struct CancelBody {
    /// The units to take back; all that are confirmed and not shipped if absent.
    #[schema(min_items = 1, value_type = Option<Vec<LineBody>>)]
    pub(crate) lines: Option<Vec<Object<LineBody>>>,
    /// Why, for the record.
    pub(crate) reason: Option<FreeText>,
}

/// `POST /v1/reservations/{id}/move`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MoveHold)]
pub(crate) struct MoveBody {
    sku: SkuName,
    /// Where its units are held.
    from: LocationName,
    /// Where they are to be held.
    to: LocationName,
    /// How many; all open ones there if absent.
    qty: Option<Qty>,
}

impl CancelBody {
    /// The command it asks for.
    pub(crate) fn command(self, id: ReservationId, lines_max: usize) -> Result<Command, Problem> {
        let lines = self
            .lines
            .map(|lines| line_units(lines, lines_max))
            .transpose()?;
        let reason = self.reason.map(|text| text.0);
        Ok(Command::Cancel(Box::new(Cancel { id, lines, reason })))
    }
}

impl MoveBody {
    /// The command it asks for.
    pub(crate) fn command(self, id: ReservationId) -> Result<Command, Problem> {
        let (from, to) = (self.from.0, self.to.0);
        if from == to {
            return Err(Problem::invalid("to", "where the units are held already"));
        }
        Ok(Command::MoveHold(Box::new(MoveHold {
            id,
            sku: self.sku.0,
            from,
            to,
            units: self.qty.map(|qty| qty.0),
        })))
    }
}
