//! Ledger times as RFC 3339 texts, as everything outside reads them.

use holdfast_core::Timestamp;
use serde::ser::{Serialize, Serializer};

/// `2026-11-22T15:30:00.000Z`, without an allocation.
pub struct TimeText {
    bytes: [u8; 24],
}

impl TimeText {
    /// Of a time.
    pub fn of(at: Timestamp) -> Self {
        // What is beyond the year 9999 is shown as its end.
        let instant = i64::try_from(at.ms())
            .ok()
            .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let instant = instant.unwrap_or(jiff::Timestamp::MAX);
        let civil = jiff::tz::Offset::UTC.to_datetime(instant);
        let mut bytes = *b"0000-00-00T00:00:00.000Z";
        let parts = [
            (0, 4, u32::from(civil.year().unsigned_abs())),
            (5, 2, u32::from(civil.month().unsigned_abs())),
            (8, 2, u32::from(civil.day().unsigned_abs())),
            (11, 2, u32::from(civil.hour().unsigned_abs())),
            (14, 2, u32::from(civil.minute().unsigned_abs())),
            (17, 2, u32::from(civil.second().unsigned_abs())),
            (20, 3, u32::from(civil.millisecond().unsigned_abs())),
        ];
        for (start, len, mut number) in parts {
            for digit in bytes[start..start + len].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        Self { bytes }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes).expect("digits and separators are ASCII")
    }
}

impl Serialize for TimeText {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        json.serialize_str(self.as_str())
    }
}
