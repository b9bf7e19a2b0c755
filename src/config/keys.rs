//! Every configuration key: its section, type, default and range.
//!
//! `config/holdfast.toml` explains the same keys to operators; a test keeps the two in step.
//! Deliberately absent: rules that join several keys (`check`).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::value::{
    Bytes, Durability, EventMode, FileMode, Input, LogFormat, Millis, OrAuto, Pauses, Setting,
    Shown, Texts, Url,
};

/// Why a key did not take a value: the end of "set it to …".
pub(crate) type Wanted = String;

/// A section of the file: a struct whose fields are the keys.
pub(crate) trait Section {
    /// The keys, without the section's name.
    fn keys(&self) -> &'static [&'static str];
    /// Gives `key` a value; `key` is one of `keys`.
    fn set(&mut self, key: &str, input: &Input) -> Result<(), Wanted>;
    /// All values, in the order of `keys`.
    fn shown(&self) -> Vec<Shown>;
    /// The keys that are out of their range, with what to set them to.
    fn out_of_range(&self) -> Vec<(&'static str, Wanted)>;
}

fn range_fault(number: Option<u64>, (low, high): (u64, u64)) -> Option<Wanted> {
    let number = number?;
    if number < low {
        Some(format!("at least {low}"))
    } else if number > high {
        Some(format!("at most {high}"))
    } else {
        None
    }
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident {
        $( $(#[$field_doc:meta])* $field:ident : $type:ty = $default:expr
           $(, from $low:literal to $high:literal)? ; )*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $( $(#[$field_doc])* pub $field: $type, )* }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl Section for $name {
            fn keys(&self) -> &'static [&'static str] {
                &[$( stringify!($field), )*]
            }

            fn set(&mut self, key: &str, input: &Input) -> Result<(), Wanted> {
                match key {
                    $( stringify!($field) => {
                        self.$field = <$type as Setting>::read(input)
                            .ok_or_else(|| <$type as Setting>::WANTED.to_owned())?;
                    } )*
                    other => unreachable!("{other} is not one of keys()"),
                }
                Ok(())
            }

            fn shown(&self) -> Vec<Shown> {
                vec![$( self.$field.show(), )*]
            }

            fn out_of_range(&self) -> Vec<(&'static str, Wanted)> {
                let ranges: Vec<Option<(&'static str, Wanted)>> = vec![$( $(
                    range_fault(self.$field.number(), ($low, $high))
                        .map(|wanted| (stringify!($field), wanted)),
                )? )*];
                ranges.into_iter().flatten().collect()
            }
        }
    };
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const KIB: u64 = 1_024;
const MIB: u64 = 1_024 * KIB;

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

section! {
    /// The listeners and what one request may cost.
    Http {
        /// The data listener's address.
        listen: SocketAddr = loopback(7070);
        /// The admin listener's address.
        admin_listen: SocketAddr = loopback(7071);
        /// A Unix socket that serves the data listener's calls as well.
        uds: Option<PathBuf> = None;
        /// The socket file's permission bits.
        uds_mode: FileMode = FileMode(0o660);
        /// Connections at once, per listening socket.
        connections_max: u64 = 16_384, from 1 to 1_000_000;
        /// Requests being served at once on the data listener.
        in_flight_max: u64 = 8_192, from 1 to 1_000_000;
        /// Configuration and receipts being served at once, beside `in_flight_max`.
        in_flight_config_max: u64 = 256, from 1 to 1_000_000;
        /// From a request's first byte to the end of its head.
        header_timeout_ms: Millis = Millis(10 * SECOND), from 10 to 3_600_000;
        /// From the end of the head to the end of the body.
        body_timeout_ms: Millis = Millis(10 * SECOND), from 10 to 3_600_000;
        /// Without a request on an open connection.
        idle_timeout_ms: Millis = Millis(75 * SECOND), from 10 to 86_400_000;
        /// Without the client taking a byte of its answer.
        write_timeout_ms: Millis = Millis(30 * SECOND), from 10 to 3_600_000;
        /// From the end of the body to the answer.
        request_timeout_ms: Millis = Millis(5 * SECOND), from 10 to 3_600_000;
        /// A request's head.
        head_bytes_max: Bytes = Bytes(64 * KIB), from 8_192 to 1_048_576;
        /// A request's body.
        body_bytes_max: Bytes = Bytes(MIB), from 1_024 to 1_073_741_824;
        /// Bodies that are still arriving, together.
        body_buffer_bytes_max: Bytes = Bytes(256 * MIB), from 1_048_576 to 1_099_511_627_776;
        /// Lines in a reservation.
        lines_max: u64 = 200, from 1 to 10_000;
        /// Operations in a batch.
        batch_max: u64 = 1_000, from 1 to 100_000;
        /// Items on a page of a list.
        page_max: u64 = 1_000, from 1 to 100_000;
        /// Whether a call that changes something must carry an `Idempotency-Key`.
        keys_required: bool = true;
        /// Refusals kept per shard, for `GET /v1/admin/refusals`; 0 keeps none.
        refusals_per_shard: u64 = 4_096, from 0 to 1_000_000;
        /// How long requests in flight may take to finish when the server stops.
        drain_ms: Millis = Millis(10 * SECOND), from 0 to 3_600_000;
    }
}

