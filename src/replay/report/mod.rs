//! What a replay has to say at its end: figures, and the proof.

mod figures;

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    time::Duration,
};

use serde::Serialize;

use super::{
    Options, RunId,
    account::Account,
    basket::{BadRow, Contents, Fault},
    judgement::Lagging,
    plan::Plan,
    proof::{Finding, Verdict},
};
use crate::{
    client::{
        Client,
        latency::{Latencies, Summary},
    },
    show::{Paint, count, counted, rate, seconds, share},
};

use figures::{CheckoutFigures, Choices, FileFigures, ServerFigures, StockFigures};

/// How long the parts took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) stocking: Duration,
    pub(super) checkouts: Duration,
    pub(super) proof: Duration,
    pub(super) all: Duration,
}

/// What a report is made of.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) options: &'a Options,
    pub(super) contents: &'a Contents,
    pub(super) plan: &'a Plan,
    pub(super) account: &'a Account,
    pub(super) client: &'a Client,
    pub(super) latencies: &'a Latencies,
    pub(super) times: Times,
    pub(super) others: u64,
    pub(super) lagging: Lagging,
    pub(super) resumed: bool,
    pub(super) findings: Vec<Finding>,
}

/// A finished replay. Serializes to what `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The run's id, as it stands in its keys.
    pub run: String,
    /// Whether an earlier part of this run had begun already.
    pub resumed: bool,
    /// What it was told to do.
    pub options: Choices,
    /// The basket file.
    pub file: FileFigures,
    /// What was stocked.
    pub stock: StockFigures,
    /// What became of the baskets.
    pub checkouts: CheckoutFigures,
    /// Answered calls by kind; an attempt each, without those before it.
    pub latencies: Vec<Summary>,
    /// How the server was reached.
    pub server: ServerFigures,
    /// Statement by statement.
    pub proof: Vec<Finding>,
    /// Whether every statement holds.
    pub proved: bool,
    /// Every row that was left out.
    pub bad_rows: Vec<BadRow>,
}

impl Report {
    pub(super) fn new(told: Told<'_>) -> Self {
        let Told {
            options,
            contents,
            plan,
            account,
            client,
            times,
            findings,
            ..
        } = told;
        let mut by_fault: BTreeMap<Fault, u64> = BTreeMap::new();
        for row in &contents.bad_rows {
            *by_fault.entry(row.fault).or_default() += 1;
        }
        Self {
            run: options.run.as_str().to_owned(),
            resumed: told.resumed,
            options: Choices {
                locations: options.locations,
                mode: options.mode,
                shares: options.shares,
                stock_factor: options.stock_factor,
                qty_max: options.qty_max,
                seed: options.seed,
                connections: options.connections,
            },
            file: FileFigures {
                path: options.file.display().to_string(),
                rows: contents.rows,
                bad_rows: by_fault,
                baskets: contents.baskets.len() as u64,
                baskets_empty: contents.baskets_empty,
                baskets_split: plan.baskets_split,
            },
            stock: StockFigures {
                skus: contents.skus.all().len() as u64,
                places: plan.stock.len() as u64,
                units_demanded: plan.stock.iter().map(|stocking| stocking.demand).sum(),
                units_received: account.totals().received,
                seconds: times.stocking.as_secs_f64(),
            },
            checkouts: figures::checkouts(plan, account, times.checkouts),
            latencies: told.latencies.summaries(),
            server: ServerFigures {
                address: client.target().to_string(),
                outages: client.outages().survived(),
                outage_seconds: client.outages().total().as_secs_f64(),
                retries: client.retries(),
                others_seen_on_skus: told.others,
                lagging: told.lagging,
                proof_seconds: times.proof.as_secs_f64(),
                seconds: times.all.as_secs_f64(),
            },
            proved: findings
                .iter()
                .all(|finding| finding.verdict == Verdict::Holds),
            proof: findings,
            bad_rows: contents.bad_rows.clone(),
        }
    }

