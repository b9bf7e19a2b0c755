//! What the demo has to say at its end.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    time::Duration,
};

use serde::Serialize;

use super::{
    Options, SKU,
    book::{Ending, Told},
    proof::Seen,
};
use crate::{
    client::{
        Client, Retries,
        latency::{Latencies, Summary},
    },
    replay::{
        proof::{Finding, Verdict},
        report::{heading, line, write_latencies, write_proof},
    },
    show::{Paint, count, counted, rate, seconds},
};

/// How long it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) sale: Duration,
    pub(super) all: Duration,
}

/// About the kill.
#[derive(Clone, Debug, Serialize)]
pub struct Crash {
    /// Reservations acknowledged before it.
    pub acknowledged: u64,
    /// Buyers who waited for an answer at that moment.
    pub at_the_counter: u64,
    /// From the kill to the ready server.
    pub away_seconds: f64,
    /// From the start of the second server until it was ready.
    pub recovery_seconds: f64,
}

/// A finished demo. Serializes to what `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was sold.
    pub sku: &'static str,
    /// How many there were.
    pub units: u64,
    /// How many wanted one.
    pub buyers: u64,
    /// How the buyers' days ended.
    pub endings: BTreeMap<String, u64>,
    /// Reserves sent, repeats not counted.
    pub reserves: u64,
    /// Of those, acknowledged as held.
    pub reserved: u64,
    /// Of those, refused, by code.
    pub refused: BTreeMap<String, u64>,
    /// Buttons pressed twice.
    pub doubles: u64,
    /// Calls broken off and repeated.
    pub broken_off: u64,
    /// Units sold, by the server's counter.
    pub sold: i64,
    /// Units in carts at the end.
    pub held: i64,
    /// Units free at the end.
    pub free: i64,
    /// About the kill.
    pub crash: Crash,
    /// Attempts repeated by the client, by cause.
    pub retries: Retries,
    /// Answered calls by kind.
    pub latencies: Vec<Summary>,
    /// Seconds from the opening to the last buyer.
    pub sale_seconds: f64,
    /// Seconds in all.
    pub seconds: f64,
    /// Where the directory was kept, if it was.
    pub kept: Option<String>,
    /// Statement by statement.
    pub proof: Vec<Finding>,
    /// Whether every statement holds.
    pub proved: bool,
}

impl Report {
    #[expect(
        clippy::too_many_arguments,
        reason = "one caller, each argument a thing of its own"
    )]
    pub(super) fn new(
        options: &Options,
        told: &Told,
        seen: &Seen,
        crash: Crash,
        client: &Client,
        latencies: &Latencies,
        proof: Vec<Finding>,
        times: Times,
        kept: Option<String>,
    ) -> Self {
        let counters = seen.sku.counters;
        Self {
            sku: SKU,
            units: options.units,
            buyers: options.buyers as u64,
            endings: told
                .endings
                .iter()
                .map(|(ending, &n)| (ending.name(), n))
                .collect(),
            reserves: told.reserves_sent,
            reserved: told.account.held.len() as u64,
            refused: told.account.refused.clone(),
            doubles: told.doubles,
            broken_off: told.walked_away,
            sold: counters.sold,
            held: counters.reserved,
            free: seen.sku.available,
            crash,
            retries: client.retries(),
            latencies: latencies.summaries(),
            sale_seconds: times.sale.as_secs_f64(),
            seconds: times.all.as_secs_f64(),
            kept,
            proved: proof
                .iter()
                .all(|finding| finding.verdict == Verdict::Holds),
            proof,
        }
    }

    /// The report for people; `program` is what they called.
    pub fn text(&self, paint: Paint, program: &str) -> String {
        let mut text = String::new();
        self.write(&mut text, paint, program)
            .expect("writing to a string cannot fail");
        text
    }

    fn write(&self, out: &mut String, paint: Paint, program: &str) -> fmt::Result {
        let took = Duration::from_secs_f64(self.sale_seconds);
        heading(out, paint, "the sale")?;
        let per_second = rate(self.reserves, took);
        let speed = format!("in {}, {per_second} reserves a second", seconds(took));
        line(
            out,
            "buyers",
            &format!("{:>7}  {}", count(self.buyers), paint.dim(speed)),
        )?;
        for ending in Ending::ALL {
            if let Some(&buyers) = self.endings.get(&ending.name()) {
                line(
                    out,
                    "",
                    &format!("{:>7}  {}", count(buyers), ending.words()),
                )?;
            }
        }
        let again = count(self.reserved);
        line(
            out,
            "units",
            &format!("{:>7}  held {again} times in all", count(self.units)),
        )?;
        let Crash {
            acknowledged,
            at_the_counter,
            away_seconds,
            ..
        } = &self.crash;
        let away = seconds(Duration::from_secs_f64(*away_seconds));
        line(
            out,
            "kill -9",
            &format!(
                "{:>7}  reservations acknowledged by then, {} waiting; back after {away}",
                count(*acknowledged),
                counted(*at_the_counter, "call")
            ),
        )?;
        let repeated = count(self.retries.sum());
        line(
            out,
            "repeated",
            &format!("{repeated:>7}  calls, with the same key and body"),
        )?;
        write_latencies(out, paint, &self.latencies)?;
        write_proof(out, paint, &self.proof)?;
        let verdict = if self.proved {
            let sold = self.sold;
            paint.good(format!(
                "proved: {sold} of {} sold, none twice, none lost",
                self.units
            ))
        } else {
            paint.bad("NOT PROVED: see the lines marked ✗")
        };
        writeln!(
            out,
            "\n{verdict}  {}",
            paint.dim(seconds(Duration::from_secs_f64(self.seconds)))
        )?;
        self.write_next(out, paint, program)
    }

    fn write_next(&self, out: &mut String, paint: Paint, program: &str) -> fmt::Result {
        heading(out, paint, "what to try next")?;
        let mut commands = vec![
            (
                format!("{program} serve"),
                "a server of your own on 127.0.0.1:7070",
            ),
            (
                format!("{program} replay FILE.csv.gz"),
                "a month of real baskets against it, proved",
            ),
            (
                format!("{program} demo --seed 2 --json"),
                "another crowd, as figures",
            ),
        ];
        if let Some(kept) = &self.kept {
            let verify = format!("{program} verify --data-dir {kept}/data");
            commands.push((verify, "look at what the demo left behind"));
        }
        let width = commands
            .iter()
            .map(|(command, _)| command.len())
            .max()
            .unwrap_or(0);
        for (command, what) in commands {
            let command = paint.accent(format!("{command:<width$}"));
            writeln!(out, "  {command}  {}", paint.dim(what))?;
        }
        Ok(())
    }
}

impl Ending {
    const ALL: [Self; 6] = [
        Self::Bought,
        Self::BoughtLate,
        Self::PaymentFailed,
        Self::Abandoned,
        Self::TooLate,
        Self::SoldOut,
    ];

    fn name(self) -> String {
        let name = match self {
            Self::Bought => "bought",
            Self::BoughtLate => "bought_late",
            Self::PaymentFailed => "payment_failed",
            Self::Abandoned => "abandoned",
            Self::TooLate => "too_late",
            Self::SoldOut => "sold_out",
        };
        name.to_owned()
    }

    fn words(self) -> &'static str {
        match self {
            Self::Bought => "bought one",
            Self::BoughtLate => "paid late, and got one all the same",
            Self::PaymentFailed => "saw their payment fail, and gave theirs back",
            Self::Abandoned => "closed the browser on a full cart",
            Self::TooLate => "paid too late and are refunded",
            Self::SoldOut => "went home: sold out",
        }
    }
}
