//! Movements, feeds and drifts, as a story writes them.

use super::parse::{Words, number};
use super::print::{duration, option};
use holdfast_core::{DriftKind, Measure, Place};
use std::fmt::{self, Display, Formatter};

/// A movement of stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    /// What happened.
    pub(crate) what: What,
    /// To which SKU.
    pub(crate) sku: String,
    /// Where; `main` if absent.
    pub(crate) location: Option<String>,
    /// The `stock_version` it must have.
    pub(crate) version: Option<u64>,
    /// Who says so, and how.
    pub(crate) said: Said,
}

/// What its source says of a movement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Who.
    pub(crate) source: Option<String>,
    /// Epoch and sequence.
    pub(crate) mark: Option<(u64, u64)>,
    /// The source's own id of the message.
    pub(crate) message: Option<String>,
    /// When it happened, counted from the story's start.
    pub(crate) occurred: Option<u64>,
}

/// What a movement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// `on_hand`, `unshipped`, `returned`, `damaged`.
    Opening([u32; 4]),
    Receive(u32),
    Ship(u32),
    Return(u32),
    Damage(u32, Place),
    Count(Counted),
    Restock(u32),
    /// How much, of what, and whether below `reserved` if need be.
    WriteOff(u32, Place, bool),
    /// By how much, and whether below `reserved` if need be.
    Adjust(i64, bool),
    /// How much, where to, and whether below `reserved` if need be.
    Transfer(u32, String, bool),
}

/// A count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// What was found.
    pub(crate) units: u32,
    /// What was counted.
    pub(crate) measure: Measure,
    /// Whether these were left out: returned, damaged.
    pub(crate) without: [bool; 2],
    /// When, counted from the story's start; now if absent.
    pub(crate) taken: Option<u64>,
}

/// A difference that somebody found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// In which SKU.
    pub(crate) sku: String,
    /// Where; `main` if absent.
    pub(crate) location: Option<String>,
    /// What kind.
    pub(crate) kind: DriftKind,
    /// By the ledger, and by the other truth.
    pub(crate) numbers: (i64, i64),
    /// The paper.
    pub(crate) document: Option<String>,
    /// The reservation it is about, and what is to become of it: `cancel`, `release`, `confirm`.
    pub(crate) about: Option<(String, String)>,
}

impl Words {
    /// A movement by its verb; nothing if it is none.
    pub(super) fn movement(&mut self, verb: &str) -> Result<Option<Move>, String> {
        let is_movement = [
            "opening",
            "receive",
            "ship",
            "return",
            "damage",
            "count",
            "restock",
            "write_off",
            "adjust",
            "transfer",
        ];
        if !is_movement.contains(&verb) {
            return Ok(None);
        }
        let sku = self.next("a SKU")?;
        let what = match verb {
            "opening" => What::Opening([
                self.number("on_hand")?.unwrap_or(0) as u32,
                self.number("unshipped")?.unwrap_or(0) as u32,
                self.number("returned")?.unwrap_or(0) as u32,
                self.number("damaged")?.unwrap_or(0) as u32,
            ]),
            "receive" => What::Receive(self.units()?),
            "ship" => What::Ship(self.units()?),
            "return" => What::Return(self.units()?),
            "damage" => What::Damage(self.units()?, self.place()?),
            "count" => What::Count(self.counted()?),
            "restock" => What::Restock(self.units()?),
            "write_off" => What::WriteOff(self.units()?, self.place()?, self.flag("force")),
            "adjust" => What::Adjust(number(&self.next("units")?)?, self.flag("force")),
            _ => {
                let to = self.take("to").ok_or("to= is missing")?;
                What::Transfer(self.units()?, to, self.flag("force"))
            }
        };
        Ok(Some(Move {
            what,
            sku,
            location: self.take("at"),
            version: self.number("if")?,
            said: self.said()?,
        }))
    }

    fn units(&mut self) -> Result<u32, String> {
        number(&self.next("units")?)
    }

    fn place(&mut self) -> Result<Place, String> {
        match self.take("from").as_deref() {
            None | Some("on_hand") => Ok(Place::OnHand),
            Some("returned") => Ok(Place::Returned),
            Some("damaged") => Ok(Place::Damaged),
            Some(other) => Err(format!("from={other}: on_hand, returned or damaged")),
        }
    }

    fn counted(&mut self) -> Result<Counted, String> {
        let units = self.units()?;
        let measure = match self.take("measure").as_deref() {
            None | Some("physical") => Measure::Physical,
            Some("sellable") => Measure::Sellable,
            Some("available") => Measure::Available,
            Some(other) => return Err(format!("measure={other} is none")),
        };
        let without = self.take("without").unwrap_or_default();
        let without =
            ["returned", "damaged"].map(|word| without.split(',').any(|other| other == word));
        let taken = self.moment("taken")?;
        Ok(Counted {
            units,
            measure,
            without,
            taken,
        })
    }

