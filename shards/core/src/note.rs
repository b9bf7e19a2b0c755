//! Notes: what was said about a change, kept with its event and meaning nothing to the state.

use crate::id::ReservationId;
use crate::name::Text;
use crate::stream::FeedMark;
use crate::time::Timestamp;
use crate::trace::TraceParent;

/// What a caller said about a change, for the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// Why.
    pub reason: Option<Text>,
    /// The paper it stands on.
    pub document: Option<Text>,
    /// Who sent it.
    pub source: Option<Text>,
    /// When it happened out there.
    pub occurred_at: Option<Timestamp>,
    /// The id under which a movement was answered.
    pub movement: Option<ReservationId>,
    /// The payment of a confirm.
    pub payment: Option<Text>,
    /// The reservation that a movement is about.
    pub reservation: Option<ReservationId>,
    /// The drift that this opened, corrects or dismisses.
    pub drift: Option<ReservationId>,
    /// Its place in its source's stream.
    pub feed: Option<FeedMark>,
    /// The source's own id of the message.
    pub message: Option<Text>,
    /// Whom a shortfall leaves without units.
    pub shorted: Option<Box<Shorted>>,
    /// Where the request stood in its caller's trace.
    pub trace: Option<TraceParent>,
}

/// Whom a shortfall leaves without units, or with fewer than they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shorted {
    /// The newest reservations, the newest last, with the units they lack.
    pub named: Vec<(ReservationId, u32)>,
    /// How many older ones there are.
    pub more: u64,
}
