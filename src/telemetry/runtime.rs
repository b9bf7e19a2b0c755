//! What the runtime is asked for at every scrape, and its text.

use super::exposition::{Exposition, Kind};
use super::histogram::HistogramSample;

/// What a shard is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardState {
    /// Rebuilding its state from the ledger.
    Recovering,
    /// Serving.
    Serving,
    /// Finishing what it has.
    Draining,
    /// Waiting before its next restart.
    Restarting,
    /// Given up after repeated failure, or its ledger is damaged.
    Down,
}

/// Permits of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permits {
    /// Taken now.
    pub used: u64,
    /// That can be taken.
    pub max: u64,
    /// Operations that found none, since the start.
    pub refused: u64,
}

/// A bounded table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFill {
    /// Such as `reservations`.
    pub table: &'static str,
    /// Entries now.
    pub used: u64,
    /// Entries at most.
    pub max: u64,
}

/// One shard at the moment of a scrape; counters count from the start of the process.
#[derive(Debug, Clone)]
pub struct ShardSample {
    /// Its number.
    pub shard: u32,
    /// What it is doing.
    pub state: ShardState,
    /// How often it was rebuilt.
    pub restarts: u64,
    /// Permits of ordinary operations.
    pub permits: Permits,
    /// Permits of configuration and receipts.
    pub permits_config: Permits,
    /// Durations of its commits in microseconds, hand-over to acknowledgement.
    pub commit_micros: HistogramSample,
    /// Events in a commit.
    pub commit_events: HistogramSample,
    /// Deadlines that have passed and are not recorded yet.
    pub expiry_backlog: u64,
    /// Undecided reservations over several shards.
    pub carts_undecided: u64,
    /// Its bounded tables.
    pub tables: Vec<TableFill>,
    /// Violations of numbered invariants that were found.
    pub invariant_violations: u64,
    /// The sequence of its last durable event.
    pub sequence: u64,
    /// Events read for the past because statements had not taken them yet.
    pub statement_lag_read: u64,
    /// Events that its statements have not taken yet; absent where none are built.
    pub statement_lag: Option<u64>,
}

/// The whole runtime at the moment of a scrape.
#[derive(Debug, Clone, Default)]
pub struct RuntimeSample {
    /// Every shard.
    pub shards: Vec<ShardSample>,
    /// SKUs on the stock board.
    pub skus: u64,
    /// Jumps of the wall clock that paused expiry.
    pub clock_alarms: u64,
    /// Where events are carried.
    pub sinks: Vec<SinkSample>,
    /// The state in files, where it is exported.
    pub exports: Option<ExportSample>,
}

/// Exports of the state; counters count from the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportSample {
    /// Files written.
    pub written: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// When the newest file was written, if there is one. Seconds since 1970.
    pub last_s: Option<u64>,
}

/// A sink of events; counters count from the start of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkSample {
    /// What it is called.
    pub sink: &'static str,
    /// Events it does not have yet.
    pub lag: u64,
    /// Events it has taken.
    pub delivered: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Times it missed events.
    pub gaps: u64,
    /// Whether it takes nothing just now.
    pub is_failing: bool,
}

impl ShardState {
    const ALL: [(ShardState, &'static str); 5] = [
        (ShardState::Recovering, "recovering"),
        (ShardState::Serving, "serving"),
        (ShardState::Draining, "draining"),
        (ShardState::Restarting, "restarting"),
        (ShardState::Down, "down"),
    ];

    /// Its name in metrics and answers.
    pub fn name(self) -> &'static str {
        let entry = Self::ALL.iter().find(|(state, _)| *state == self);
        entry.expect("ALL lists every state").1
    }
}

impl RuntimeSample {
    /// Writes all families.
    pub fn expose(&self, out: &mut Exposition) {
        out.family("holdfast_skus", Kind::Gauge, "SKUs known.");
        out.sample(&[], self.skus);
        let help = "Jumps of the wall clock that paused expiry.";
        out.family("holdfast_clock_alarms_total", Kind::Counter, help);
        out.sample(&[], self.clock_alarms);
        self.expose_states(out);
        self.expose_permits(out);
        self.expose_commits(out);
        self.expose_numbers(out);
        self.expose_tables(out);
        self.expose_sinks(out);
        self.expose_exports(out);
    }

    fn expose_states(&self, out: &mut Exposition) {
        out.family(
            "holdfast_shard_state",
            Kind::Gauge,
            "1 for the state a shard is in.",
        );
        for shard in &self.shards {
            let number = shard.shard.to_string();
            for (state, name) in ShardState::ALL {
                let labels = [("shard", number.as_str()), ("state", name)];
                out.sample(&labels, u64::from(shard.state == state));
            }
        }
    }

    fn expose_permits(&self, out: &mut Exposition) {
        type Number = fn(&Permits) -> u64;
        let families: [(&str, Kind, &str, Number); 3] = [
            (
                "holdfast_permits",
                Kind::Gauge,
                "Operations in flight.",
                |p| p.used,
            ),
            (
                "holdfast_permits_max",
                Kind::Gauge,
                "Operations in flight at most.",
                |p| p.max,
            ),
            (
                "holdfast_overloaded_total",
                Kind::Counter,
                "Operations refused because no permit was free.",
                |p| p.refused,
            ),
        ];
        for (name, kind, help, value) in families {
            out.family(name, kind, help);
            for shard in &self.shards {
                let number = shard.shard.to_string();
                for (lane, permits) in [
                    ("checkout", &shard.permits),
                    ("config", &shard.permits_config),
                ] {
                    out.sample(&[("shard", &number), ("lane", lane)], value(permits));
                }
            }
        }
    }

