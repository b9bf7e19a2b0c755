//! What a run knows of itself besides what was recorded.
//!
//! Deliberately absent: figures. Those are in `Recorded`.

use std::{collections::BTreeMap, fs};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::load::threshold::Threshold;

/// What a run knows of itself.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// Of the holdfast that made the load.
    pub version: String,
    /// Of the server, where it says so and is another program.
    pub server_version: Option<String>,
    /// Given it again, the same buyers come at the same times.
    pub seed: u64,
    /// What all of it ran on.
    pub machine: Machine,
    /// RFC 3339.
    pub started_at: String,
    /// The scenario's name.
    pub scenario_name: String,
    /// The scenario as it was understood, with every default.
    pub scenario: Value,
    /// The scenario as it was written.
    pub scenario_text: String,
    /// Seconds from the start in which buyers arrive, if it is not ended early.
    pub arrivals_s: f64,
    /// Who was loaded, in words: `http://127.0.0.1:7411`, `a server of its own (spawned)`.
    pub target: String,
    /// How the arrivals were made.
    pub model: Model,
    /// Whether arrivals that could not be sent are let pass. Where not, they miss a threshold.
    pub drops_allowed: bool,
    /// About the generator.
    pub generator: GeneratorFacts,
    /// What is counted besides outcomes: `retries`, `duplicates`, `kills`, `buyers_abandoned`.
    pub counts: BTreeMap<String, u64>,
    /// What the scenario and the command line ask for.
    pub thresholds: Vec<Threshold>,
    /// How long the target keeps ended reservations, and what follows, in a sentence.
    pub retention: String,
    /// Whatever else a reader has to know, in sentences.
    pub notes: Vec<String>,
}

/// How arrivals are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Model {
    /// They come when they are due, whatever the server does.
    #[default]
    Open,
    /// Each of so many connections sends its next when it has its answer.
    Closed {
        /// How many.
        connections: usize,
    },
}

/// About the generator.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GeneratorFacts {
    /// Its threads.
    pub threads: usize,
    /// Seconds of processor time they took; none where it can't be told from the target's.
    pub cpu_s: Option<f64>,
}

/// What it ran on. Deliberately without its name and its paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Cores that may be used.
    pub cores: usize,
    /// The processor's name for itself.
    pub processor: String,
    /// Bytes.
    pub memory_bytes: u64,
    /// The kernel's name and version.
    pub kernel: String,
}

impl Machine {
    /// This one. What can't be found out is empty.
    pub fn here() -> Self {
        let memory = field("/proc/meminfo", "MemTotal");
        let kilobytes = memory.and_then(|total| total.trim_end_matches(" kB").parse::<u64>().ok());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        // What a vendor appends to the version is the machine's affair.
        let kernel = kernel.trim().split('-').next().unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            processor: field("/proc/cpuinfo", "model name").unwrap_or_default(),
            memory_bytes: kilobytes.unwrap_or(0) << 10,
            kernel: format!("{} {kernel}", std::env::consts::OS)
                .trim()
                .to_owned(),
        }
    }

    /// In a line.
    pub fn line(&self) -> String {
        let gib = (self.memory_bytes + (1 << 29)) >> 30;
        let processor = match self.processor.as_str() {
            "" => "unknown processor",
            known => known,
        };
        format!(
            "{} cores ({processor}), {gib} GiB, {}",
            self.cores, self.kernel
        )
    }
}

fn field(file: &str, name: &str) -> Option<String> {
    let all = fs::read_to_string(file).ok()?;
    let line = all.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
