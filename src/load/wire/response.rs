//! Answers: where one ends, and what a buyer looks at in it.
//!
//! Deliberately absent: a JSON reader on the hot path. The few words that matter are found by their
//! names, which the contract never renames; only what is read back for the proof is parsed whole.

use std::time::Duration;

use crate::{
    client::wire::{Problem, Reservation, Status},
    load::drive::{Call, Outcome, Reply, Standing, Units},
};

/// What is known of an answer so far.
pub(super) enum Parsed {
    /// It goes on.
    Part,
    /// It is all there.
    Whole(Head),
    /// It is none that this reader knows.
    Unreadable,
}

/// An answer's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Where its body begins and ends.
    pub(super) body: usize,
    pub(super) end: usize,
    /// The other side closes after it.
    pub(super) closes: bool,
    replayed: bool,
    retry_after_s: u64,
}

/// Looks for a whole answer at the begin of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let Some(head_end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return Parsed::Part;
    };
    let lines = &bytes[..head_end + 2];
    let Some(status) = bytes
        .get(9..12)
        .filter(|_| bytes.starts_with(b"HTTP/1."))
        .and_then(digits)
    else {
        return Parsed::Unreadable;
    };
    let mut head = Head {
        status: status as u16,
        body: head_end + 4,
        end: 0,
        closes: false,
        replayed: false,
        retry_after_s: 0,
    };
    let mut length = None;
    let mut begin = 0;
    for line_end in memchr::memchr_iter(b'\n', lines) {
        let line = &lines[begin..line_end];
        begin = line_end + 1;
        // Most fields are told apart by their first letter alone.
        match line.first().map(u8::to_ascii_lowercase) {
            Some(b'c') => {
                if let Some(value) = field(line, b"content-length") {
                    length = digits(value);
                } else if let Some(value) = field(line, b"connection") {
                    head.closes = value.eq_ignore_ascii_case(b"close");
                }
            }
            Some(b'i') => {
                head.replayed |= field(line, b"idempotent-replayed").is_some_and(|v| v == b"true");
            }
            Some(b'r') => {
                if let Some(value) = field(line, b"retry-after") {
                    head.retry_after_s = digits(value).unwrap_or(0);
                }
            }
            _ => {}
        }
    }
    let Some(length) = length else {
        return Parsed::Unreadable;
    };
    head.end = head.body + length as usize;
    if head.end <= bytes.len() {
        Parsed::Whole(head)
    } else {
        Parsed::Part
    }
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    text.iter()
        .try_fold(0, |sum, byte| Some(sum * 10 + digit(byte)?))
}

/// What an answer comes to.
pub(super) fn reply(call: Call, head: &Head, body: &[u8]) -> Reply {
    if (200..300).contains(&head.status) {
        success(call, head, body)
    } else {
        refusal(head, body)
    }
}

fn success(call: Call, head: &Head, body: &[u8]) -> Reply {
    if call == Call::Availability {
        return Reply::of(Outcome::Read);
    }
    if call == Call::Read {
        return read(body);
    }
    let standing = text(body, b"\"status\":\"").and_then(Standing::parse);
    let id = text(body, b"\"id\":\"").and_then(|id| uuid::Uuid::try_parse_ascii(id).ok());
    let Some(id) = id else {
        return Reply::lost(Outcome::Error);
    };
    let is_late = memchr::memmem::find(body, b"\"late\":true").is_some();
    let outcome = match call {
        _ if head.replayed => Outcome::Replayed,
        Call::Reserve => Outcome::Reserved,
        Call::Confirm if is_late => Outcome::ConfirmedLate,
        Call::Confirm => Outcome::Confirmed,
        Call::Release => Outcome::Released,
        Call::Read | Call::Availability => Outcome::Read,
    };
    let mut reply = Reply::of(outcome);
    reply.id = id.as_u128();
    reply.standing = standing;
    reply.replayed = head.replayed;
    reply
}

fn read(body: &[u8]) -> Reply {
    let Ok(found) = serde_json::from_slice::<Reservation>(body) else {
        return Reply::lost(Outcome::Error);
    };
    let mut units = Units::default();
    for line in &found.lines {
        units.qty += line.qty;
        units.open += line.open;
        units.confirmed += line.confirmed;
        units.released += line.released;
        units.expired += line.expired;
    }
    let mut reply = Reply::of(Outcome::Read);
    reply.id = uuid::Uuid::try_parse(&found.id).map_or(0, |id| id.as_u128());
    reply.units = Some(units);
    reply.standing = Some(match found.status {
        Status::Open => Standing::Open,
        Status::Confirmed => Standing::Confirmed,
        Status::Released => Standing::Released,
        Status::Expired => Standing::Expired,
    });
    reply
}

fn refusal(head: &Head, body: &[u8]) -> Reply {
    let code = text(body, b"\"code\":\"").unwrap_or_default();
    let mut reply = match (head.status, code) {
        (409, b"insufficient-stock") => sold_out(body),
        (409, b"customer-limit") => Reply::of(Outcome::Limited),
        (409, b"sale-closed" | b"sale-paused") => Reply::of(Outcome::Closed),
        (409, b"idempotency-in-progress") => {
            let mut reply = Reply::of(Outcome::Refused);
            (reply.again, reply.unknown) = (true, true);
            reply
        }
        (410, b"reservation-expired") => Reply::of(Outcome::Expired),
        (429 | 503, _) => {
            let mut reply = Reply::lost(Outcome::Overloaded);
            // Without a word on its outcome, a call may have had its effect.
            reply.unknown =
                head.status == 503 && text(body, b"\"outcome\":\"") != Some(b"not_applied");
            reply
        }
        (500.., _) => {
            let mut reply = Reply::lost(Outcome::Error);
            reply.unknown = text(body, b"\"outcome\":\"") != Some(b"not_applied");
            reply
        }
        _ => Reply::of(Outcome::Refused),
    };
    reply.replayed = head.replayed;
    reply.retry_after = Duration::from_secs(head.retry_after_s);
    if reply.outcome == Outcome::Refused {
        let code = String::from_utf8_lossy(code);
        reply.code = Some(format!("{} {code}", head.status).into());
    }
    reply
}

