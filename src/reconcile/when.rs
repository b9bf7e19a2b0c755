//! Times as people write them: RFC 3339, UTC, with milliseconds.

use holdfast_core::Timestamp;

/// Reads a time that ends with `Z`.
pub fn parse(text: &str) -> Option<Timestamp> {
    let parsed: jiff::Timestamp = text.ends_with('Z').then(|| text.parse().ok())??;
    let ms = u64::try_from(parsed.as_millisecond()).ok()?;
    Some(Timestamp::from_ms(ms))
}

/// Writes a time; one that no calendar has as milliseconds.
pub fn text(at: Timestamp) -> String {
    let instant = i64::try_from(at.ms()).ok();
    let instant = instant.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    instant.map_or_else(|| at.ms().to_string(), |instant| format!("{instant:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_comes_back_and_one_without_its_zone_is_none() {
        let at = Timestamp::from_ms(1_795_361_400_020);
        assert_eq!(text(at), "2026-11-22T15:30:00.020Z");
        assert_eq!(parse(&text(at)), Some(at));
        assert_eq!(parse("2026-11-22T15:30:00"), None);
        assert_eq!(parse("yesterday"), None);
    }
}
