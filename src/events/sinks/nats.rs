//! NATS `JetStream`: a subject per type of event, in one stream.
//!
//! Each message has the event's id as `Nats-Msg-Id`, so that the server leaves out what is told
//! again within the stream's window. Once one was new, each of those behind it names the one before
//! as what has to stand last: so when one is refused, those behind it are too, and the order holds.
//!
//! Deliberately absent: how a stream is kept. One that is made here has NATS's own defaults; one
//! that is there already is used as it is.

use super::face::Face;
use super::{Delivering, Sink, Undelivered};
use crate::config;
use crate::config::EventMode;
use crate::events::binary::Apart;
use crate::events::stream::Batch;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{Context, context::PublishAckFuture, stream};
use async_nats::{ConnectOptions, ServerAddr};
use hyper::body::Bytes;
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use std::time::Duration;

/// Messages that wait for their acknowledgement at once.
const WINDOW: usize = 1_000;

/// How long the server may take to be reached.
const PATIENCE: Duration = Duration::from_secs(5);

/// The sink.
pub(super) struct Nats {
    url: String,
    credentials: Option<PathBuf>,
    stream: String,
    subject: String,
    mode: EventMode,
    open: Option<Context>,
}

impl Nats {
    /// As configured.
    pub(super) fn new(settings: &config::Sinks) -> Self {
        Self {
            url: settings.nats_url.0.clone(),
            credentials: settings.nats_credentials.clone(),
            stream: settings.nats_stream.clone(),
            subject: settings.nats_subject.clone(),
            mode: settings.mode,
            open: None,
        }
    }

    async fn open(&self) -> Result<Context, Undelivered> {
        let options = match &self.credentials {
            Some(file) => ConnectOptions::with_credentials_file(file)
                .await
                .map_err(|error| Undelivered::new(format_args!("{}: {error}", file.display())))?,
            None => ConnectOptions::new(),
        };
        let options = self.named(options)?.connection_timeout(PATIENCE);
        let client = options.connect(&self.url).await;
        let context = async_nats::jetstream::new(client.map_err(Undelivered::new)?);
        let stream = stream::Config {
            name: self.stream.clone(),
            subjects: vec![format!("{}.>", self.subject)],
            ..stream::Config::default()
        };
        let there = context.get_or_create_stream(stream).await;
        there.map_err(Undelivered::new)?;
        Ok(context)
    }

    /// With the user and password of the URL, which the client leaves alone.
    fn named(&self, options: ConnectOptions) -> Result<ConnectOptions, Undelivered> {
        let first = self.url.split(',').next().unwrap_or_default();
        let address: ServerAddr = first.parse().map_err(Undelivered::new)?;
        let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Ok(match (address.username(), address.password()) {
            (Some(user), Some(password)) => options.user_and_password(plain(user), plain(password)),
            _ => options,
        })
    }

    async fn carry(&self, context: &Context, batch: &Batch) -> Result<(), Undelivered> {
        let mut sent = Vec::with_capacity(WINDOW.min(batch.len()));
        // Known once one was new: what the server knows already does not stand last there.
        let mut last: Option<String> = None;
        for event in batch.events() {
            let json = batch.json(event);
            let face = Face::of(&json);
            let mut message = PublishMessage::build()
                .expected_stream(&self.stream)
                .message_id(&face.id);
            if let Some(last) = &last {
                message = message.expected_last_message_id(last);
            }
            let id = face.id.clone().into_owned();
            let subject = format!("{}.{}", self.subject, event.kind.word());
            let message = self.filled(message, json);
            let publish = context.send_publish(subject, message);
            let acknowledgement = publish.await.map_err(Undelivered::new)?;
            if last.is_some() {
                sent.push(acknowledgement);
                last = Some(id);
            } else if !acknowledgement.await.map_err(Undelivered::new)?.duplicate {
                last = Some(id);
            }
            if sent.len() == WINDOW {
                acknowledged(&mut sent).await?;
            }
        }
        acknowledged(&mut sent).await
    }
}

impl Nats {
    /// By the NATS binding of `CloudEvents` 1.0, section 3.
    fn filled(&self, mut message: PublishMessage, json: Bytes) -> PublishMessage {
        match self.mode {
            EventMode::Structured => message
                .header("content-type", "application/cloudevents+json")
                .payload(json),
            EventMode::Binary => {
                let apart = Apart::of(&json);
                for (name, value) in apart.attributes {
                    message = message.header(format!("ce-{name}"), value);
                }
                let message = message.header("content-type", apart.content_type);
                message.payload(Bytes::copy_from_slice(apart.data.get().as_bytes()))
            }
        }
    }
}

impl Sink for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn deliver<'a>(&'a mut self, batches: &'a [Batch]) -> Delivering<'a> {
        Box::pin(async move {
            // After a failure the connection is made anew, so that nothing of it is under way.
            let context = match self.open.take() {
                Some(context) => context,
                None => self.open().await?,
            };
            for batch in batches {
                self.carry(&context, batch).await?;
            }
            self.open = Some(context);
            Ok(())
        })
    }
}

async fn acknowledged(sent: &mut Vec<PublishAckFuture>) -> Result<(), Undelivered> {
    for acknowledgement in sent.drain(..) {
        acknowledgement.await.map_err(Undelivered::new)?;
    }
    Ok(())
}