/// Whether the numbers of such a refusal speak against it is worth a look at each.
fn sold_out(body: &[u8]) -> Reply {
    let mut reply = Reply::of(Outcome::SoldOut);
    // One short line, as nearly always: no need to read all of it.
    let one = memchr::memmem::find_iter(body, b"\"requested\":").count() == 1;
    reply.denies_itself = if one {
        match (
            amount(body, b"\"requested\":"),
            amount(body, b"\"available\":"),
        ) {
            (Some(requested), Some(available)) => requested <= available,
            _ => true,
        }
    } else {
        let found = serde_json::from_slice::<Problem>(body);
        found.map_or(true, |problem| {
            let denied = |line: &crate::client::wire::ShortLine| line.requested <= line.available;
            problem.lines.is_empty() || problem.lines.iter().any(denied)
        })
    };
    reply
}

/// The text that follows `name`, which ends with its opening quote.
fn text<'a>(body: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let from = memchr::memmem::find(body, name)? + name.len();
    let rest = &body[from..];
    Some(&rest[..memchr::memchr(b'"', rest)?])
}

/// The number that follows `name`.
fn amount(body: &[u8], name: &[u8]) -> Option<u64> {
    let from = memchr::memmem::find(body, name)? + name.len();
    let rest = &body[from..];
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    digits(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(head: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    fn whole(bytes: &[u8]) -> Head {
        match parse(bytes) {
            Parsed::Whole(head) => head,
            Parsed::Part => panic!("it goes on"),
            Parsed::Unreadable => panic!("it can't be read"),
        }
    }

    fn heard(call: Call, head: &str, body: &str) -> Reply {
        let bytes = answer(head, body);
        let head = whole(&bytes);
        reply(call, &head, &bytes[head.body..head.end])
    }

    #[test]
    fn an_answer_is_whole_with_its_last_byte_and_not_before() {
        let bytes = answer("200 OK\r\nRetry-After: 3", "{}");
        for cut in 0..bytes.len() {
            assert!(matches!(parse(&bytes[..cut]), Parsed::Part), "{cut}");
        }
        let head = whole(&bytes);
        assert_eq!(
            (head.status, head.retry_after_s, head.closes),
            (200, 3, false)
        );
        assert_eq!(&bytes[head.body..head.end], b"{}");
        assert!(matches!(parse(b"nonsense\r\n\r\n"), Parsed::Unreadable));
    }

    #[test]
    fn what_was_made_is_read_with_its_id_and_standing() {
        let body = r#"{"id":"01234567-89ab-8cde-8f01-23456789abcd","status":"open","late":false}"#;
        let made = heard(Call::Reserve, "201 Created", body);
        assert_eq!(made.outcome, Outcome::Reserved);
        assert_eq!(made.id, 0x0123_4567_89ab_8cde_8f01_2345_6789_abcd);
        assert_eq!(made.standing, Some(Standing::Open));
        let again = heard(
            Call::Reserve,
            "201 Created\r\nIdempotent-Replayed: true",
            body,
        );
        assert_eq!((again.outcome, again.replayed), (Outcome::Replayed, true));
        let late = body
            .replace("false", "true")
            .replace("\"open\"", "\"confirmed\"");
        let late = heard(Call::Confirm, "200 OK", &late);
        assert_eq!(late.outcome, Outcome::ConfirmedLate);
        let nothing = heard(Call::Reserve, "201 Created", "{}");
        assert_eq!((nothing.outcome, nothing.again), (Outcome::Error, true));
    }

    #[test]
    fn refusals_are_told_apart_by_status_and_code() {
        let said = |head: &str, body: &str| heard(Call::Reserve, head, body);
        let short = r#"{"code":"insufficient-stock","lines":[{"requested":2,"available":1}]}"#;
        let refused = said("409 Conflict", short);
        assert_eq!(
            (refused.outcome, refused.denies_itself),
            (Outcome::SoldOut, false)
        );
        let denied = said("409 Conflict", &short.replace(":1}", ":2}"));
        assert!(denied.denies_itself);
        let two = short.replace("[{", r#"[{"requested":3,"available":3},{"#);
        assert!(said("409 Conflict", &two).denies_itself);
        let busy = said(
            "503 Busy\r\nretry-after: 1",
            r#"{"code":"shard-overloaded","outcome":"not_applied"}"#,
        );
        assert_eq!(busy.outcome, Outcome::Overloaded);
        assert!(busy.again && !busy.unknown && busy.retry_after == Duration::from_secs(1));
        let broken = said("500 Oops", "");
        assert!(broken.again && broken.unknown);
        let wrong = said("422 No", r#"{"code":"ttl-limit"}"#);
        assert_eq!(
            (wrong.again, wrong.words()),
            (false, "422 ttl-limit".to_owned())
        );
    }
}
