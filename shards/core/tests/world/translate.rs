//! Lines of a story to requests.

use super::{START, Subject, World, opening};
use crate::script::{Basket, Setting, Verb, Want};
use holdfast_core::{
    Cancel, Command, Configure, ConfigureLocation, Confirm, CustomerLimit, Extend, KeyTag, Late,
    LineUnits, Location, Millis, MoveHold, Movement, MovementKind, Opening, Patch, Pin, Release,
    Request, ReservationId, Reserve, ReserveLine, Sale, SaleLines, Sku, Text, Timestamp, Units,
};
use std::hash::{DefaultHasher, Hash, Hasher};

impl<S: Subject> World<S> {
    /// The request that a line makes; candidate ids are minted as a shard would.
    pub(crate) fn request(&mut self, key: Option<&str>, verb: &Verb) -> Request {
        let key = key.map(|key| KeyTag {
            hash: [hash(key), !hash(key)],
            content: content(verb),
        });
        Request::keyed(key, self.command(verb))
    }

    fn command(&mut self, verb: &Verb) -> Command {
        match verb {
            Verb::Configure(setting) => Command::Configure(Box::new(configure(setting))),
            Verb::Move(movement) => Command::Movement(Box::new(self.movement(movement))),
            Verb::Lift(sku, location, source) => {
                let lift = super::moves::lift(sku, location.as_ref(), source);
                Command::LiftStream(Box::new(lift))
            }
            Verb::Drift(difference) => Command::OpenDrift(Box::new(self.open_drift(difference))),
            Verb::Decide {
                name,
                verdict,
                reason,
            } => {
                let decision = self.decide_on(name, *verdict, reason.as_ref());
                Command::DecideDrift(Box::new(decision))
            }
            Verb::Location { name, selling } => Command::Location(Box::new(ConfigureLocation {
                location: location_of(name),
                selling: selling.clone(),
                version: None,
                reason: None,
            })),
            Verb::Reserve(basket) => Command::Reserve(Box::new(self.reserve(basket))),
            Verb::Confirm {
                name,
                lines,
                refuse_late,
                payment,
            } => {
                let lines = lines
                    .as_ref()
                    .map(|(lines, rest)| (line_units(lines), *rest));
                let late = if *refuse_late {
                    Late::Refuse
                } else {
                    Late::Reacquire
                };
                let (id, payment_ref) = (self.id_or_none_such(name), text_of(payment.as_ref()));
                Command::Confirm(Box::new(Confirm {
                    id,
                    lines,
                    late,
                    payment_ref,
                }))
            }
            Verb::Release {
                name,
                lines,
                reason,
            } => Command::Release(Box::new(Release {
                id: self.id_or_none_such(name),
                lines: lines.as_deref().map(line_units),
                reason: text_of(reason.as_ref()),
            })),
            Verb::Cancel {
                name,
                lines,
                reason,
            } => Command::Cancel(Box::new(Cancel {
                id: self.id_or_none_such(name),
                lines: lines.as_deref().map(line_units),
                reason: text_of(reason.as_ref()),
            })),
            Verb::MoveHold {
                name,
                sku,
                from,
                to,
                units,
            } => Command::MoveHold(Box::new(MoveHold {
                id: self.id_or_none_such(name),
                sku: sku_of(sku),
                from: location_of(from),
                to: location_of(to),
                units: units.map(units_of),
            })),
            Verb::ShipFor {
                name,
                sku,
                units,
                location,
            } => {
                let sku = sku_of(sku);
                let sale = Sale {
                    id: self.id_or_none_such(name),
                    lines: SaleLines::Here,
                };
                let kind = MovementKind::Ship {
                    units: units_of(*units),
                    sale: Some(Box::new(sale)),
                };
                Command::Movement(Box::new(Movement {
                    id: self.mint(&sku),
                    location: location.as_deref().map_or_else(Location::main, location_of),
                    ..Movement::new(sku, kind)
                }))
            }
            Verb::Extend(name, ms) => Command::Extend(Extend {
                id: self.id_or_none_such(name),
                ttl: Millis::new(*ms),
            }),
            Verb::Pin(name, ms) => Command::Pin(Pin {
                id: self.id_or_none_such(name),
                duration: Millis::new(*ms),
            }),
        }
    }

