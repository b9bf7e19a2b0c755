//! Logs: structured lines on stderr, as text or JSON.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// Starts logging for the whole process; a second call changes nothing.
pub fn init(log: &Log) {
    let filter = EnvFilter::builder().parse_lossy(&log.filter);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A line that can't be written is lost. Saying so on stderr, where it was not taken either,
        // would panic in the midst of a call.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    // Only a test that starts two services in one process gets an error here.
    let _ = match log.format {
        LogFormat::Text => subscriber
            .with_ansi(std::io::stderr().is_terminal())
            .finish()
            .try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).finish().try_init(),
    };
}