section! {
    /// The data directory and the ledgers in it.
    Data {
        /// The directory.
        dir: PathBuf = PathBuf::from("./data");
        /// What an acknowledged change survives.
        durability: Durability = Durability::Fsync;
        /// The ledger's page cache, per shard.
        cache_bytes: Bytes = Bytes(64 * MIB), from 1_048_576 to 1_099_511_627_776;
        /// Snapshots follow the journal at this distance, per shard.
        snapshot_after_events: u64 = 200_000, from 1_000 to 1_000_000_000;
        /// Whether the journal below the oldest snapshot is removed.
        journal_trim: bool = false;
        /// How long events are kept when the journal is trimmed.
        journal_kept_ms: Millis = Millis(30 * DAY), from 0 to 315_360_000_000;
        /// Below this much free disk the server does not start, and warns while it runs.
        disk_free_bytes_min: Bytes = Bytes(256 * MIB), from 0 to 1_099_511_627_776;
    }
}

section! {
    /// The shards and how they are restarted.
    Shards {
        /// How many; `auto` is the manifest's number, in a new directory one per core.
        count: OrAuto = OrAuto::Auto, from 1 to 4_096;
        /// Operations in flight per shard.
        permits_per_shard: u64 = 8_192, from 1 to 1_000_000;
        /// Configuration and receipts in flight per shard, beside `permits_per_shard`.
        permits_config_per_shard: u64 = 4_096, from 1 to 1_000_000;
        /// The pause before a failed shard's first restart; it doubles with every failure.
        restart_backoff_ms: Millis = Millis(100), from 1 to 3_600_000;
        /// The longest pause between restarts.
        restart_backoff_max_ms: Millis = Millis(10 * SECOND), from 1 to 3_600_000;
        /// Restarts within `restart_window_ms` after which a shard is marked down.
        restarts_max: u64 = 5, from 1 to 1_000;
        /// The span over which restarts are counted.
        restart_window_ms: Millis = Millis(MINUTE), from 1_000 to 86_400_000;
    }
}

section! {
    /// The lives of reservations.
    Reservations {
        /// The hold's duration where the caller names none.
        ttl_default_ms: Millis = Millis(10 * MINUTE), from 1 to 86_400_000;
        /// The shortest duration a caller may ask for.
        ttl_min_ms: Millis = Millis(SECOND), from 1 to 86_400_000;
        /// The longest duration a caller may ask for.
        ttl_max_ms: Millis = Millis(30 * MINUTE), from 1 to 86_400_000;
        /// From creation, over all extensions and the whole chain of replacements.
        lifetime_max_ms: Millis = Millis(HOUR), from 1 to 604_800_000;
        /// The longest pin.
        pin_max_ms: Millis = Millis(15 * MINUTE), from 1 to 86_400_000;
        /// How long after its deadline a confirm may take the units again.
        late_window_ms: Millis = Millis(DAY), from 0 to 2_592_000_000;
        /// How long ended reservations are kept.
        retention_ms: Millis = Millis(DAY), from 0 to 31_536_000_000;
        /// How long confirmed ones are kept.
        order_retention_ms: Millis = Millis(7 * DAY), from 0 to 31_536_000_000;
        /// How long idempotency keys are kept.
        key_retention_ms: Millis = Millis(DAY), from 0 to 31_536_000_000;
        /// Open and ended ones together, over all shards; `auto` is what a quarter of memory holds.
        reservations_max: OrAuto = OrAuto::Auto, from 1 to 100_000_000_000;
        /// Expiries recorded in one turn of a shard.
        expire_per_turn: u64 = 128, from 1 to 1_000_000;
        /// The most that a deadline from the downtime is moved beyond the restart.
        resume_grace_ms: Millis = Millis(MINUTE), from 0 to 3_600_000;
        /// A jump of the wall clock beyond this pauses expiry.
        clock_jump_ms: Millis = Millis(5 * SECOND), from 100 to 3_600_000;
        /// The fill of a table from which on a warning is logged.
        warn_fill_percent: u64 = 80, from 1 to 100;
    }
}

section! {
    /// Where stock lies.
    Stock {
        /// Whether stock may come in only where a location was declared.
        locations_declared: bool = false;
    }
}