    fn reserve(&mut self, basket: &Basket) -> Reserve {
        let lines = basket.lines.iter().map(|want| ReserveLine {
            sku: sku_of(&want.sku),
            units: units_of(want.units),
            location: want.location.as_deref().map(location_of),
        });
        Reserve {
            id: self.mint(&sku_of(&basket.lines[0].sku)),
            order_ref: text_of(basket.order_ref.as_ref()),
            customer: text_of(basket.customer.as_ref()),
            ttl: basket.ttl.map(Millis::new),
            mode: basket.mode,
            replace: basket
                .replace
                .as_deref()
                .map(|name| self.id_or_none_such(name)),
            lines: lines.collect(),
        }
    }

    pub(super) fn mint(&mut self, sku: &Sku) -> ReservationId {
        self.counter += 1;
        self.note_minted();
        ReservationId::mint(self.ledger_time(), sku.slot(), opening(), self.counter, 7)
    }

    /// A name that no reservation goes by yet is an id that was never given.
    pub(super) fn id_or_none_such(&self, name: &str) -> ReservationId {
        self.id_of(name).unwrap_or_else(|| {
            let opening = Opening::new(9).expect("never opened");
            let slot = sku_of("NONE-SUCH").slot();
            ReservationId::mint(START, slot, opening, hash(name) % 1_000, 7)
        })
    }
}

/// Operation, target and body: what makes two uses of a key the same. The name that a story
/// gives a new reservation is no part of it.
fn content(verb: &Verb) -> u64 {
    match verb {
        Verb::Reserve(basket) => {
            let nameless = Basket {
                name: String::new(),
                ..Basket::clone(basket)
            };
            hash(&Verb::Reserve(Box::new(nameless)).to_string())
        }
        other => hash(&other.to_string()),
    }
}

fn configure(setting: &Setting) -> Configure {
    let safety = setting.safety.iter();
    Configure {
        sku: sku_of(&setting.sku),
        safety_stock: safety
            .map(|(name, units)| (location_of(name), units.clone()))
            .collect(),
        customer_limit: map(&setting.limit, |(units, window)| CustomerLimit {
            units: *units,
            window: Millis::new(*window),
        }),
        opens_at: map(&setting.opens, |ms| moment(*ms)),
        closes_at: map(&setting.closes, |ms| moment(*ms)),
        paused: setting.paused.clone(),
        low_at: setting.low.clone(),
        replenished_at: setting.enough.clone(),
        location_order: map(&setting.order, |names| {
            names.iter().map(|name| location_of(name)).collect()
        }),
        sourcing: setting.sourcing.clone(),
        on_shortfall: setting.shortfall.clone(),
        reason: None,
        expected_version: setting.version,
    }
}

fn map<T, U>(patch: &Patch<T>, to: impl Fn(&T) -> U) -> Patch<U> {
    match patch {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(value) => Patch::Set(to(value)),
    }
}

pub(super) fn moment(ms: u64) -> Timestamp {
    START.after(Millis::new(ms))
}

fn line_units(lines: &[Want]) -> Vec<LineUnits> {
    let lines = lines.iter().map(|want| LineUnits {
        sku: sku_of(&want.sku),
        location: want.location.as_deref().map(location_of),
        units: units_of(want.units),
    });
    lines.collect()
}

/// A SKU by its name in a story.
pub(crate) fn sku_of(name: &str) -> Sku {
    Sku::parse(name).expect("stories name good SKUs")
}

pub(super) fn location_of(name: &str) -> Location {
    Location::parse(name).expect("stories name good locations")
}

pub(super) fn units_of(units: u32) -> Units {
    Units::new(units).expect("stories name good quantities")
}

pub(super) fn text_of(text: Option<&String>) -> Option<Text> {
    text.map(|text| Text::parse(text).expect("stories use good texts"))
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
