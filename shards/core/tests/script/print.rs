//! Lines as they stand in a story file.

use super::{Basket, Line, Setting, Verb, Want};
use holdfast_core::{Mode, Patch, Remainder, Verdict};
use std::fmt::{self, Display, Formatter};

/// A duration in the largest unit that divides it.
pub(crate) fn duration(ms: u64) -> String {
    for (unit, size) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ] {
        if ms >= size && ms.is_multiple_of(size) {
            return format!("{}{unit}", ms / size);
        }
    }
    format!("{ms}ms")
}

fn wants(lines: &[Want]) -> String {
    let words: Vec<String> = lines.iter().map(ToString::to_string).collect();
    words.join(" + ")
}

pub(super) fn option(
    f: &mut Formatter<'_>,
    name: &str,
    value: Option<impl Display>,
) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name}={value}"))
}

fn patch<T>(
    f: &mut Formatter<'_>,
    name: &str,
    patch: &Patch<T>,
    show: impl Fn(&T) -> String,
) -> fmt::Result {
    match patch {
        Patch::Keep => Ok(()),
        Patch::Clear => write!(f, " {name}=none"),
        Patch::Set(value) => write!(f, " {name}={}", show(value)),
    }
}

impl Display for Want {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{}@{location} {}", self.sku, self.units),
            None => write!(f, "{} {}", self.sku, self.units),
        }
    }
}

impl Display for Setting {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "configure {}", self.sku)?;
        for (location, units) in &self.safety {
            patch(f, &format!("safety@{location}"), units, ToString::to_string)?;
        }
        patch(f, "limit", &self.limit, |(units, ms)| {
            format!("{units}/{}", duration(*ms))
        })?;
        patch(f, "opens", &self.opens, |ms| format!("+{}", duration(*ms)))?;
        patch(f, "closes", &self.closes, |ms| {
            format!("+{}", duration(*ms))
        })?;
        patch(f, "paused", &self.paused, ToString::to_string)?;
        patch(f, "low", &self.low, ToString::to_string)?;
        patch(f, "enough", &self.enough, ToString::to_string)?;
        patch(f, "order", &self.order, |order| order.join(","))?;
        patch(f, "sourcing", &self.sourcing, |way| way.as_str().to_owned())?;
        patch(f, "shortfall", &self.shortfall, |way| {
            way.as_str().to_owned()
        })?;
        option(f, "if", self.version)
    }
}

impl Display for Basket {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "reserve {} {}", self.name, wants(&self.lines))?;
        option(f, "ttl", self.ttl.map(duration))?;
        option(f, "customer", self.customer.as_ref())?;
        option(f, "order", self.order_ref.as_ref())?;
        if self.mode == Mode::BestEffort {
            f.write_str(" best_effort")?;
        }
        option(f, "replace", self.replace.as_ref())
    }
}

impl Display for Verb {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configure(setting) => setting.fmt(f),
            Self::Move(movement) => movement.fmt(f),
            Self::Lift(sku, location, source) => {
                write!(f, "lift {sku} source={source}")?;
                option(f, "at", location.as_ref())
            }
            Self::Drift(difference) => difference.fmt(f),
            Self::Decide {
                name,
                verdict,
                reason,
            } => {
                f.write_str(match verdict {
                    Verdict::Approve => "approve",
                    Verdict::Dismiss => "dismiss",
                })?;
                write!(f, " {name}")?;
                option(f, "reason", reason.as_ref())
            }
            Self::Location { name, selling } => {
                write!(f, "location {name}")?;
                patch(f, "selling", selling, ToString::to_string)
            }
            Self::Reserve(basket) => basket.fmt(f),
            Self::Confirm {
                name,
                lines,
                refuse_late,
                payment,
            } => {
                write!(f, "confirm {name}")?;
                if let Some((lines, remainder)) = lines {
                    write!(f, " {}", wants(lines))?;
                    f.write_str(match remainder {
                        Remainder::Release => " rest=release",
                        Remainder::Keep => " rest=keep",
                    })?;
                }
                if *refuse_late {
                    f.write_str(" late=refuse")?;
                }
                option(f, "payment", payment.as_ref())
            }
            Self::Release {
                name,
                lines,
                reason,
            } => {
                write!(f, "release {name}")?;
                if let Some(lines) = lines {
                    write!(f, " {}", wants(lines))?;
                }
                option(f, "reason", reason.as_ref())
            }
            Self::Cancel {
                name,
                lines,
                reason,
            } => {
                write!(f, "cancel {name}")?;
                if let Some(lines) = lines {
                    write!(f, " {}", wants(lines))?;
                }
                option(f, "reason", reason.as_ref())
            }
            Self::MoveHold {
                name,
                sku,
                from,
                to,
                units,
            } => {
                write!(f, "move {name} {sku} {from} {to}")?;
                option(f, "units", *units)
            }
            Self::ShipFor {
                name,
                sku,
                units,
                location,
            } => {
                write!(f, "ship_for {name} {sku} {units}")?;
                option(f, "at", location.as_ref())
            }
            Self::Extend(name, ms) => write!(f, "extend {name} ttl={}", duration(*ms)),
            Self::Pin(name, ms) => write!(f, "pin {name} for={}", duration(*ms)),
        }
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(bounds) => {
                f.write_str("policy")?;
                for (name, value) in bounds {
                    if super::parse::is_count(name) {
                        write!(f, " {name}={value}")?;
                    } else {
                        write!(f, " {name}={}", duration(*value))?;
                    }
                }
                Ok(())
            }
            Self::Ask(key, verb) => {
                verb.fmt(f)?;
                option(f, "key", key.as_ref())
            }
            Self::Advance(ms) => write!(f, "advance {}", duration(*ms)),
            Self::Wait(ms) => write!(f, "wait {}", duration(*ms)),
            Self::Back(ms) => write!(f, "back {}", duration(*ms)),
            Self::Sweep => f.write_str("sweep"),
            Self::Down(ms) => write!(f, "down {}", duration(*ms)),
            Self::Chunks(count) => write!(f, "chunks {count}"),
            Self::Show(name) => write!(f, "show {name}"),
            Self::Supply(sku) => write!(f, "supply {sku}"),
        }
    }
}
