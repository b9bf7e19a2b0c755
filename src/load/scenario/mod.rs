//! A scenario: who comes when, wants what, and does what with it. TOML, one file each.
//!
//! A [`Scenario`] that was [`read`] is whole: every value is inside its bounds, and what is not set
//! has its default. Deliberately absent: expressions, includes and variables. A file says what it
//! does where one reads it.

pub mod builtin;
mod check;
mod read;
mod scale;

use serde::{Deserialize, Serialize};

pub use builtin::{BUILTINS, Builtin};
pub use read::{Unusable, checked, find, read};

/// What a load run does.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called in reports.
    pub name: String,
    /// What it shows, for people.
    #[serde(default)]
    pub about: String,
    /// Another number is another crowd.
    #[serde(default = "one")]
    pub seed: u64,
    /// What turns into the exit code, such as `response.p99 < 20ms`.
    #[serde(default)]
    pub thresholds: Vec<String>,
    /// How arrivals are spaced and sent.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// One after the other.
    pub phases: Vec<Phase>,
    /// What is to be sold.
    pub stock: Stock,
    /// Which SKUs are wanted.
    #[serde(default)]
    pub popularity: Popularity,
    /// What one buyer wants.
    #[serde(default)]
    pub basket: Basket,
    /// What buyers do with what they hold.
    #[serde(default)]
    pub buyers: Buyers,
    /// How long a payment takes.
    #[serde(default)]
    pub payment: Payment,
    /// What is sent more than once.
    #[serde(default)]
    pub duplicates: Duplicates,
    /// How buyers' programs wait and ask again.
    #[serde(default)]
    pub client: Client,
    /// Buyers who share customer ids.
    #[serde(default)]
    pub bots: Bots,
    /// Looks at product pages.
    #[serde(default)]
    pub looks: Looks,
    /// How a server that the run starts itself is configured.
    #[serde(default)]
    pub server: Server,
    /// When that server is killed.
    #[serde(default)]
    pub kills: Vec<Kill>,
}

/// How arrivals are spaced and sent.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Arrivals {
    /// How they are spaced.
    pub process: Process,
    /// Calls under way at once at most.
    pub connections_max: u32,
    /// An arrival that could not be sent this long after its time is dropped.
    pub drop_after_ms: u64,
}

/// How arrivals are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Process {
    /// Each on its own, as people come.
    Poisson,
    /// At equal distances.
    Even,
}

/// A span of time and its arrivals per second.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Phase {
    /// The same all the time.
    Constant {
        /// In reports.
        #[serde(default = "constant")]
        name: String,
        /// How long.
        seconds: f64,
        /// Arrivals a second.
        rate: f64,
    },
    /// From one rate to another in a straight line.
    Ramp {
        /// In reports.
        #[serde(default = "ramp")]
        name: String,
        /// How long.
        seconds: f64,
        /// Arrivals a second at its begin.
        from: f64,
        /// And at its end.
        to: f64,
    },
    /// A burst in the middle of a quieter time.
    Spike {
        /// In reports.
        #[serde(default = "spike")]
        name: String,
        /// How long, the burst included.
        seconds: f64,
        /// Arrivals a second before and after.
        rate: f64,
        /// Arrivals a second in the burst.
        peak: f64,
        /// How long the burst is.
        peak_seconds: f64,
    },
}

/// What is to be sold.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    /// How many SKUs; a basket file brings its own.
    #[serde(default = "one_sku")]
    pub skus: u32,
    /// Units of each.
    pub units: u64,
    /// Units that one customer may have of each.
    #[serde(default)]
    pub customer_limit: Option<CustomerLimit>,
}

/// Units that one customer may have within a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerLimit {
    /// So many.
    pub units: u32,
    /// Within this time.
    pub window_ms: u64,
}

/// Which SKUs are wanted.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Popularity {
    /// The first one by this share of the lines, the others by the rest.
    OneHot {
        /// 0 to 1.
        #[serde(default = "whole")]
        share: f64,
    },
    /// The n-th by a share that falls with n to this power.
    Zipf {
        /// 0 is uniform; 1 is a shop's long tail.
        exponent: f64,
    },
    /// All alike.
    Uniform,
    /// The baskets of a file, one after the other: `basket_id,household_id,store_id,product_id,
    /// quantity,transaction_timestamp`, plain or gzipped.
    Baskets {
        /// Where it is, seen from the directory the command runs in.
        file: String,
    },
}

/// What one buyer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Basket {
    /// The fewest lines.
    pub lines_min: u32,
    /// The most lines.
    pub lines_max: u32,
    /// The fewest units of a line.
    pub units_min: u32,
    /// The most units of a line.
    pub units_max: u32,
}

/// What buyers do with what they hold. Who does none of these pays in time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Buyers {
    /// Share that never comes back.
    pub abandon: f64,
    /// Share that gives the units back.
    pub release: f64,
    /// Share that pays after the hold has lapsed.
    pub late: f64,
    /// How long after that.
    pub late_by_ms: u64,
    /// How long a hold lasts.
    pub ttl_ms: u64,
}

