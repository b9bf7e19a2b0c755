//! What is delivered together: one event, or several as a batch; and whose turn they wait for.

use super::super::binary::Apart;
use super::super::envelope::Published;
use super::super::stream::Batch;
use super::send::Message;
use holdfast_core::Sku;
use hyper::body::Bytes;
use std::collections::{HashSet, VecDeque};
use xxhash_rust::xxh3::Xxh3;

/// What keeps its order: the events of a SKU, or those of a shard that are of none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub(super) shard: u16,
    pub(super) sku: Option<Sku>,
}

/// An event on its way to a receiver.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) lane: Lane,
    pub(super) seq: u64,
    pub(super) id: String,
    pub(super) json: Bytes,
}

impl Item {
    /// An event of a batch. Its text is copied, so that the block it came in can go.
    pub(super) fn of(batch: &Batch, event: &Published) -> Self {
        Self {
            lane: Lane {
                shard: batch.shard(),
                sku: event.sku.clone(),
            },
            seq: event.seq,
            id: batch.id(event),
            json: Bytes::copy_from_slice(&batch.json(event)),
        }
    }
}

/// How events are put into requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One, as JSON.
    Single,
    /// One, its attributes as headers.
    Binary,
    /// Up to so many, as a list.
    Batch(usize),
}

impl Form {
    /// Events of one request, at most.
    pub(super) fn most(self) -> usize {
        match self {
            Self::Single | Self::Binary => 1,
            Self::Batch(most) => most,
        }
    }
}

/// What is sent for some events. The same events are the same message, however often they go.
pub(super) fn message(items: &[Item], form: Form) -> Message {
    match (items, form) {
        ([item], Form::Single) => Message {
            id: item.id.clone(),
            content_type: "application/cloudevents+json".to_owned(),
            headers: Vec::new(),
            body: item.json.clone(),
        },
        ([item], Form::Binary) => binary(item),
        (items, _) => batch(items),
    }
}

/// By the HTTP binding of CloudEvents 1.0, section 3.1.
fn binary(item: &Item) -> Message {
    let apart = Apart::of(&item.json);
    let headers = apart.attributes.into_iter();
    Message {
        id: item.id.clone(),
        content_type: apart.content_type,
        headers: headers
            .map(|(name, value)| (format!("ce-{name}"), value))
            .collect(),
        body: Bytes::copy_from_slice(apart.data.get().as_bytes()),
    }
}

fn batch(items: &[Item]) -> Message {
    let mut hash = Xxh3::new();
    let mut body = Vec::with_capacity(items.iter().map(|item| item.json.len() + 1).sum());
    for item in items {
        hash.update(item.id.as_bytes());
        body.push(if body.is_empty() { b'[' } else { b',' });
        body.extend_from_slice(&item.json);
    }
    body.push(b']');
    let first = items.first().map_or("", |item| &item.id);
    Message {
        id: format!("{first}-{}-{:016x}", items.len(), hash.digest()),
        content_type: "application/cloudevents-batch+json".to_owned(),
        headers: Vec::new(),
        body: body.into(),
    }
}

/// Takes the next events that may go: in order, up to `most`, none of a lane that is busy, and none
/// before an earlier one of its lane.
pub(super) fn gather(items: &mut VecDeque<Item>, busy: &HashSet<Lane>, most: usize) -> Vec<Item> {
    let mut skipped: HashSet<&Lane> = HashSet::new();
    let mut places = Vec::new();
    for (place, item) in items.iter().enumerate() {
        if busy.contains(&item.lane) || skipped.contains(&item.lane) {
            skipped.insert(&item.lane);
            continue;
        }
        places.push(place);
        if most <= places.len() {
            break;
        }
    }
    // Each removal moves the later ones up by one.
    let removed = places.iter().enumerate();
    removed
        .filter_map(|(gone, place)| items.remove(place - gone))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(sku: &str, seq: u64) -> Item {
        Item {
            lane: Lane {
                shard: 0,
                sku: Sku::parse(sku).ok(),
            },
            seq,
            id: format!("id-{seq}"),
            json: Bytes::from(format!("{{\"n\":{seq}}}")),
        }
    }

    fn seqs(items: &[Item]) -> Vec<u64> {
        items.iter().map(|item| item.seq).collect()
    }

    #[test]
    fn what_is_gathered_keeps_the_order_of_every_lane() {
        let all = [("A", 1), ("B", 2), ("A", 3), ("C", 4), ("B", 5), ("C", 6)];
        let mut items: VecDeque<Item> = all.map(|(sku, seq)| item(sku, seq)).into();
        let busy = HashSet::from([item("B", 0).lane]);
        assert_eq!(seqs(&gather(&mut items, &busy, 3)), [1, 3, 4]);
        assert_eq!(seqs(items.make_contiguous()), [2, 5, 6]);
        assert_eq!(seqs(&gather(&mut items, &HashSet::new(), 1)), [2]);
        assert_eq!(seqs(&gather(&mut items, &busy, 9)), [6]);
        assert_eq!(seqs(&gather(&mut items, &busy, 9)), [0; 0]);
    }

    #[test]
    fn the_same_events_are_the_same_message_and_others_another() {
        let (one, two) = (item("A", 1), item("B", 2));
        let single = message(std::slice::from_ref(&one), Form::Single);
        assert_eq!((&*single.id, &*single.body), ("id-1", &br#"{"n":1}"#[..]));
        let both = message(&[one.clone(), two.clone()], Form::Batch(10));
        assert_eq!(both.body, &br#"[{"n":1},{"n":2}]"#[..]);
        assert_eq!(
            both.id,
            message(&[one.clone(), two.clone()], Form::Batch(10)).id
        );
        let alone = message(std::slice::from_ref(&one), Form::Batch(10));
        assert_eq!(alone.body, &br#"[{"n":1}]"#[..]);
        assert_ne!(alone.id, message(&[two], Form::Batch(10)).id);
        assert!(alone.id.starts_with("id-1-1-"), "{}", alone.id);
    }
}