    /// The report for people.
    pub fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        self.write(&mut text, paint)
            .expect("writing to a string cannot fail");
        text
    }

    fn write(&self, out: &mut String, paint: Paint) -> fmt::Result {
        let title = paint.bold("holdfast replay");
        writeln!(
            out,
            "\n{title}  {} → {}",
            self.file.path, self.server.address
        )?;
        writeln!(out, "{}", paint.dim(format!("run {}", self.run)))?;
        if self.resumed {
            writeln!(
                out,
                "continued: an earlier part of this run is in the account, too"
            )?;
        }
        self.write_file(out, paint)?;
        self.write_stock(out, paint)?;
        self.write_checkouts(out, paint)?;
        write_latencies(out, paint, &self.latencies)?;
        self.write_server(out, paint)?;
        write_proof(out, paint, &self.proof)?;
        self.write_verdict(out, paint)
    }

    fn write_file(&self, out: &mut String, paint: Paint) -> fmt::Result {
        let Self { file, bad_rows, .. } = self;
        heading(out, paint, "file")?;
        line(out, "rows", &count(file.rows))?;
        line(out, "baskets", &count(file.baskets))?;
        if file.baskets_split > 0 {
            line(
                out,
                "split",
                &format!("{} over 200 lines", counted(file.baskets_split, "basket")),
            )?;
        }
        if bad_rows.is_empty() {
            return Ok(());
        }
        let empty = counted(file.baskets_empty, "basket");
        let all = count(bad_rows.len() as u64);
        line(
            out,
            "bad rows",
            &format!("{all} left out; {empty} held nothing else"),
        )?;
        for (&fault, &rows) in &file.bad_rows {
            let mut lines: Vec<String> = bad_rows
                .iter()
                .filter(|row| row.fault == fault)
                .take(5)
                .map(|row| row.line.to_string())
                .collect();
            if rows > 5 {
                lines.push("…".to_owned());
            }
            let lines = paint.dim(format!("line {}", lines.join(", ")));
            line(
                out,
                "",
                &format!("{:>6}  {}  {lines}", count(rows), fault.words()),
            )?;
        }
        Ok(())
    }

    fn write_stock(&self, out: &mut String, paint: Paint) -> fmt::Result {
        let stock = &self.stock;
        heading(out, paint, "stock")?;
        let share = share(stock.units_received, stock.units_demanded);
        let demanded = count(stock.units_demanded);
        let received = counted(stock.units_received, "unit");
        line(
            out,
            "received",
            &format!("{received}, {share} of the {demanded} that will be asked"),
        )?;
        let places = counted(stock.places, "place");
        line(
            out,
            "spread over",
            &format!("{} at {places}", counted(stock.skus, "SKU")),
        )
    }

    fn write_checkouts(&self, out: &mut String, paint: Paint) -> fmt::Result {
        let made = &self.checkouts;
        heading(out, paint, "checkouts")?;
        let took = Duration::from_secs_f64(made.seconds);
        let speed = format!(
            "in {}, {} a second",
            seconds(took),
            rate(made.reserves, took)
        );
        line(
            out,
            "reserves",
            &format!("{}  {}", count(made.reserves), paint.dim(speed)),
        )?;
        let of = |part| format!("{}  {}", count(part), paint.dim(share(part, made.reserves)));
        line(out, "held", &of(made.reserved))?;
        for (code, &times) in &made.refused {
            line(out, "refused", &format!("{}  {code}", of(times)))?;
        }
        line(out, "confirmed", &of(made.confirmed))?;
        if made.confirmed_late > 0 {
            line(
                out,
                "",
                &format!("{} after the deadline", count(made.confirmed_late)),
            )?;
        }
        line(out, "released", &of(made.released))?;
        line(out, "abandoned", &of(made.abandoned))?;
        if made.lapsed > 0 {
            line(out, "lapsed", &of(made.lapsed))?;
        }
        for (call, &times) in &made.settling_refused {
            line(out, "", &format!("{} {call}", paint.warn(count(times))))?;
        }
        let [asked, granted, sold] =
            [made.units_asked, made.units_granted, made.units_sold].map(count);
        line(
            out,
            "units",
            &format!("{asked} asked, {granted} granted, {sold} sold"),
        )
    }

    fn write_server(&self, out: &mut String, paint: Paint) -> fmt::Result {
        let ServerFigures {
            outages,
            outage_seconds,
            retries,
            lagging,
            ..
        } = self.server;
        if outages == 0 && retries.sum() == 0 && lagging.skus == 0 {
            return Ok(());
        }
        heading(out, paint, "on the way")?;
        if lagging.skus > 0 {
            let late = seconds(Duration::from_secs_f64(lagging.seconds));
            let skus = counted(lagging.skus, "SKU");
            let what = format!("counters of {skus} were behind the answers, for {late} at most");
            line(out, "lag", &what)?;
        }
        if outages > 0 {
            let away = seconds(Duration::from_secs_f64(outage_seconds));
            let times = counted(outages, "time");
            line(
                out,
                "away",
                &format!("the server went and came back {times}, {away} in all"),
            )?;
        }
        let causes = [
            ("connection refused", retries.refused),
            ("connection broken", retries.broken),
            ("no answer in time", retries.timed_out),
            ("asked to come back", retries.overload),
            ("first try still running", retries.in_progress),
            ("other failures", retries.unavailable),
        ];
        for (cause, times) in causes.into_iter().filter(|(_, times)| *times > 0) {
            line(out, "repeated", &format!("{:>6}  {cause}", count(times)))?;
        }
        Ok(())
    }

    fn write_verdict(&self, out: &mut String, paint: Paint) -> fmt::Result {
        let failed = self
            .proof
            .iter()
            .any(|finding| finding.verdict == Verdict::Fails);
        let verdict = if self.proved {
            paint.good("proved: nothing was oversold and nothing was lost")
        } else if failed {
            paint.bad("NOT PROVED: the server's counters contradict its answers")
        } else {
            let skus = counted(self.server.others_seen_on_skus, "SKU");
            paint.warn(format!(
                "NOT PROVABLE: another client was at work during the run, seen on {skus}"
            ))
        };
        writeln!(out, "\n{verdict}")
    }
}