section! {
    /// What sources send, and how long it is known again.
    Feeds {
        /// Sources whose numbering leaves no gaps.
        gapless: Texts = Texts(Vec::new());
        /// How long the id of a source's message is kept.
        message_retention_ms: Millis = Millis(30 * DAY), from 0 to 31_536_000_000;
        /// How long a stream is kept of which nothing is heard.
        stream_retention_ms: Millis = Millis(90 * DAY), from 0 to 315_360_000_000;
    }
}

section! {
    /// Reservations whose lines live on several shards.
    Carts {
        /// Undecided ones per shard.
        undecided_max: u64 = 10_000, from 1 to 10_000_000;
        /// How long home waits for the parts.
        try_timeout_ms: Millis = Millis(SECOND), from 1 to 3_600_000;
        /// The pause before a message is sent again; it doubles with every repeat.
        resend_ms: Millis = Millis(200), from 1 to 3_600_000;
        /// The longest pause between repeats.
        resend_max_ms: Millis = Millis(5 * SECOND), from 1 to 3_600_000;
        /// Tries after undecided holds alone have refused a cart.
        retries: u64 = 3, from 0 to 100;
    }
}

section! {
    /// The projection that finds reservations by order reference, customer or SKU.
    Lookup {
        /// Whether it is built.
        enabled: bool = true;
        /// The pace at which it follows the journal, per shard.
        events_per_second: u64 = 50_000, from 100 to 100_000_000;
    }
}

section! {
    /// The projection behind statements of SKUs and their past.
    Statement {
        /// Whether it is built.
        enabled: bool = true;
        /// The pace at which it follows the journal, per shard.
        events_per_second: u64 = 50_000, from 100 to 100_000_000;
    }
}

section! {
    /// The journal's older part, in sealed files beside the ledger.
    Archive {
        /// Whether the journal is archived before it is trimmed.
        enabled: bool = false;
        /// A file is sealed once its records take so many bytes, before compression.
        file_bytes: Bytes = Bytes(16 * MIB), from 65_536 to 1_073_741_824;
        /// How long files are kept after their last event; 0: for ever.
        kept_ms: Millis = Millis(0), from 0 to 3_153_600_000_000;
    }
}

section! {
    /// Events to the rest of the business.
    Events {
        /// How often the newest are looked for while anybody listens.
        tick_ms: Millis = Millis(5), from 1 to 1_000;
        /// What is kept in memory of the newest, per shard.
        ring_bytes: Bytes = Bytes(16 * MIB), from 65_536 to 4_294_967_296;
        /// Streams at once.
        streams_max: u64 = 256, from 1 to 100_000;
        /// Streams that read from the journal at once.
        catch_up_max: u64 = 4, from 1 to 1_000;
        /// Events of one message of a stream, and of a page, at most.
        batch_max: u64 = 1_000, from 1 to 10_000;
        /// Events that a page looks at, at most.
        scan_max: u64 = 200_000, from 1 to 1_000_000_000;
        /// How often a stream that has nothing to say says so.
        heartbeat_ms: Millis = Millis(15 * SECOND), from 100 to 3_600_000;
        /// Consumers whose place is kept.
        consumers_max: u64 = 1_000, from 1 to 100_000;
        /// Events that a consumer, a webhook or a sink keeps from being trimmed, per shard.
        hold_events_max: u64 = 10_000_000, from 0 to 1_000_000_000_000;
        /// Webhooks.
        webhooks_max: u64 = 100, from 1 to 10_000;
        /// Whether webhooks may go to private and loopback addresses.
        webhooks_private: bool = false;
        /// The pauses between the attempts of a delivery.
        webhooks_retry_ms: Pauses = Pauses::standard();
        /// How long a receiver may take nothing before its webhook is switched off.
        webhooks_off_after_ms: Millis = Millis(5 * DAY), from 1_000 to 31_536_000_000;
        /// From the name of a receiver to a connection.
        webhooks_connect_ms: Millis = Millis(5 * SECOND), from 10 to 3_600_000;
        /// From a request to the end of its answer.
        webhooks_answer_ms: Millis = Millis(15 * SECOND), from 10 to 3_600_000;
        /// Requests to one receiver at once.
        webhooks_at_once_max: u64 = 4, from 1 to 256;
        /// How long events wait for more where a request carries several.
        webhooks_batch_wait_ms: Millis = Millis(50), from 0 to 60_000;
        /// SKUs of one webhook whose events wait behind one that is being retried.
        webhooks_waiting_max: u64 = 100, from 1 to 10_000;
        /// Dead letters of one webhook; the oldest are dropped.
        webhooks_dead_max: u64 = 10_000, from 1 to 1_000_000;
        /// How long both secrets sign after a rotation.
        webhooks_overlap_ms: Millis = Millis(DAY), from 0 to 31_536_000_000;
    }
}