    fn said(&mut self) -> Result<Said, String> {
        let mark = self.take("seq").map(|text| {
            let (epoch, sequence) = text.split_once('/').ok_or("seq=EPOCH/SEQUENCE")?;
            Ok::<_, String>((number(epoch)?, number(sequence)?))
        });
        Ok(Said {
            source: self.take("source"),
            mark: mark.transpose()?,
            message: self.take("msg"),
            occurred: self.moment("occurred")?,
        })
    }

    pub(super) fn difference(&mut self) -> Result<Difference, String> {
        let sku = self.next("a SKU")?;
        let mut signed = |name: &str| -> Result<i64, String> {
            number(
                &self
                    .take(name)
                    .ok_or_else(|| format!("{name}= is missing"))?,
            )
        };
        let numbers = (signed("expected")?, signed("found")?);
        let kind = self.take("kind").unwrap_or_else(|| "warehouse".to_owned());
        let known = DriftKind::ALL
            .into_iter()
            .find(|other| other.as_str() == kind);
        Ok(Difference {
            sku,
            location: self.take("at"),
            kind: known.ok_or_else(|| format!("kind={kind} is none"))?,
            numbers,
            document: self.take("document"),
            about: self.take("of").zip(self.take("propose")),
        })
    }
}

fn place(f: &mut Formatter<'_>, place: Place) -> fmt::Result {
    match place {
        Place::OnHand => Ok(()),
        Place::Returned => f.write_str(" from=returned"),
        Place::Damaged => f.write_str(" from=damaged"),
    }
}

fn forced(f: &mut Formatter<'_>, force: bool) -> fmt::Result {
    f.write_str(if force { " force" } else { "" })
}

impl Display for Move {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sku = &self.sku;
        match &self.what {
            What::Opening(units) => {
                write!(f, "opening {sku}")?;
                let names = ["on_hand", "unshipped", "returned", "damaged"];
                for (name, units) in names.iter().zip(units).filter(|(_, units)| **units > 0) {
                    write!(f, " {name}={units}")?;
                }
            }
            What::Receive(units) => write!(f, "receive {sku} {units}")?,
            What::Ship(units) => write!(f, "ship {sku} {units}")?,
            What::Return(units) => write!(f, "return {sku} {units}")?,
            What::Damage(units, from) => {
                write!(f, "damage {sku} {units}")?;
                place(f, *from)?;
            }
            What::Count(count) => count.write(f, sku)?,
            What::Restock(units) => write!(f, "restock {sku} {units}")?,
            What::WriteOff(units, from, force) => {
                write!(f, "write_off {sku} {units}")?;
                place(f, *from)?;
                forced(f, *force)?;
            }
            What::Adjust(delta, force) => {
                write!(f, "adjust {sku} {delta:+}")?;
                forced(f, *force)?;
            }
            What::Transfer(units, to, force) => {
                write!(f, "transfer {sku} {units} to={to}")?;
                forced(f, *force)?;
            }
        }
        option(f, "at", self.location.as_ref())?;
        option(f, "if", self.version)?;
        self.said.fmt(f)
    }
}

impl Counted {
    fn write(&self, f: &mut Formatter<'_>, sku: &str) -> fmt::Result {
        write!(f, "count {sku} {}", self.units)?;
        f.write_str(match self.measure {
            Measure::Physical => "",
            Measure::Sellable => " measure=sellable",
            Measure::Available => " measure=available",
        })?;
        f.write_str(match self.without {
            [false, false] => "",
            [true, false] => " without=returned",
            [false, true] => " without=damaged",
            [true, true] => " without=returned,damaged",
        })?;
        option(
            f,
            "taken",
            self.taken.map(|ms| format!("+{}", duration(ms))),
        )
    }
}

impl Display for Said {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        option(f, "source", self.source.as_ref())?;
        let mark = self
            .mark
            .map(|(epoch, sequence)| format!("{epoch}/{sequence}"));
        option(f, "seq", mark)?;
        option(f, "msg", self.message.as_ref())?;
        option(
            f,
            "occurred",
            self.occurred.map(|ms| format!("+{}", duration(ms))),
        )
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (expected, found) = self.numbers;
        write!(f, "drift {} expected={expected} found={found}", self.sku)?;
        if self.kind != DriftKind::Warehouse {
            write!(f, " kind={}", self.kind.as_str())?;
        }
        option(f, "at", self.location.as_ref())?;
        option(f, "document", self.document.as_ref())?;
        option(f, "of", self.about.as_ref().map(|(name, _)| name))?;
        option(f, "propose", self.about.as_ref().map(|(_, word)| word))
    }
}
