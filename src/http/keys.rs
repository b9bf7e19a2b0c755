//! Idempotency keys: their form, and the hashes under which they are kept.
//!
//! A key is hashed with its caller; its content is the operation, the target and the parsed body,
//! so that white space, the order of fields and a default that is spelled out make no difference.
//! The hashes are kept in ledgers, so their form never changes; a test pins it.
//! Deliberately absent: who the caller is. There is one, until callers can be told apart.

pub(crate) mod movement;

use axum::http::HeaderName;
use holdfast_core::{
    Cancel, Command, Configure, Confirm, CustomerLimit, DecideDrift, Extend, KeyTag, Late,
    LiftStream, LineUnits, Location, Mode, MoveHold, Patch, Pin, Release, Remainder, Reserve,
    ReserveLine, Text, Verdict,
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// The header's name.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest key, in bytes.
pub(crate) const LEN_MAX: usize = 128;
/// What a key must be, for people.
pub(crate) const EXPECTED: &str = "1 to 128 visible ASCII characters, without spaces";

/// The one caller there is.
const CALLER: &str = "";

/// Whether a key has the form of one.
pub(crate) fn is_key(key: &[u8]) -> bool {
    let all_visible = |all, byte: &u8| all & byte.is_ascii_graphic();
    // Without an early end the bytes are looked at many at a time.
    (1..=LEN_MAX).contains(&key.len()) && key.iter().fold(true, all_visible)
}

/// Hashes keys; the operations of a batch share one and its room.
#[derive(Default)]
pub(crate) struct Tagger(Canonical);

/// The hashes of a key and of the command it came with.
pub(crate) fn tag(key: &[u8], command: &Command) -> KeyTag {
    Tagger::default().tag(key, command)
}

impl Tagger {
    /// The hashes of a key and of the command it came with.
    pub(crate) fn tag(&mut self, key: &[u8], command: &Command) -> KeyTag {
        let Self(canonical) = self;
        canonical.0.clear();
        canonical.text(CALLER);
        canonical.0.extend_from_slice(key);
        let hash = xxh3_128(&canonical.0);
        canonical.0.clear();
        canonical.command(command);
        KeyTag {
            hash: [(hash >> 64) as u64, hash as u64],
            content: xxh3_64(&canonical.0),
        }
    }
}

/// Bytes that are equal if and only if what was written is equal.
struct Canonical(Vec<u8>);

impl Default for Canonical {
    fn default() -> Self {
        Self(Vec::with_capacity(256))
    }
}

impl Canonical {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn id(&mut self, id: holdfast_core::ReservationId) {
        self.0.extend_from_slice(&id.as_u128().to_le_bytes());
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.byte(0),
            Some(value) => {
                self.byte(1);
                write(self, value);
            }
        }
    }

    fn optional_text(&mut self, value: Option<&Text>) {
        self.optional(value, |to, text| to.text(text.as_str()));
    }

    fn optional_number(&mut self, value: Option<u64>) {
        self.optional(value, Self::number);
    }

    fn patch<T>(&mut self, patch: &Patch<T>, write: impl FnOnce(&mut Self, &T)) {
        match patch {
            Patch::Keep => self.byte(0),
            Patch::Clear => self.byte(1),
            Patch::Set(value) => {
                self.byte(2);
                write(self, value);
            }
        }
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Reserve(reserve) => self.reserve(reserve),
            Command::Confirm(confirm) => self.confirm(confirm),
            Command::Release(release) => self.release(release),
            Command::Extend(extend) => self.extend(extend),
            Command::Pin(pin) => self.pin(pin),
            Command::Movement(movement) => self.movement(movement),
            Command::Cancel(cancel) => self.cancel(cancel),
            Command::MoveHold(moved) => self.move_hold(moved),
            Command::LiftStream(lift) => self.lift_stream(lift),
            Command::DecideDrift(decide) => self.decide_drift(decide),
            Command::Configure(configure) => self.configure(configure),
            Command::Try(_)
            | Command::CreateCart(_)
            | Command::ConfirmLate(_)
            | Command::Correct(_)
            | Command::MoveHeld(_)
            | Command::NoteShipped(_)
            | Command::NoteTold(_)
            | Command::ReleaseShort(_)
            | Command::RefuseLate(..)
            | Command::CloseCart(_)
            | Command::Settle(_)
            | Command::DropHold(_)
            | Command::Location(_)
            | Command::OpenDrift(_) => unreachable!("shards and jobs send these without keys"),
        }
    }

    fn extend(&mut self, Extend { id, ttl }: &Extend) {
        self.byte(4);
        self.id(*id);
        self.number(ttl.ms());
    }

    fn pin(&mut self, Pin { id, duration }: &Pin) {
        self.byte(5);
        self.id(*id);
        self.number(duration.ms());
    }

    fn cancel(&mut self, Cancel { id, lines, reason }: &Cancel) {
        self.byte(7);
        self.id(*id);
        self.optional(lines.as_ref(), |to, lines| to.lines(lines));
        self.optional_text(reason.as_ref());
    }

    fn move_hold(&mut self, moved: &MoveHold) {
        let MoveHold {
            id,
            sku,
            from,
            to,
            units,
        } = moved;
        self.byte(9);
        self.id(*id);
        self.text(sku.as_str());
        self.text(from.as_str());
        self.text(to.as_str());
        self.optional_number(units.map(|units| u64::from(units.get())));
    }

    fn lift_stream(&mut self, lift: &LiftStream) {
        let LiftStream {
            sku,
            location,
            source,
            reason,
        } = lift;
        self.byte(10);
        self.text(sku.as_str());
        self.text(location.as_str());
        self.text(source.as_str());
        self.optional_text(reason.as_ref());
    }

    fn decide_drift(&mut self, decide: &DecideDrift) {
        let DecideDrift {
            id,
            sku: _,
            movement: _,
            verdict,
            reason,
            home: _,
        } = decide;
        self.byte(11);
        self.id(*id);
        self.byte(match verdict {
            Verdict::Approve => 0,
            Verdict::Dismiss => 1,
        });
        self.optional_text(reason.as_ref());
    }

    fn reserve(&mut self, reserve: &Reserve) {
        let Reserve {
            id: _,
            order_ref,
            customer,
            ttl,
            mode,
            replace,
            lines,
        } = reserve;
        self.byte(1);
        self.optional_text(order_ref.as_ref());
        self.optional_text(customer.as_ref());
        self.optional_number(ttl.map(holdfast_core::Millis::ms));
        self.byte(match mode {
            Mode::AllOrNothing => 0,
            Mode::BestEffort => 1,
        });
        self.optional(*replace, Self::id);
        self.number(lines.len() as u64);
        for ReserveLine {
            sku,
            units,
            location,
        } in lines
        {
            self.text(sku.as_str());
            self.number(u64::from(units.get()));
            self.optional(location.as_ref(), |to, location| to.text(location.as_str()));
        }
    }

    fn confirm(&mut self, confirm: &Confirm) {
        let Confirm {
            id,
            lines,
            late,
            payment_ref,
        } = confirm;
        self.byte(2);
        self.id(*id);
        self.optional(lines.as_ref(), |to, (lines, remainder)| {
            to.lines(lines);
            to.byte(match remainder {
                Remainder::Release => 0,
                Remainder::Keep => 1,
            });
        });
        self.byte(match late {
            Late::Reacquire => 0,
            Late::Refuse => 1,
        });
        self.optional_text(payment_ref.as_ref());
    }

    fn release(&mut self, release: &Release) {
        let Release { id, lines, reason } = release;
        self.byte(3);
        self.id(*id);
        self.optional(lines.as_ref(), |to, lines| to.lines(lines));
        self.optional_text(reason.as_ref());
    }

    fn lines(&mut self, lines: &[LineUnits]) {
        self.number(lines.len() as u64);
        for LineUnits {
            sku,
            location,
            units,
        } in lines
        {
            self.text(sku.as_str());
            self.optional(location.as_ref(), |to, location| to.text(location.as_str()));
            self.number(u64::from(units.get()));
        }
    }

    fn configure(&mut self, configure: &Configure) {
        // `If-Match` is a header and no part of the content.
        let Configure {
            sku,
            safety_stock,
            customer_limit,
            opens_at,
            closes_at,
            paused,
            low_at,
            replenished_at,
            location_order,
            sourcing,
            on_shortfall,
            reason,
            expected_version: _,
        } = configure;
        self.byte(8);
        self.text(sku.as_str());
        self.levels(safety_stock);
        self.patch(customer_limit, |to, CustomerLimit { units, window }| {
            to.number(u64::from(*units));
            to.number(window.ms());
        });
        self.patch(opens_at, |to, at| to.number(at.ms()));
        self.patch(closes_at, |to, at| to.number(at.ms()));
        self.patch(paused, |to, paused| to.byte(u8::from(*paused)));
        self.patch(low_at, |to, units| to.number(u64::from(*units)));
        self.patch(location_order, |to, names| {
            to.number(names.len() as u64);
            for name in names {
                to.text(name.as_str());
            }
        });
        self.patch(sourcing, |to, sourcing| to.byte(*sourcing as u8));
        self.patch(on_shortfall, |to, policy| to.byte(*policy as u8));
        self.optional_text(reason.as_ref());
        // Came later: what doesn't name it has the hash that it always had.
        if *replenished_at != Patch::Keep {
            self.patch(replenished_at, |to, units| to.number(u64::from(*units)));
        }
    }

    /// Fields of an object have no order, so the names are sorted.
    fn levels(&mut self, levels: &[(Location, Patch<u32>)]) {
        let mut sorted: Vec<&(Location, Patch<u32>)> = levels.iter().collect();
        sorted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.number(sorted.len() as u64);
        for (location, units) in sorted {
            self.text(location.as_str());
            self.patch(units, |to, units| to.number(u64::from(*units)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::super::wire::body::{ConfirmBody, ReserveBody};
    use super::super::wire::configure::ConfigureBody;
    use super::*;

    fn content(command: &Command) -> u64 {
        tag(b"k", command).content
    }
    use holdfast_core::{ReservationId, Sku};

    fn reserve(body: &str) -> Command {
        let body: ReserveBody = parse(body.as_bytes()).expect("well formed");
        body.command(200).expect("well formed")
    }

    fn configure(body: &str) -> Command {
        let body: ConfigureBody = parse(body.as_bytes()).expect("well formed");
        body.command(Sku::parse("A").expect("a good name"), None)
            .expect("well formed")
    }

    #[test]
    fn the_spelling_of_a_body_makes_no_difference() {
        let plain = reserve(r#"{"lines":[{"sku":"A","qty":1}],"order_ref":"o-1"}"#);
        let spelled = r#" { "order_ref" : "o\u002d1", "mode":"all_or_nothing",
            "customer": null, "lines" : [ { "qty":1 , "sku":"A" } ] } "#;
        assert_eq!(content(&plain), content(&reserve(spelled)));
        let one = configure(r#"{"locations":{"a":{"safety_stock":1},"b":{}}}"#);
        let other = configure(r#"{"locations":{"b":{},"a":{"safety_stock":1}}}"#);
        assert_eq!(content(&one), content(&other));
    }

    #[test]
    fn every_value_makes_a_difference() {
        let bodies = [
            r#"{"lines":[{"sku":"A","qty":1}]}"#,
            r#"{"lines":[{"sku":"A","qty":2}]}"#,
            r#"{"lines":[{"sku":"B","qty":1}]}"#,
            r#"{"lines":[{"sku":"A","qty":1,"location":"x"}]}"#,
            r#"{"lines":[{"sku":"A","qty":1},{"sku":"A","qty":1}]}"#,
            r#"{"lines":[{"sku":"A","qty":1}],"order_ref":"o"}"#,
            r#"{"lines":[{"sku":"A","qty":1}],"customer":"o"}"#,
            r#"{"lines":[{"sku":"A","qty":1}],"ttl_ms":1000}"#,
            r#"{"lines":[{"sku":"A","qty":1}],"mode":"best_effort"}"#,
            r#"{"lines":[{"sku":"A","qty":1}],
                "replace":"019b0000-0000-8000-8000-000000000000"}"#,
        ];
        let mut hashes: Vec<u64> = bodies.iter().map(|body| content(&reserve(body))).collect();
        let id = ReservationId::UNMINTED;
        for body in ["{}", r#"{"late":"refuse"}"#, r#"{"payment_ref":"p"}"#] {
            let body: ConfirmBody = parse(body.as_bytes()).expect("well formed");
            hashes.push(content(&body.command(id, 200).expect("well formed")));
        }
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), bodies.len() + 3);
    }

    /// Ledgers keep these numbers for as long as keys live, across upgrades.
    #[test]
    fn the_hashes_never_change() {
        let command = reserve(r#"{"lines":[{"sku":"TEE-RED-M","qty":2}],"customer":"c-1"}"#);
        let KeyTag { hash, content } = tag(b"cart-1:3:1", &command);
        let shown = format!("{:016x} {:016x} {content:016x}", hash[0], hash[1]);
        assert_eq!(shown, "bfa4101a702bc20b 54e30886d6af5c74 fa0a317440ff37f9");
    }

    #[test]
    fn a_key_is_visible_ascii() {
        assert!(is_key(b"cart-1:3:1"));
        assert!(is_key(&[b'x'; 128]));
        for bad in [&b""[..], b"a b", b"a\n", "ü".as_bytes(), &[b'x'; 129]] {
            assert!(!is_key(bad), "{bad:?}");
        }
    }
}
