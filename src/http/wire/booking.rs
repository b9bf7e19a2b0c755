//! How the bodies of movements and transfers become commands.
//!
//! Fields of another kind are refused by name. Deliberately absent: whether a movement fits (the
//! engine's to say), and the past that a count may speak of (the runtime's to read).

use holdfast_core::{
    Command, Count, FeedMark, Location, Measure, Movement, MovementKind as Kind, Note,
    OpeningBalance, Place, ReservationId, Sale, SaleLines, Sku, Text, Timestamp, UNITS_MAX, Units,
};

use super::super::keys::movement::content_of;
use super::super::problem::Problem;
use super::movement::{ExcludedWord, KindWord, MeasureWord, MovementBody, PlaceWord, TransferBody};
use super::scalar::{FreeText, Position};

/// A movement that is understood.
#[derive(Clone, Debug)]
pub(crate) struct Booking {
    /// Its command. A count that speaks of the past has yet to be told of which.
    pub(crate) command: Command,
    /// The past that a count speaks of.
    pub(crate) past: Option<Past>,
}

/// When a count was taken; at least one of the two is known.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    /// The position it names.
    pub(crate) position: Option<Position>,
    /// The time it names.
    pub(crate) at: Option<Timestamp>,
}

impl Past {
    /// Refuses a count of the future.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), Problem> {
        match self.at {
            Some(at) if now < at => {
                let detail = "after now, and a count speaks of what was; check the clock that \
                              wrote it";
                Err(Problem::invalid("occurred_at", detail))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn text(value: Option<FreeText>) -> Option<Text> {
    value.map(|text| text.0)
}

fn missing<T>(field: &'static str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::invalid(field, format!("missing field `{field}`")))
}

fn units(qty: i64) -> Result<Units, Problem> {
    let units = u32::try_from(qty).ok().and_then(Units::new);
    units.ok_or_else(|| {
        let detail = format!("{qty} is not 1 to {UNITS_MAX} units");
        Problem::invalid("qty", detail)
    })
}

impl MovementBody {
    /// What it asks for.
    pub(crate) fn booking(self, sku: Sku) -> Result<Booking, Problem> {
        let kind = missing("kind", self.kind)?;
        if let Some(field) = self.foreign_to(kind) {
            let detail = format!("unknown field `{field}` in kind {:?}", kind.name());
            return Err(Problem::invalid(field, detail));
        }
        let numbers = self.numbers()?;
        let past = self.past(kind);
        let booked = self.kind(kind)?;
        let mut movement = Movement {
            id: ReservationId::UNMINTED,
            sku,
            location: self
                .location
                .map_or_else(Location::main, |location| location.0),
            kind: booked,
            feed: None,
            message: text(self.message_id),
            expected_version: self.expected_version,
            note: Note {
                reason: text(self.reason),
                document: text(self.document),
                source: text(self.source),
                occurred_at: self.occurred_at.map(|time| time.0),
                ..Note::default()
            },
        };
        let position = past.as_ref().and_then(|past| past.position.as_ref());
        movement.feed = numbers.map(|(epoch, sequence)| FeedMark {
            epoch,
            sequence,
            content: content_of(&movement, position.map(Position::as_str)),
        });
        Ok(Booking {
            command: Command::Movement(Box::new(movement)),
            past,
        })
    }

    /// The first field that is set and belongs to other kinds.
    fn foreign_to(&self, kind: KindWord) -> Option<&'static str> {
        let special = [
            ("qty", self.qty.is_some()),
            ("on_hand", self.on_hand.is_some()),
            ("unshipped", self.unshipped.is_some()),
            ("returned", self.returned.is_some()),
            ("damaged", self.damaged.is_some()),
            ("from", self.from.is_some()),
            ("reservation", self.reservation.is_some()),
            ("measure", self.measure.is_some()),
            ("excludes", self.excludes.is_some()),
            ("position", self.position.is_some()),
            ("force", self.force.is_some()),
        ];
        let own = kind.fields();
        special
            .into_iter()
            .find_map(|(name, is_set)| (is_set && !own.contains(&name)).then_some(name))
    }

    /// Its place in its source's stream.
    fn numbers(&self) -> Result<Option<(u64, u64)>, Problem> {
        let names_source = self.source.is_some();
        let numbers = match (self.epoch, self.sequence) {
            (None, None) => None,
            (Some(epoch), Some(sequence)) => Some((epoch, sequence)),
            (Some(_), None) => {
                return Err(Problem::invalid("sequence", "missing; epoch comes with it"));
            }
            (None, Some(_)) => {
                return Err(Problem::invalid("epoch", "missing; sequence comes with it"));
            }
        };
        if !names_source && (numbers.is_some() || self.message_id.is_some()) {
            let detail = "missing; say whose epoch, sequence or message_id it is";
            return Err(Problem::invalid("source", detail));
        }
        Ok(numbers)
    }

    /// The past it speaks of, if it is a count of then.
    fn past(&self, kind: KindWord) -> Option<Past> {
        let position = self.position.clone();
        let at = self.occurred_at.as_ref().map(|time| time.0);
        let is_then = kind == KindWord::Count && (position.is_some() || at.is_some());
        is_then.then_some(Past { position, at })
    }

    fn kind(&self, kind: KindWord) -> Result<Kind, Problem> {
        if kind == KindWord::Opening {
            return self.opening();
        }
        let qty = missing("qty", self.qty)?;
        Ok(match kind {
            KindWord::Opening => unreachable!("it has been met above"),
            KindWord::Receive => Kind::Receive(units(qty)?),
            KindWord::Ship => Kind::Ship {
                units: units(qty)?,
                sale: self.reservation.as_ref().map(|id| {
                    let (id, lines) = (id.0, SaleLines::Here);
                    Box::new(Sale { id, lines })
                }),
            },
            KindWord::Return => Kind::Return {
                units: units(qty)?,
                reservation: self.reservation.as_ref().map(|id| id.0),
            },
            KindWord::Damage => Kind::Damage {
                units: units(qty)?,
                from: self.damaged_from()?,
            },
            KindWord::Count => Kind::Count(Box::new(self.count(qty)?)),
            KindWord::Restock => Kind::Restock(units(qty)?),
            KindWord::WriteOff => Kind::WriteOff {
                units: units(qty)?,
                from: place(missing("from", self.from)?),
                force: self.force.unwrap_or(false),
            },
            KindWord::Adjust => Kind::Adjust {
                delta: delta(qty)?,
                force: self.force.unwrap_or(false),
            },
        })
    }

    fn opening(&self) -> Result<Kind, Problem> {
        let balance = OpeningBalance {
            on_hand: part("on_hand", self.on_hand)?,
            unshipped: part("unshipped", self.unshipped)?,
            returned: part("returned", self.returned)?,
            damaged: part("damaged", self.damaged)?,
        };
        if balance == OpeningBalance::default() {
            let detail = "0, and so are unshipped, returned and damaged; an opening balance has \
                          units";
            return Err(Problem::invalid("on_hand", detail));
        }
        Ok(Kind::Opening(balance))
    }

    fn damaged_from(&self) -> Result<Place, Problem> {
        match self.from.map_or(Place::OnHand, place) {
            Place::Damaged => {
                let detail = "what is damaged can't be damaged again; on_hand or returned";
                Err(Problem::invalid("from", detail))
            }
            from => Ok(from),
        }
    }

    fn count(&self, qty: i64) -> Result<Count, Problem> {
        let counted = u64::try_from(qty)
            .ok()
            .filter(|qty| *qty <= u64::from(UNITS_MAX));
        let counted = counted.ok_or_else(|| {
            let detail = format!("{qty} is not 0 to {UNITS_MAX} units");
            Problem::invalid("qty", detail)
        })?;
        let measure = match self.measure.unwrap_or(MeasureWord::Physical) {
            MeasureWord::Physical => Measure::Physical,
            MeasureWord::Sellable => Measure::Sellable,
            MeasureWord::Available => Measure::Available,
        };
        if measure == Measure::Available && self.position.is_none() {
            let detail = "missing; what is available changes with every reservation, so say as of \
                          which position";
            return Err(Problem::invalid("position", detail));
        }
        let excludes = self.excludes.as_deref().unwrap_or_default();
        if measure != Measure::Physical && !excludes.is_empty() {
            let detail = "only a physical count can leave these out; the measure has neither";
            return Err(Problem::invalid("excludes", detail));
        }
        Ok(Count {
            counted,
            measure,
            excludes_returned: excludes.contains(&ExcludedWord::Returned),
            excludes_damaged: excludes.contains(&ExcludedWord::Damaged),
            then: None,
        })
    }
}

fn place(word: PlaceWord) -> Place {
    match word {
        PlaceWord::OnHand => Place::OnHand,
        PlaceWord::Returned => Place::Returned,
        PlaceWord::Damaged => Place::Damaged,
    }
}

fn part(field: &'static str, units: Option<u32>) -> Result<u32, Problem> {
    let units = units.unwrap_or(0);
    if UNITS_MAX < units {
        let detail = format!("{units} is more than {UNITS_MAX} units");
        return Err(Problem::invalid(field, detail));
    }
    Ok(units)
}

fn delta(qty: i64) -> Result<i64, Problem> {
    if qty == 0 || u64::from(UNITS_MAX) < qty.unsigned_abs() {
        let detail = format!("{qty} is not 1 to {UNITS_MAX} units, up or down");
        return Err(Problem::invalid("qty", detail));
    }
    Ok(qty)
}

impl TransferBody {
    /// The command it asks for.
    pub(crate) fn command(self, sku: Sku) -> Result<Command, Problem> {
        let (from, to) = (self.from.0, self.to.0);
        if from == to {
            return Err(Problem::invalid("to", "where the units are already"));
        }
        let note = Note {
            reason: text(self.reason),
            document: text(self.document),
            source: text(self.source),
            occurred_at: self.occurred_at.map(|time| time.0),
            ..Note::default()
        };
        let kind = Kind::Transfer {
            units: units(self.qty)?,
            to,
            force: self.force.unwrap_or(false),
        };
        Ok(Command::Movement(Box::new(Movement {
            location: from,
            expected_version: self.expected_version,
            note,
            ..Movement::new(sku, kind)
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::json;
    use super::super::tests::named;
    use super::*;

    fn booking(body: &str) -> Result<Booking, Problem> {
        let sku = Sku::parse("TEE").expect("a good name");
        json::parse::<MovementBody>(body.as_bytes())?.booking(sku)
    }

    fn movement(body: &str) -> Movement {
        match booking(body).expect(body).command {
            Command::Movement(movement) => *movement,
            other => unreachable!("{other:?} is no movement"),
        }
    }

    #[test]
    fn every_kind_takes_its_own_fields_and_no_others() {
        let good = [
            r#"{"kind":"opening","on_hand":5,"unshipped":1,"returned":2,"damaged":3}"#,
            r#"{"kind":"receive","qty":1}"#,
            r#"{"kind":"ship","qty":1,"reservation":"019b0000-0000-8000-8000-000000000000"}"#,
            r#"{"kind":"return","qty":1}"#,
            r#"{"kind":"damage","qty":1,"from":"returned"}"#,
            r#"{"kind":"count","qty":0,"excludes":["returned","damaged"]}"#,
            r#"{"kind":"count","qty":1,"measure":"sellable"}"#,
            r#"{"kind":"restock","qty":1}"#,
            r#"{"kind":"write_off","qty":1,"from":"damaged"}"#,
            r#"{"kind":"write_off","qty":1,"from":"on_hand","force":true}"#,
            r#"{"kind":"adjust","qty":-1,"force":true}"#,
        ];
        for body in good {
            movement(body);
        }
        let bad = [
            (r#"{"qty":1}"#, "kind"),
            (r#"{"kind":"transfer","qty":1}"#, "kind"),
            (r#"{"kind":"receive"}"#, "qty"),
            (r#"{"kind":"opening","qty":1}"#, "qty"),
            (r#"{"kind":"opening","on_hand":0}"#, "on_hand"),
            (r#"{"kind":"opening","damaged":1000000001}"#, "damaged"),
            (r#"{"kind":"receive","qty":0}"#, "qty"),
            (r#"{"kind":"receive","qty":1,"from":"on_hand"}"#, "from"),
            (r#"{"kind":"ship","qty":1,"force":true}"#, "force"),
            (r#"{"kind":"damage","qty":1,"from":"damaged"}"#, "from"),
            (r#"{"kind":"write_off","qty":1}"#, "from"),
            (r#"{"kind":"write_off","qty":1,"from":"sold"}"#, "from"),
            (r#"{"kind":"count","qty":-1}"#, "qty"),
            (
                r#"{"kind":"count","qty":1,"measure":"available"}"#,
                "position",
            ),
            (r#"{"kind":"count","qty":1,"position":"here"}"#, "position"),
            (
                r#"{"kind":"count","qty":1,"measure":"sellable","excludes":["damaged"]}"#,
                "excludes",
            ),
            (
                r#"{"kind":"receive","qty":1,"measure":"physical"}"#,
                "measure",
            ),
            (r#"{"kind":"adjust","qty":0}"#, "qty"),
        ];
        for (body, field) in bad {
            let (name, detail) = named(&booking(body).expect_err(body));
            assert_eq!(name, field, "{body}: {detail}");
        }
    }

    #[test]
    fn what_numbers_a_message_names_its_source_and_comes_together() {
        let bad = [
            (
                r#"{"kind":"receive","qty":1,"source":"wms","epoch":1}"#,
                "sequence",
            ),
            (
                r#"{"kind":"receive","qty":1,"source":"wms","sequence":1}"#,
                "epoch",
            ),
            (
                r#"{"kind":"receive","qty":1,"epoch":1,"sequence":1}"#,
                "source",
            ),
            (r#"{"kind":"receive","qty":1,"message_id":"m"}"#, "source"),
            (
                r#"{"kind":"receive","qty":1,"source":"wms","epoch":-1,"sequence":1}"#,
                "epoch",
            ),
        ];
        for (body, field) in bad {
            let (name, detail) = named(&booking(body).expect_err(body));
            assert_eq!(name, field, "{body}: {detail}");
        }
    }

    #[test]
    fn a_messages_content_is_what_it_says_and_not_how_it_is_numbered() {
        let content = |body: &str| movement(body).feed.expect("it is numbered").content;
        let first = content(r#"{"kind":"receive","qty":1,"source":"wms","epoch":1,"sequence":1}"#);
        let same = [
            r#"{"sequence":2,"epoch":3,"source":"wms","qty":1,"kind":"receive"}"#,
            r#"{"kind":"receive","qty":1,"source":"wms","epoch":1,"sequence":1,"location":"main"}"#,
            r#"{"kind":"receive","qty":1,"source":"wms","epoch":1,"sequence":1,"message_id":"m"}"#,
        ];
        for body in same {
            assert_eq!(content(body), first, "{body}");
        }
        let other = [
            r#"{"kind":"receive","qty":2,"source":"wms","epoch":1,"sequence":1}"#,
            r#"{"kind":"restock","qty":1,"source":"wms","epoch":1,"sequence":1}"#,
            r#"{"kind":"receive","qty":1,"source":"wms","epoch":1,"sequence":1,"location":"b"}"#,
            r#"{"kind":"receive","qty":1,"source":"wms","epoch":1,"sequence":1,"reason":"r"}"#,
        ];
        for body in other {
            assert_ne!(content(body), first, "{body}");
        }
        let at = |position: &str| {
            let body = format!(
                r#"{{"kind":"count","qty":1,"source":"wms","epoch":1,"sequence":1,
                "position":"{position}"}}"#
            );
            content(&body)
        };
        assert_ne!(at(&"0".repeat(40)), at(&"1".repeat(40)));
    }

    #[test]
    fn a_count_of_then_says_when_and_not_after_now() {
        let now = Timestamp::from_ms(1_000_000);
        let past = |body: &str| booking(body).expect(body).past;
        assert!(past(r#"{"kind":"count","qty":1}"#).is_none());
        assert!(
            past(r#"{"kind":"receive","qty":1,"occurred_at":"2030-01-01T00:00:00Z"}"#).is_none()
        );
        let then = past(r#"{"kind":"count","qty":1,"occurred_at":"1970-01-01T00:00:01Z"}"#);
        assert!(then.expect("it names a time").check(now).is_ok());
        let future = past(r#"{"kind":"count","qty":1,"occurred_at":"2030-01-01T00:00:00Z"}"#);
        let problem = future
            .expect("it names a time")
            .check(now)
            .expect_err("it is ahead");
        assert_eq!(named(&problem).0, "occurred_at");
    }

    #[test]
    fn a_transfer_goes_somewhere_else() {
        let command = |body: &str| {
            let sku = Sku::parse("TEE").expect("a good name");
            json::parse::<TransferBody>(body.as_bytes())?.command(sku)
        };
        command(r#"{"from":"a","to":"b","qty":1}"#).expect("well formed");
        let bad = [
            (r#"{"from":"a","to":"a","qty":1}"#, "to"),
            (r#"{"from":"a","qty":1}"#, "to"),
            (r#"{"from":"a","to":"b","qty":0}"#, "qty"),
            (r#"{"from":"a","to":"b","qty":1,"kind":"ship"}"#, "kind"),
        ];
        for (body, field) in bad {
            let (name, detail) = named(&command(body).expect_err(body));
            assert_eq!(name, field, "{body}: {detail}");
        }
    }
}