/// Writes the statements of a proof, one line each, with examples where one doesn't hold.
pub(crate) fn write_proof(out: &mut String, paint: Paint, findings: &[Finding]) -> fmt::Result {
    heading(out, paint, "proof")?;
    for finding in findings {
        let mark = match finding.verdict {
            Verdict::Holds => paint.good("✓"),
            Verdict::Fails => paint.bad("✗"),
            Verdict::NotProvable => paint.warn("?"),
        };
        let numbers = paint.dim(&finding.numbers);
        writeln!(out, "  {mark} {:<48} {numbers}", finding.claim)?;
        if finding.exceptions > 0 {
            writeln!(out, "      {}:", counted(finding.exceptions, "exception"))?;
        }
        for example in &finding.examples {
            writeln!(out, "      {example}")?;
        }
    }
    Ok(())
}

/// Writes a table of the answered calls.
pub(crate) fn write_latencies(out: &mut String, paint: Paint, calls: &[Summary]) -> fmt::Result {
    heading(out, paint, "answered calls")?;
    let head = format!(
        "  {:<17}{:>9}{:>11}{:>11}{:>11}{:>11}",
        "", "calls", "p50 ms", "p90 ms", "p99 ms", "max ms"
    );
    writeln!(out, "{}", paint.dim(head))?;
    for Summary {
        call,
        calls,
        p50_ms,
        p90_ms,
        p99_ms,
        max_ms,
    } in calls
    {
        let calls = count(*calls);
        writeln!(
            out,
            "  {call:<17}{calls:>9}{p50_ms:>11.2}{p90_ms:>11.2}{p99_ms:>11.2}{max_ms:>11.2}"
        )?;
    }
    Ok(())
}

pub(crate) fn heading(out: &mut String, paint: Paint, text: &str) -> fmt::Result {
    writeln!(out, "\n{}", paint.bold(text))
}

pub(crate) fn line(out: &mut String, what: &str, value: &str) -> fmt::Result {
    writeln!(out, "  {what:<12} {value}")
}

/// How to go on with a run that was cut off.
pub fn continuation(run: &RunId) -> String {
    format!(
        "the same command with --run-id {} goes on where this one ended",
        run.as_str()
    )
}