/// How long a payment takes, from the answer to the reserve to the confirm.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Payment {
    /// Always the same.
    Fixed {
        /// So long.
        ms: f64,
    },
    /// Anything between two bounds.
    Uniform {
        /// The shortest.
        min_ms: f64,
        /// The longest.
        max_ms: f64,
    },
    /// Mostly short, at times long.
    Exponential {
        /// On average.
        mean_ms: f64,
    },
    /// As people type card numbers: a median and a long tail.
    Lognormal {
        /// Half pay faster than this.
        median_ms: f64,
        /// How wide it is; 0.5 is people.
        sigma: f64,
    },
}

/// What is sent more than once, with the same key and body. Shares of the buyers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Duplicates {
    /// Reserves sent again after their answer.
    pub reserve_after: f64,
    /// Reserves sent twice at the same moment.
    pub reserve_at_once: f64,
    /// Confirms sent again after their answer.
    pub confirm_after: f64,
    /// Confirms sent twice at the same moment.
    pub confirm_at_once: f64,
}

/// How buyers' programs wait and ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Client {
    /// Without an answer for this long, the connection is closed and the call repeated.
    pub timeout_ms: u64,
    /// The pause before the first repeat; it doubles with each …
    pub backoff_ms: u64,
    /// … up to this.
    pub backoff_max_ms: u64,
    /// How long a call is repeated at all.
    pub patience_ms: u64,
}

/// Buyers who share customer ids.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bots {
    /// Share of the buyers.
    pub share: f64,
    /// How many ids they share.
    pub customers: u32,
}

/// Looks at product pages.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Looks {
    /// Share of the buyers who look before they reserve.
    pub share: f64,
    /// SKUs on a page.
    pub skus: u32,
}

/// How a server that the run starts itself is configured: the load profile. It keeps what has
/// ended for a short time only, since a million reservations a second kept for a day fit no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// How long ended reservations, orders and keys are kept. At least as long as the run and its
    /// proof take, or the proof finds them forgotten.
    pub retention_ms: u64,
    /// How many shards; 0 is one per core.
    pub shards: u16,
}

/// A `kill -9` of a server that the run started itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// When, from the begin of the run.
    pub at_ms: u64,
    /// How long nobody restarts it.
    #[serde(default = "half_a_second")]
    pub down_ms: u64,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            process: Process::Poisson,
            connections_max: 256,
            drop_after_ms: 1_000,
        }
    }
}

impl Default for Popularity {
    fn default() -> Self {
        Self::OneHot { share: 1.0 }
    }
}

impl Default for Basket {
    fn default() -> Self {
        Self {
            lines_min: 1,
            lines_max: 1,
            units_min: 1,
            units_max: 1,
        }
    }
}

impl Default for Buyers {
    fn default() -> Self {
        Self {
            abandon: 0.0,
            release: 0.0,
            late: 0.0,
            late_by_ms: 500,
            ttl_ms: 10_000,
        }
    }
}

impl Default for Payment {
    fn default() -> Self {
        Self::Fixed { ms: 0.0 }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self {
            timeout_ms: 5_000,
            backoff_ms: 50,
            backoff_max_ms: 1_000,
            patience_ms: 60_000,
        }
    }
}

impl Default for Bots {
    fn default() -> Self {
        Self {
            share: 0.0,
            customers: 1,
        }
    }
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            share: 0.0,
            skus: 1,
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            retention_ms: 600_000,
            shards: 0,
        }
    }
}

fn constant() -> String {
    "constant".to_owned()
}

fn ramp() -> String {
    "ramp".to_owned()
}

fn spike() -> String {
    "spike".to_owned()
}

const fn one() -> u64 {
    1
}

const fn one_sku() -> u32 {
    1
}

const fn whole() -> f64 {
    1.0
}

const fn half_a_second() -> u64 {
    500
}

impl Phase {
    /// What it is called in reports.
    pub fn name(&self) -> &str {
        match self {
            Self::Constant { name, .. } | Self::Ramp { name, .. } | Self::Spike { name, .. } => {
                name
            }
        }
    }

    /// How long it is, in seconds.
    pub const fn seconds(&self) -> f64 {
        match self {
            Self::Constant { seconds, .. }
            | Self::Ramp { seconds, .. }
            | Self::Spike { seconds, .. } => *seconds,
        }
    }

    /// Its highest rate.
    pub const fn rate_max(&self) -> f64 {
        match self {
            Self::Constant { rate, .. } => *rate,
            Self::Ramp { from, to, .. } => from.max(*to),
            Self::Spike { rate, peak, .. } => rate.max(*peak),
        }
    }

    /// The straight pieces it consists of: seconds, rate at the begin, rate at the end.
    pub fn pieces(&self) -> Vec<(f64, f64, f64)> {
        match self {
            Self::Constant { seconds, rate, .. } => vec![(*seconds, *rate, *rate)],
            Self::Ramp {
                seconds, from, to, ..
            } => vec![(*seconds, *from, *to)],
            Self::Spike {
                seconds,
                rate,
                peak,
                peak_seconds,
                ..
            } => {
                let quiet = (seconds - peak_seconds) / 2.0;
                vec![
                    (quiet, *rate, *rate),
                    (*peak_seconds, *peak, *peak),
                    (quiet, *rate, *rate),
                ]
            }
        }
    }
}

impl Scenario {
    /// How long arrivals come, in seconds.
    pub fn seconds(&self) -> f64 {
        self.phases.iter().map(Phase::seconds).sum()
    }

    /// Arrivals a second at its highest.
    pub fn rate_max(&self) -> f64 {
        self.phases.iter().map(Phase::rate_max).fold(0.0, f64::max)
    }
}
