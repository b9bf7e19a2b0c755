//! Messages, events and answers in a few words, for the story of a failure.

use holdfast_core::{Answer, Event, HeldLine, ReservationId, Settle};
use holdfast_runtime::Told;
use holdfast_runtime::peer::PeerMessage;

/// The end of an id, which tells them apart.
pub(crate) fn id(id: ReservationId) -> String {
    format!("r{}.{}", id.opening().number(), id.counter())
}

pub(crate) fn of(message: &PeerMessage) -> String {
    match message {
        PeerMessage::Try(part, _) => {
            let lines = part.lines.iter();
            let lines: Vec<_> = lines
                .map(|line| format!("{} {}", line.units.get(), line.sku))
                .collect();
            let late = if part.late.is_some() { " late" } else { "" };
            format!("Try {}#{}{late} {lines:?}", id(part.id), part.attempt)
        }
        PeerMessage::Held(held) => {
            let again = if held.again { " again" } else { "" };
            let lines: Vec<_> = held.held.iter().map(line).collect();
            format!("Held {}#{}{again} {lines:?}", id(held.id), held.attempt)
        }
        PeerMessage::Short(short) => {
            format!("Short {}#{} {:?}", id(short.id), short.attempt, short.why)
        }
        PeerMessage::Ask { id: cart, holds } => format!("Ask {} {holds:?}", id(*cart)),
        PeerMessage::Decided(settles, _) => {
            let settles: Vec<_> = settles.iter().map(settle).collect();
            format!("Decided {settles:?}")
        }
        PeerMessage::Drop(drops, _) => {
            let drops: Vec<_> = drops
                .iter()
                .map(|drop| format!("{}/{}", id(drop.id), drop.hold))
                .collect();
            format!("Drop {drops:?}")
        }
        PeerMessage::Settled {
            id: cart,
            version,
            holds,
        } => format!("Settled {} v{version} {holds:?}", id(*cart)),
        PeerMessage::Shipped(note) => format!(
            "Shipped {}/{} v{} {}",
            id(note.id),
            note.hold,
            note.version,
            note.shipped
        ),
        PeerMessage::Told(note) => format!("Told {}/{} {}", id(note.id), note.hold, note.shipped),
        PeerMessage::Shortfall {
            id: cart,
            sku,
            hold,
        } => format!("Shortfall {}/{hold} of {sku}", id(*cart)),
        PeerMessage::Kept { hold, .. } => format!("Kept {hold}"),
        PeerMessage::Reopened { shard } => format!("Reopened {shard}"),
    }
}

fn line(line: &HeldLine) -> String {
    format!("{} {} as {}", line.units, line.sku, line.hold)
}

fn settle(settle: &Settle) -> String {
    let Settle {
        hold,
        version,
        confirmed,
        released,
        expired,
        cancelled,
        units,
        ..
    } = settle;
    format!(
        "{}/{hold} v{version} {confirmed}+{released}+{expired} of {units}, {cancelled} back",
        id(settle.id)
    )
}

pub(crate) fn events(events: &[Event]) -> String {
    let kinds: Vec<_> = events
        .iter()
        .map(|event| format!("{} {:?}", event.seq, event.kind))
        .collect();
    kinds.join(", ")
}

pub(crate) fn told(told: &Told) -> String {
    match told {
        Ok(Answer::Reservation { view, replayed, .. }) => {
            let lines = view.lines.iter().map(|line| {
                let (open, sold) = (line.open, line.confirmed);
                format!(
                    "{open}+{sold}+{}+{} {}",
                    line.released, line.expired, line.sku
                )
            });
            let lines: Vec<_> = lines.collect();
            let again = if *replayed { " again" } else { "" };
            format!("{} v{} {lines:?}{again}", id(view.id), view.version)
        }
        Ok(Answer::Refused { refusal, .. }) => format!("{refusal:?}"),
        Ok(Answer::Movement { .. }) => "moved".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(unavailable) => unavailable.to_string(),
    }
}