section! {
    /// Where events are carried, beside those who come for them.
    Sinks {
        /// Where one begins that has no place yet: `earliest`, `latest` or a cursor.
        from: String = "earliest".to_owned();
        /// A folder for files of them, a line each.
        ndjson_dir: Option<PathBuf> = None;
        /// The size from which on another file is begun.
        ndjson_rotate_bytes: Bytes = Bytes(256 * MIB), from 4_096 to 1_099_511_627_776;
        /// How events are put into messages of NATS and Kafka.
        mode: EventMode = EventMode::Structured;
        /// NATS with `JetStream`.
        nats_url: Url = Url::default();
        /// A file with what NATS knows this server by.
        nats_credentials: Option<PathBuf> = None;
        /// The stream there; it is made if it is not there.
        nats_stream: String = "HOLDFAST".to_owned();
        /// What subjects begin with; the event's word follows.
        nats_subject: String = "holdfast".to_owned();
        /// Redis.
        redis_url: Url = Url::default();
        /// What the names of its streams begin with; the shard's number follows.
        redis_stream: String = "holdfast".to_owned();
        /// Entries kept in each of them, about; 0: all.
        redis_maxlen: u64 = 1_000_000, from 0 to 1_000_000_000_000;
        /// Kafka's brokers to begin with, with commas between.
        kafka_brokers: String = String::new();
        /// A file of settings for its client, such as those for TLS and passwords.
        kafka_properties: Option<PathBuf> = None;
        /// The topic there.
        kafka_topic: String = "holdfast".to_owned();
        /// How long events are gathered when few come.
        gather_ms: Millis = Millis(100), from 0 to 60_000;
        /// The pause after a failure; it doubles with every further one.
        retry_ms: Millis = Millis(SECOND), from 10 to 3_600_000;
        /// The longest pause.
        retry_max_ms: Millis = Millis(MINUTE), from 10 to 3_600_000;
    }
}

section! {
    /// The state in files, made by the server itself.
    Export {
        /// A folder for them; none: none are made.
        dir: Option<PathBuf> = None;
        /// How often there is one.
        interval_ms: Millis = Millis(DAY), from 1_000 to 2_592_000_000;
        /// How long after midnight, UTC, the first of a day is due.
        at_ms: Millis = Millis(2 * HOUR), from 0 to 86_399_999;
        /// How many are kept.
        kept: u64 = 7, from 1 to 100_000;
    }
}

section! {
    /// Comparing the ledger with files of warehouses, orders and sellers.
    Reconcile {
        /// Rows compared a second, at most.
        rows_per_second: u64 = 200_000, from 100 to 100_000_000;
        /// Rows of one file, at most.
        rows_max: u64 = 5_000_000, from 1 to 100_000_000;
        /// Drifts kept, open and decided ones together, over all shards.
        drifts_max: u64 = 1_000_000, from 1 to 100_000_000;
        /// Corrections of at most this many units are approved at once; 0: none.
        approve_units_max: u64 = 0, from 0 to 1_000_000_000;
        /// … and of at most this share of what the ledger expects, in percent.
        approve_share_max: u64 = 10, from 0 to 100;
        /// Reconciliations are kept so long after they arrived, and while drifts of theirs wait.
        retention_ms: Millis = Millis(30 * DAY), from 3_600_000 to 315_360_000_000;
        /// A folder whose files are taken.
        folder: Option<PathBuf> = None;
        /// How often it is looked at.
        interval_ms: Millis = Millis(MINUTE), from 100 to 86_400_000;
    }
}

section! {
    /// Files of movements and settings, sent to `POST /v1/imports`.
    Imports {
        /// Imports at once.
        at_once_max: u64 = 4, from 1 to 1_000;
        /// A row's line.
        row_bytes_max: Bytes = Bytes(16 * KIB), from 1_024 to 1_048_576;
        /// Rows sent to a shard in one message.
        group_rows: u64 = 1_000, from 1 to 100_000;
        /// Bad rows that a report tells one by one; further ones are counted.
        bad_rows_max: u64 = 1_000, from 0 to 1_000_000;
        /// Imports whose place and report are kept; the oldest are forgotten.
        records_max: u64 = 1_000, from 1 to 1_000_000;
        /// How long a shard may take no row before the import stops.
        patience_ms: Millis = Millis(MINUTE), from 10 to 3_600_000;
    }
}

section! {
    /// The log, on stderr.
    Log {
        /// What is logged: a level, or levels by module.
        filter: String = "info".to_owned();
        /// How a line looks.
        format: LogFormat = LogFormat::Text;
    }
}
