//! The words for what was asked and what came of it.
//!
//! Deliberately absent: how an answer is read. Status and body become an [`Outcome`] in `drive`.

/// What was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// `POST /v1/reservations`.
    Reserve,
    /// `POST /v1/reservations/{id}/confirm`.
    Confirm,
    /// `POST /v1/reservations/{id}/release`.
    Release,
    /// `GET /v1/reservations/{id}`.
    Read,
    /// `GET /v1/skus/{sku}/availability` and its likes.
    Availability,
}

impl Call {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Reserve,
        Self::Confirm,
        Self::Release,
        Self::Read,
        Self::Availability,
    ];

    /// Its name in results and thresholds.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Confirm => "confirm",
            Self::Release => "release",
            Self::Read => "read",
            Self::Availability => "availability",
        }
    }
}

/// What came of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Units are held.
    Reserved,
    /// Units are sold.
    Confirmed,
    /// Units of a lapsed reservation were there still, and are sold.
    ConfirmedLate,
    /// Units were given back.
    Released,
    /// 410 on a confirm: the reservation had lapsed.
    Expired,
    /// 409: not enough units.
    SoldOut,
    /// The customer has as many as one may have.
    Limited,
    /// The sale is paused, not yet open, or over.
    Closed,
    /// The answer of an earlier call with the same key, again.
    Replayed,
    /// What was asked for was shown.
    Read,
    /// 429 or 503: come again.
    Overloaded,
    /// Any other 4xx.
    Refused,
    /// No answer in time.
    TimedOut,
    /// The connection broke before the answer was whole.
    Broken,
    /// Any other 5xx, or an answer that cannot be read.
    Error,
}

impl Outcome {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Reserved,
        Self::Confirmed,
        Self::ConfirmedLate,
        Self::Released,
        Self::Expired,
        Self::SoldOut,
        Self::Limited,
        Self::Closed,
        Self::Replayed,
        Self::Read,
        Self::Overloaded,
        Self::Refused,
        Self::TimedOut,
        Self::Broken,
        Self::Error,
    ];

    /// Its name in results and thresholds.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Confirmed => "confirmed",
            Self::ConfirmedLate => "confirmed_late",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::SoldOut => "sold_out",
            Self::Limited => "limited",
            Self::Closed => "closed",
            Self::Replayed => "replayed",
            Self::Read => "read",
            Self::Overloaded => "overloaded",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::Error => "error",
        }
    }

    /// Whether the server said anything at all.
    pub fn is_answer(self) -> bool {
        !matches!(self, Self::TimedOut | Self::Broken)
    }

    /// Whether the service failed its caller. That the business said no is no error.
    pub fn is_error(self) -> bool {
        match self {
            Self::Overloaded | Self::TimedOut | Self::Broken | Self::Error => true,
            Self::Reserved
            | Self::Confirmed
            | Self::ConfirmedLate
            | Self::Released
            | Self::Expired
            | Self::SoldOut
            | Self::Limited
            | Self::Closed
            | Self::Replayed
            | Self::Read
            | Self::Refused => false,
        }
    }
}
