//! Reads ahead for one webhook, a block at a time, so that what sends never waits for a disk.

use super::parcel::Item;
use super::record::Webhook;
use crate::events::Events;
use crate::events::cursor::Cursor;
use crate::events::filter::Filter;
use crate::events::stream::{Ended, Stream};
use holdfast_core::Sku;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How often a reader of few events says how far it is.
const TELL: Duration = Duration::from_secs(1);

/// What was read.
pub(super) enum Read {
    /// Events that are wanted, up to the cursor.
    Events { items: Vec<Item>, cursor: Cursor },
    /// None, up to the cursor.
    Nothing { cursor: Cursor },
    /// Events before the cursor are lost.
    Lost { cursor: Cursor },
}

/// A task that reads; dropping this ends it.
pub(super) struct Reader {
    reads: mpsc::Receiver<Read>,
    task: JoinHandle<()>,
}

impl Reader {
    /// Reads what a webhook wants after a cursor.
    pub(super) fn start(events: &Events, from: Cursor, webhook: &Webhook) -> Self {
        let mut filter = Filter::default();
        if !webhook.types.is_empty() {
            filter = filter.types(&webhook.kinds());
        }
        if !webhook.skus.is_empty() {
            filter = filter.skus(webhook.skus.iter().filter_map(|sku| Sku::parse(sku).ok()));
        }
        let stream = events.own_stream(from, filter);
        let (to, reads) = mpsc::channel(1);
        let task = tokio::spawn(read(stream, to));
        Self { reads, task }
    }

    /// What was read next.
    pub(super) async fn next(&mut self) -> Read {
        match self.reads.recv().await {
            Some(read) => read,
            // It ends with its reader alone, and never by itself.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(mut stream: Stream, to: mpsc::Sender<Read>) {
    let mut told = stream.cursor().clone();
    loop {
        let read = match tokio::time::timeout(TELL, stream.next()).await {
            Ok(Ok(batch)) => Read::Events {
                items: batch
                    .events()
                    .map(|event| Item::of(&batch, event))
                    .collect(),
                cursor: stream.cursor().clone(),
            },
            Err(_) if told == *stream.cursor() => continue,
            Err(_) => Read::Nothing {
                cursor: stream.cursor().clone(),
            },
            Ok(Err(Ended::Expired { earliest })) => {
                stream.seek(earliest.clone());
                Read::Lost { cursor: earliest }
            }
            Ok(Err(Ended::Failed(error))) => {
                tracing::warn!(%error, "a webhook waits for the ledger");
                tokio::time::sleep(TELL).await;
                continue;
            }
        };
        told = stream.cursor().clone();
        if stream.meanwhile(to.send(read)).await.is_err() {
            return;
        }
    }
}
