//! The bodies of the reservation and availability calls, and how they become commands.

use holdfast_core::{
    Command, Confirm, Extend, Late, LineUnits, Millis, Mode, Pin, Release, Remainder,
    ReservationId, Reserve, ReserveLine,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::problem::Problem;
use super::object::Object;
use super::scalar::{FreeText, Id, LocationName, Qty, SkuName};

/// `POST /v1/reservations`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Reserve)]
pub(crate) struct ReserveBody {
    /// The order service's reference; need not be unique.
    pub(crate) order_ref: Option<FreeText>,
    /// The customer's pseudonym; needed where a SKU limits customers.
    pub(crate) customer: Option<FreeText>,
    /// How long to hold; the server's default if absent.
    pub(crate) ttl_ms: Option<u64>,
    /// What to do about lines that can't be covered whole; `all_or_nothing` if absent.
    pub(crate) mode: Option<ModeWord>,
    /// An open, unpinned reservation of the same customer and order whose place this one takes.
    pub(crate) replace: Option<Id>,
    /// What to hold. Lines of one SKU are summed before checking.
    #[schema(min_items = 1, value_type = Vec<LineBody>)]
    pub(crate) lines: Vec<Object<LineBody>>,
}

/// Units of one SKU.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LineRequest)]
pub(crate) struct LineBody {
    sku: SkuName,
    qty: Qty,
    /// Where; in a reserve the SKU's location order decides if absent, elsewhere the lines of the
    /// reservation are taken in their order.
    location: Option<LocationName>,
}

/// What a reserve does about lines it can't cover.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Mode)]
pub(crate) enum ModeWord {
    /// Every line whole, or a refusal.
    AllOrNothing,
    /// What is there; the shortages are listed.
    BestEffort,
}

/// `POST /v1/reservations/{id}/confirm`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Confirm)]
pub(crate) struct ConfirmBody {
    /// The units to sell; all open ones if absent, else all expired ones (late).
    #[schema(min_items = 1, value_type = Option<Vec<LineBody>>)]
    pub(crate) lines: Option<Vec<Object<LineBody>>>,
    /// What becomes of the units not named; required with `lines`.
    pub(crate) remainder: Option<RemainderWord>,
    /// What to do once the hold has expired; `reacquire` if absent.
    pub(crate) late: Option<LateWord>,
    /// The payment; another one for units sold already is refused, so that it can be refunded.
    pub(crate) payment_ref: Option<FreeText>,
}

/// What a partial confirm does with the units it leaves.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Remainder)]
pub(crate) enum RemainderWord {
    /// Give them back.
    Release,
    /// Keep them with their deadline.
    Keep,
}

/// What a confirm does once the hold has expired.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Late)]
pub(crate) enum LateWord {
    /// Take the units again if they are there.
    Reacquire,
    /// Refuse, finally.
    Refuse,
}

/// `POST /v1/reservations/{id}/release`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Release)]
pub(crate) struct ReleaseBody {
    /// The units to give back; all open ones if absent.
    #[schema(min_items = 1, value_type = Option<Vec<LineBody>>)]
    pub(crate) lines: Option<Vec<Object<LineBody>>>,
    /// Why, for the record.
    pub(crate) reason: Option<FreeText>,
}

/// `POST /v1/reservations/{id}/extend`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Extend)]
pub(crate) struct ExtendBody {
    /// The deadline becomes now and this, if that is later than it is.
    pub(crate) ttl_ms: u64,
}

/// `POST /v1/reservations/{id}/pin`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Pin)]
pub(crate) struct PinBody {
    /// How long the payment may take.
    pub(crate) for_ms: u64,
}

/// `POST /v1/availability`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AvailabilityRequest)]
pub(crate) struct AvailabilityBody {
    /// The SKUs of a page.
    pub(crate) skus: Vec<SkuName>,
}

fn text(value: Option<FreeText>) -> Option<holdfast_core::Text> {
    value.map(|text| text.0)
}

/// Whether there are as many lines as there may be.
fn check_lines(count: usize, lines_max: usize) -> Result<(), Problem> {
    if count == 0 {
        return Err(Problem::invalid("lines", "no lines; name at least one"));
    }
    if count > lines_max {
        let detail = format!("{count} lines, and at most {lines_max} are allowed; split the cart");
        return Err(Problem::invalid("lines", detail));
    }
    Ok(())
}

pub(super) fn line_units(
    lines: Vec<Object<LineBody>>,
    lines_max: usize,
) -> Result<Vec<LineUnits>, Problem> {
    check_lines(lines.len(), lines_max)?;
    let lines = lines.into_iter().map(|Object(line)| LineUnits {
        sku: line.sku.0,
        location: line.location.map(|location| location.0),
        units: line.qty.0,
    });
    Ok(lines.collect())
}

impl ReserveBody {
    /// The command it asks for.
    pub(crate) fn command(self, lines_max: usize) -> Result<Command, Problem> {
        check_lines(self.lines.len(), lines_max)?;
        let mode = match self.mode {
            None | Some(ModeWord::AllOrNothing) => Mode::AllOrNothing,
            Some(ModeWord::BestEffort) => Mode::BestEffort,
        };
        let lines = self.lines.into_iter().map(|Object(line)| ReserveLine {
            sku: line.sku.0,
            units: line.qty.0,
            location: line.location.map(|location| location.0),
        });
        Ok(Command::Reserve(Box::new(Reserve {
            id: ReservationId::UNMINTED,
            order_ref: text(self.order_ref),
            customer: text(self.customer),
            ttl: self.ttl_ms.map(Millis::new),
            mode,
            replace: self.replace.map(|id| id.0),
            lines: lines.collect(),
        })))
    }
}

impl ConfirmBody {
    /// The command it asks for.
    pub(crate) fn command(self, id: ReservationId, lines_max: usize) -> Result<Command, Problem> {
        let lines = match (self.lines, self.remainder) {
            (None, None) => None,
            (Some(lines), Some(remainder)) => {
                let remainder = match remainder {
                    RemainderWord::Release => Remainder::Release,
                    RemainderWord::Keep => Remainder::Keep,
                };
                Some((line_units(lines, lines_max)?, remainder))
            }
            (Some(_), None) => {
                let detail =
                    "missing; with lines, say whether the rest is to \"release\" or \"keep\"";
                return Err(Problem::invalid("remainder", detail));
            }
            (None, Some(_)) => {
                let detail =
                    "without lines everything is confirmed and nothing remains; leave it out";
                return Err(Problem::invalid("remainder", detail));
            }
        };
        let late = match self.late {
            None | Some(LateWord::Reacquire) => Late::Reacquire,
            Some(LateWord::Refuse) => Late::Refuse,
        };
        let payment_ref = text(self.payment_ref);
        Ok(Command::Confirm(Box::new(Confirm {
            id,
            lines,
            late,
            payment_ref,
        })))
    }
}

impl ReleaseBody {
    /// The command it asks for.
    pub(crate) fn command(self, id: ReservationId, lines_max: usize) -> Result<Command, Problem> {
        let lines = self
            .lines
            .map(|lines| line_units(lines, lines_max))
            .transpose()?;
        Ok(Command::Release(Box::new(Release {
            id,
            lines,
            reason: text(self.reason),
        })))
    }
}

impl ExtendBody {
    /// The command it asks for.
    pub(crate) fn command(&self, id: ReservationId) -> Command {
        Command::Extend(Extend {
            id,
            ttl: Millis::new(self.ttl_ms),
        })
    }
}

impl PinBody {
    /// The command it asks for.
    pub(crate) fn command(&self, id: ReservationId) -> Command {
        Command::Pin(Pin {
            id,
            duration: Millis::new(self.for_ms),
        })
    }
}
