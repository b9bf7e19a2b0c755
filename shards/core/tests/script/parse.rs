//! Story files to lines. A word that means nothing is an error: a story must not pass
//! because half of it was not read.

use super::{Basket, Line, Setting, Verb, Want};
use holdfast_core::{Mode, OnShortfall, Patch, Remainder, Sourcing, Verdict};

/// Reads one line, without its expectation.
pub(crate) fn parse(text: &str) -> Result<Line, String> {
    let mut words = Words::of(text)?;
    let line = words.line()?;
    words.finish()?;
    Ok(line)
}

/// Whether a bound is a count, not a duration.
pub(super) fn is_count(name: &str) -> bool {
    name.ends_with("_max")
        && !name.starts_with("ttl")
        && !name.starts_with("lifetime")
        && !name.starts_with("pin")
        || matches!(name, "expire_per_turn" | "locations_declared")
}

/// The words of a line: first the bare ones in order, then `name=value` in any order.
pub(super) struct Words {
    bare: std::collections::VecDeque<String>,
    named: Vec<(String, String)>,
}

impl Words {
    fn of(text: &str) -> Result<Self, String> {
        let (mut bare, mut named) = (std::collections::VecDeque::new(), Vec::new());
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some((name, value)) => named.push((name.to_owned(), value.to_owned())),
                None => bare.push_back(word.to_owned()),
            }
        }
        if bare.is_empty() {
            return Err("an empty line".to_owned());
        }
        Ok(Self { bare, named })
    }

    fn line(&mut self) -> Result<Line, String> {
        let verb = match self.next("a verb")?.as_str() {
            "policy" => return self.policy(),
            "advance" => return Ok(Line::Advance(self.duration()?)),
            "wait" => return Ok(Line::Wait(self.duration()?)),
            "back" => return Ok(Line::Back(self.duration()?)),
            "sweep" => return Ok(Line::Sweep),
            "down" => return Ok(Line::Down(self.duration()?)),
            "chunks" => return Ok(Line::Chunks(number(&self.next("a count")?)?)),
            "show" => return Ok(Line::Show(self.next("a name")?)),
            "supply" => return Ok(Line::Supply(self.next("a SKU")?)),
            "configure" => self.configure()?,
            "location" => Verb::Location {
                name: self.next("a location")?,
                selling: patch(self.take("selling").as_deref(), number)?,
            },
            "reserve" => self.reserve()?,
            "confirm" => self.confirm()?,
            "release" => {
                let (name, lines) = (self.next("a reservation")?, self.wants()?);
                let lines = (!lines.is_empty()).then_some(lines);
                Verb::Release {
                    name,
                    lines,
                    reason: self.take("reason"),
                }
            }
            "cancel" => {
                let (name, lines) = (self.next("a reservation")?, self.wants()?);
                let lines = (!lines.is_empty()).then_some(lines);
                let reason = self.take("reason");
                Verb::Cancel {
                    name,
                    lines,
                    reason,
                }
            }
            "move" => Verb::MoveHold {
                name: self.next("a reservation")?,
                sku: self.next("a SKU")?,
                from: self.next("a location")?,
                to: self.next("another location")?,
                units: self.take("units").map(|text| number(&text)).transpose()?,
            },
            "ship_for" => Verb::ShipFor {
                name: self.next("a reservation")?,
                sku: self.next("a SKU")?,
                units: number(&self.next("units")?)?,
                location: self.take("at"),
            },
            "extend" => Verb::Extend(self.next("a reservation")?, self.named_duration("ttl")?),
            "pin" => Verb::Pin(self.next("a reservation")?, self.named_duration("for")?),
            "lift" => Verb::Lift(
                self.next("a SKU")?,
                self.take("at"),
                self.take("source").ok_or("source= is missing")?,
            ),
            "drift" => Verb::Drift(Box::new(self.difference()?)),
            "approve" => self.decide(Verdict::Approve)?,
            "dismiss" => self.decide(Verdict::Dismiss)?,
            other => match self.movement(other)? {
                Some(movement) => Verb::Move(Box::new(movement)),
                None => return Err(format!("unknown verb {other}")),
            },
        };
        Ok(Line::Ask(self.take("key"), verb))
    }

    fn decide(&mut self, verdict: Verdict) -> Result<Verb, String> {
        Ok(Verb::Decide {
            name: self.next("a drift")?,
            verdict,
            reason: self.take("reason"),
        })
    }

    fn policy(&mut self) -> Result<Line, String> {
        let mut bounds = Vec::new();
        for (name, value) in std::mem::take(&mut self.named) {
            let value = if is_count(&name) {
                number(&value)?
            } else {
                milliseconds(&value)?
            };
            bounds.push((name, value));
        }
        Ok(Line::Policy(bounds))
    }

    fn configure(&mut self) -> Result<Verb, String> {
        let sku = self.next("a SKU")?;
        let mut safety = Vec::new();
        let is_safety = |(name, _): &(String, String)| name.starts_with("safety");
        while let Some(at) = self.named.iter().position(is_safety) {
            let (name, value) = self.named.remove(at);
            let location = name
                .split_once('@')
                .map_or("main", |(_, location)| location);
            safety.push((location.to_owned(), patch(Some(&value), number)?));
        }
        let limit = patch(self.take("limit").as_deref(), |text| {
            let (units, window) = text.split_once('/').ok_or("limit=UNITS/WINDOW")?;
            Ok((number(units)?, milliseconds(window)?))
        })?;
        Ok(Verb::Configure(Box::new(Setting {
            sku,
            safety,
            limit,
            opens: patch(self.take("opens").as_deref(), moment)?,
            closes: patch(self.take("closes").as_deref(), moment)?,
            paused: patch(self.take("paused").as_deref(), number)?,
            low: patch(self.take("low").as_deref(), number)?,
            enough: patch(self.take("enough").as_deref(), number)?,
            order: patch(self.take("order").as_deref(), |text| {
                Ok(text.split(',').map(str::to_owned).collect())
            })?,
            sourcing: patch(self.take("sourcing").as_deref(), |text| {
                let found = Sourcing::ALL.into_iter().find(|way| way.as_str() == text);
                found.ok_or_else(|| format!("sourcing={text} means nothing here"))
            })?,
            shortfall: patch(self.take("shortfall").as_deref(), |text| {
                let found = OnShortfall::ALL
                    .into_iter()
                    .find(|way| way.as_str() == text);
                found.ok_or_else(|| format!("shortfall={text} means nothing here"))
            })?,
            version: self.number("if")?,
        })))
    }

    fn reserve(&mut self) -> Result<Verb, String> {
        let name = self.next("a name for the reservation")?;
        let mode = if self.flag("best_effort") {
            Mode::BestEffort
        } else {
            Mode::AllOrNothing
        };
        let lines = self.wants()?;
        if lines.is_empty() {
            return Err("a reserve wants lines".to_owned());
        }
        let ttl = self
            .take("ttl")
            .map(|text| milliseconds(&text))
            .transpose()?;
        Ok(Verb::Reserve(Box::new(Basket {
            name,
            lines,
            ttl,
            customer: self.take("customer"),
            order_ref: self.take("order"),
            mode,
            replace: self.take("replace"),
        })))
    }

    fn confirm(&mut self) -> Result<Verb, String> {
        let (name, lines) = (self.next("a reservation")?, self.wants()?);
        let rest = match self.take("rest").as_deref() {
            None => None,
            Some("release") => Some(Remainder::Release),
            Some("keep") => Some(Remainder::Keep),
            Some(other) => return Err(format!("rest={other}: release or keep")),
        };
        let lines = match (lines.is_empty(), rest) {
            (true, None) => None,
            (false, Some(rest)) => Some((lines, rest)),
            _ => return Err("lines and rest= go together".to_owned()),
        };
        let refuse_late = match self.take("late").as_deref() {
            None | Some("reacquire") => false,
            Some("refuse") => true,
            Some(other) => return Err(format!("late={other}: reacquire or refuse")),
        };
        Ok(Verb::Confirm {
            name,
            lines,
            refuse_late,
            payment: self.take("payment"),
        })
    }

    /// `SKU[@LOCATION] UNITS`, joined by `+`.
    fn wants(&mut self) -> Result<Vec<Want>, String> {
        let mut lines = Vec::new();
        while !self.bare.is_empty() {
            if !lines.is_empty() && self.next("+")? != "+" {
                return Err("lines are joined by +".to_owned());
            }
            let place = self.next("a SKU")?;
            let (sku, location) = match place.split_once('@') {
                Some((sku, location)) => (sku.to_owned(), Some(location.to_owned())),
                None => (place, None),
            };
            lines.push(Want {
                sku,
                location,
                units: number(&self.next("units")?)?,
            });
        }
        Ok(lines)
    }

    pub(super) fn next(&mut self, what: &str) -> Result<String, String> {
        self.bare
            .pop_front()
            .ok_or_else(|| format!("{what} is missing"))
    }

    pub(super) fn flag(&mut self, word: &str) -> bool {
        let before = self.bare.len();
        self.bare.retain(|other| other != word);
        self.bare.len() < before
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.named.iter().position(|(other, _)| other == name)?;
        Some(self.named.remove(at).1)
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<u64>, String> {
        self.take(name).map(|text| number(&text)).transpose()
    }

    pub(super) fn moment(&mut self, name: &str) -> Result<Option<u64>, String> {
        self.take(name).map(|text| moment(&text)).transpose()
    }

    fn duration(&mut self) -> Result<u64, String> {
        milliseconds(&self.next("a duration")?)
    }

    fn named_duration(&mut self, name: &str) -> Result<u64, String> {
        milliseconds(
            &self
                .take(name)
                .ok_or_else(|| format!("{name}= is missing"))?,
        )
    }

    fn finish(self) -> Result<(), String> {
        match (self.bare.front(), self.named.first()) {
            (None, None) => Ok(()),
            (Some(word), _) => Err(format!("{word} means nothing here")),
            (None, Some((name, value))) => Err(format!("{name}={value} means nothing here")),
        }
    }
}

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{text} is not what is wanted here"))
}

fn patch<T>(
    text: Option<&str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Patch<T>, String> {
    match text {
        None => Ok(Patch::Keep),
        Some("none") => Ok(Patch::Clear),
        Some(text) => read(text).map(Patch::Set),
    }
}

fn moment(text: &str) -> Result<u64, String> {
    milliseconds(
        text.strip_prefix('+')
            .ok_or("a moment is written +10s from the start")?,
    )
}

fn milliseconds(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let size = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => {
            return Err(format!(
                "{text}: a duration is written 500ms, 10s, 5m, 24h or 7d"
            ));
        }
    };
    Ok(number::<u64>(digits)? * size)
}