    fn expose_commits(&self, out: &mut Exposition) {
        let help = "From handing a batch over to its commit being durable.";
        out.family("holdfast_commit_duration_seconds", Kind::Histogram, help);
        for shard in &self.shards {
            let number = shard.shard.to_string();
            out.histogram(&[("shard", &number)], &shard.commit_micros, 1e6);
        }
        out.family(
            "holdfast_commit_events",
            Kind::Histogram,
            "Events in a commit.",
        );
        for shard in &self.shards {
            let number = shard.shard.to_string();
            out.histogram(&[("shard", &number)], &shard.commit_events, 1.0);
        }
    }

    fn expose_numbers(&self, out: &mut Exposition) {
        type Number = fn(&ShardSample) -> u64;
        let families: [(&str, Kind, &str, Number); 6] = [
            (
                "holdfast_restarts_total",
                Kind::Counter,
                "Rebuilds of a shard.",
                |s| s.restarts,
            ),
            (
                "holdfast_statement_lag_read_total",
                Kind::Counter,
                "Events read for the past because statements had not taken them yet.",
                |s| s.statement_lag_read,
            ),
            (
                "holdfast_expiry_backlog",
                Kind::Gauge,
                "Deadlines that have passed and are not recorded yet.",
                |s| s.expiry_backlog,
            ),
            (
                "holdfast_carts_undecided",
                Kind::Gauge,
                "Undecided reservations over several shards.",
                |s| s.carts_undecided,
            ),
            (
                "holdfast_invariant_violations_total",
                Kind::Counter,
                "Violations of numbered invariants; anything but 0 is a bug.",
                |s| s.invariant_violations,
            ),
            (
                "holdfast_sequence",
                Kind::Gauge,
                "The sequence of a shard's last durable event.",
                |s| s.sequence,
            ),
        ];
        for (name, kind, help, value) in families {
            out.family(name, kind, help);
            for shard in &self.shards {
                out.sample(&[("shard", &shard.shard.to_string())], value(shard));
            }
        }
        out.family(
            "holdfast_statement_lag_events",
            Kind::Gauge,
            "Events that statements have not taken yet.",
        );
        for shard in &self.shards {
            if let Some(lag) = shard.statement_lag {
                out.sample(&[("shard", &shard.shard.to_string())], lag);
            }
        }
    }

    fn expose_sinks(&self, out: &mut Exposition) {
        type Number = fn(&SinkSample) -> u64;
        let families: [(&str, Kind, &str, Number); 5] = [
            (
                "holdfast_sink_lag_events",
                Kind::Gauge,
                "Events that a sink does not have yet.",
                |s| s.lag,
            ),
            (
                "holdfast_sink_failing",
                Kind::Gauge,
                "1 while a sink takes nothing.",
                |s| u64::from(s.is_failing),
            ),
            (
                "holdfast_sink_events_total",
                Kind::Counter,
                "Events that a sink has taken.",
                |s| s.delivered,
            ),
            (
                "holdfast_sink_failures_total",
                Kind::Counter,
                "Deliveries to a sink that failed.",
                |s| s.failures,
            ),
            (
                "holdfast_sink_gaps_total",
                Kind::Counter,
                "Times a sink missed events that were trimmed.",
                |s| s.gaps,
            ),
        ];
        for (name, kind, help, value) in families {
            out.family(name, kind, help);
            for sink in &self.sinks {
                out.sample(&[("sink", sink.sink)], value(sink));
            }
        }
    }

    fn expose_exports(&self, out: &mut Exposition) {
        let Some(exports) = self.exports else {
            return;
        };
        let help = "Exports of the state that were written.";
        out.family("holdfast_exports_total", Kind::Counter, help);
        out.sample(&[], exports.written);
        let help = "Exports of the state that failed.";
        out.family("holdfast_export_failures_total", Kind::Counter, help);
        out.sample(&[], exports.failures);
        if let Some(last_s) = exports.last_s {
            let help = "When the newest export was written, in seconds since 1970.";
            out.family("holdfast_export_last_timestamp_seconds", Kind::Gauge, help);
            out.sample(&[], last_s);
        }
    }

    fn expose_tables(&self, out: &mut Exposition) {
        type Number = fn(&TableFill) -> u64;
        let families: [(&str, &str, Number); 2] = [
            (
                "holdfast_table_entries",
                "Entries in a bounded table.",
                |t| t.used,
            ),
            (
                "holdfast_table_entries_max",
                "Entries a bounded table takes.",
                |t| t.max,
            ),
        ];
        for (name, help, value) in families {
            out.family(name, Kind::Gauge, help);
            for shard in &self.shards {
                let number = shard.shard.to_string();
                for fill in &shard.tables {
                    out.sample(&[("shard", &number), ("table", fill.table)], value(fill));
                }
            }
        }
    }
}
