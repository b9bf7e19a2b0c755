//! The steps of a replay, one after the other.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Failed, HELLO_MAX, Options, ReadBack, Speed,
    account::Account,
    baseline::Baseline,
    basket::Contents,
    checkout::{Counter, Done},
    judgement::{self, Judgement},
    plan::{self, Plan},
    proof::ReadBackAnswers,
    reader,
    reads::{Reader, by_name},
    report::{Report, Times, Told},
    spread::spread,
    stocking::{self, BATCH, Refused},
};
use crate::{
    client::{
        Call, Client, Failure, Receipt,
        latency::{Call as Kind, Latencies},
        wire::Sku,
    },
    progress::{Progress, Show},
    show::{count, counted, seconds},
};

/// Batches under way at once: a thousand receipts each, and a shard takes only so many at a time.
const BATCHES_AT_ONCE: usize = 4;

/// Replays the file against the server and proves the outcome.
pub async fn run(options: Options) -> Result<Report, Failed> {
    options.shares.check()?;
    let contents = read_file(&options)?;
    let seed = options.seed;
    let plan = Plan::new(&contents, options.shares, options.stock_factor, seed);
    let client = Arc::new(Client::new(options.server.clone(), options.patience));
    hello(&client).await?;
    let replay = Replay {
        latencies: Arc::new(Latencies::default()),
        contents: Arc::new(contents),
        plan: Arc::new(plan),
        options: Arc::new(options),
        client,
    };
    replay.play().await
}

/// A run under way.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    pub(super) options: Arc<Options>,
    pub(super) contents: Arc<Contents>,
    plan: Arc<Plan>,
    pub(super) client: Arc<Client>,
    latencies: Arc<Latencies>,
}

impl Replay {
    async fn play(self) -> Result<Report, Failed> {
        let started = Instant::now();
        let path = self.baseline_path();
        let (baseline, resumed) = self.baseline(&path).await?;
        let mut account = Account::default();
        let stocking_began = Instant::now();
        self.configure(&baseline).await?;
        self.stock(&mut account).await?;
        let stocking = stocking_began.elapsed();
        let checkouts_began = Instant::now();
        self.check_out(&mut account).await?;
        let checkouts = checkouts_began.elapsed();

        let proof_began = Instant::now();
        let Judgement {
            findings,
            others,
            lagging,
        } = judgement::reach(&self, &account, &baseline).await?;
        let proof = proof_began.elapsed();
        if !self.options.run.is_chosen() {
            // Its purpose is served; a file that stays behind does no harm.
            std::fs::remove_file(&path).ok();
        }
        Ok(Report::new(Told {
            options: &self.options,
            contents: &self.contents,
            plan: &self.plan,
            account: &account,
            client: &self.client,
            latencies: &self.latencies,
            times: Times {
                stocking,
                checkouts,
                proof,
                all: started.elapsed(),
            },
            others,
            lagging,
            resumed,
            findings,
        }))
    }

    fn baseline_path(&self) -> PathBuf {
        let run = self.options.run.as_str();
        self.options
            .baseline
            .clone()
            .unwrap_or_else(|| Baseline::default_path(run))
    }

    /// The counters from before: read now, or kept by an earlier part of this run.
    async fn baseline(&self, path: &std::path::Path) -> Result<(Baseline, bool), Failed> {
        let run = self.options.run.as_str();
        let fingerprint = plan::fingerprint(&self.contents, &self.plan)
            ^ self.options.mode as u64
            ^ self.options.abandon_ttl_ms.rotate_left(20)
            ^ self.options.ttl_ms.rotate_left(40);
        if let Some(kept) = Baseline::load(path, run, fingerprint)? {
            return Ok((kept, true));
        }
        let skus = self.skus("reading where it begins").await?;
        let baseline = Baseline {
            run: run.to_owned(),
            fingerprint,
            skus: by_name(&skus),
        };
        baseline.save(path)?;
        Ok((baseline, false))
    }

    /// All SKUs of the file that the server knows.
    pub(super) async fn skus(&self, what: &str) -> Result<Vec<Sku>, Failure> {
        let names = self.contents.skus.all().to_vec();
        let progress = self.progress(what, names.len());
        let skus = self.reader(&progress).skus(names).await?;
        progress.finish(&counted(skus.len() as u64, "SKU"));
        Ok(skus)
    }

    /// The SKUs of these names, once more and without a step of its own.
    pub(super) async fn look_again(&self, names: Vec<String>) -> Result<Vec<Sku>, Failure> {
        let progress = Arc::new(Progress::spinner(Show::Nothing, "looking again"));
        self.reader(&progress).skus(names).await
    }

    /// The acknowledged reservations, as far as they are to be read back.
    pub(super) async fn read_back(&self, account: &Account) -> Result<ReadBackAnswers, Failure> {
        let mut ids: Vec<(usize, String)> = account
            .held
            .iter()
            .map(|held| held.id.clone())
            .enumerate()
            .collect();
        if let ReadBack::Sample(most) = self.options.read_back {
            let seed = self.options.seed;
            ids.sort_by_cached_key(|(place, _)| {
                (plan::draw(&format!("sample\0{place}"), seed) * 2f64.powi(53)) as u64
            });
            ids.truncate(most);
        }
        let progress = self.progress("reading reservations back", ids.len());
        let answers = self.reader(&progress).reservations(ids).await?;
        progress.finish(&count(answers.len() as u64));
        Ok(answers)
    }

    async fn configure(&self, baseline: &Baseline) -> Result<(), Failed> {
        let needed = stocking::configurations(&self.contents, &self.plan, baseline);
        if needed.is_empty() {
            return Ok(());
        }
        let total = needed.len();
        let progress = self.progress("creating SKUs", total);
        let (replay, shown) = (self.clone(), Arc::clone(&progress));
        spread(self.options.connections, total, move |place| {
            let (replay, shown) = (replay.clone(), Arc::clone(&shown));
            let stocking::Configuration { sku, config } = needed[place].clone();
            async move {
                let said = replay.client.configure(&sku, &config).await?;
                replay.latencies.record(Kind::Configure, said.took);
                shown.inc(1);
                match said.result {
                    Ok(_) => Ok(()),
                    Err(problem) => Err(Failed::Stocking(Refused {
                        sku,
                        problem: Box::new(problem),
                    })),
                }
            }
        })
        .await?;
        progress.finish(&counted(total as u64, "SKU"));
        Ok(())
    }

    async fn stock(&self, account: &mut Account) -> Result<(), Failed> {
        let receipts = stocking::receipts(&self.contents, &self.plan, self.options.run.as_str());
        let total = receipts.len();
        let progress = self.progress("stocking", total);
        let (replay, shown) = (self.clone(), Arc::clone(&progress));
        let batches: Vec<Vec<Receipt>> = receipts
            .chunks(BATCH)
            .map(|batch| batch.iter().map(|(_, receipt)| receipt.clone()).collect())
            .collect();
        let batches = Arc::new(batches);
        let workers = self.options.connections.min(BATCHES_AT_ONCE);
        let answers = spread(workers, batches.len(), move |place| {
            let (replay, shown) = (replay.clone(), Arc::clone(&shown));
            let batches = Arc::clone(&batches);
            async move {
                let patience = replay.options.patience.call;
                let received = replay.client.receive(&batches[place], patience).await?;
                for took in received.calls {
                    replay.latencies.record(Kind::Receive, took);
                }
                shown.inc(received.answers.len() as u64);
                Ok::<_, Failure>(received.answers)
            }
        })
        .await?;
        stocking::book(account, &receipts, answers.into_iter().flatten().collect())?;
        let units = account.totals().received;
        let places = counted(total as u64, "place");
        progress.finish(&format!("{} at {places}", counted(units, "unit")));
        Ok(())
    }

    async fn check_out(&self, account: &mut Account) -> Result<(), Failure> {
        let total = self.plan.checkouts.len();
        let progress = self.progress("checking out", total);
        let (replay, shown) = (self.clone(), Arc::clone(&progress));
        let began = Instant::now();
        let first = self
            .plan
            .checkouts
            .first()
            .map_or(0, |first| self.at(first.basket));
        let done = spread(self.options.connections, total, move |place| {
            let (replay, shown) = (replay.clone(), Arc::clone(&shown));
            async move {
                let checkout = &replay.plan.checkouts[place];
                if let Speed::Times(times) = replay.options.speed {
                    let after = (replay.at(checkout.basket) - first) as f64 / times;
                    sleep_until(began + Duration::from_secs_f64(after)).await;
                }
                let done = replay.counter().serve(checkout).await?;
                shown.inc(1);
                Ok::<_, Failure>(done)
            }
        })
        .await?;
        for one in done {
            book(account, one);
        }
        let totals = account.totals();
        progress.finish(&format!(
            "{}, {} units sold",
            counted(total as u64, "basket"),
            count(totals.sold)
        ));
        Ok(())
    }

    fn at(&self, basket: usize) -> i64 {
        self.contents.baskets[basket].at
    }

    fn counter(&self) -> Counter<'_> {
        Counter {
            client: &self.client,
            contents: &self.contents,
            latencies: &self.latencies,
            run: self.options.run.as_str(),
            mode: self.options.mode,
            ttl_ms: self.options.ttl_ms,
            abandon_ttl_ms: self.options.abandon_ttl_ms,
        }
    }

    fn reader(&self, progress: &Arc<Progress>) -> Reader {
        Reader {
            client: Arc::clone(&self.client),
            latencies: Arc::clone(&self.latencies),
            progress: Arc::clone(progress),
            connections: self.options.connections,
        }
    }

    /// A step with its progress; a task beside it says when the server is away.
    fn progress(&self, what: &str, total: usize) -> Arc<Progress> {
        let progress = Arc::new(Progress::bar(self.options.show, what, total as u64));
        let (shown, client) = (Arc::downgrade(&progress), Arc::clone(&self.client));
        tokio::spawn(async move {
            let mut away = Duration::ZERO;
            while let Some(progress) = shown.upgrade() {
                if let Some(time) = client.outages().lasting() {
                    away = time;
                    progress.note(format!(
                        "the server is away, waiting ({} s)",
                        time.as_secs()
                    ));
                } else if !away.is_zero() {
                    progress.note("");
                    progress.line(&format!("  the server was away for {}", seconds(away)));
                    away = Duration::ZERO;
                }
                drop(progress);
                sleep(Duration::from_millis(250)).await;
            }
        });
        progress
    }
}

fn read_file(options: &Options) -> Result<Contents, Failed> {
    let progress = Progress::spinner(options.show, "reading the file");
    let contents = reader::read(&options.file, options.locations, options.qty_max)?;
    progress.finish(&format!(
        "{}, {}",
        counted(contents.rows, "row"),
        counted(contents.baskets.len() as u64, "basket")
    ));
    Ok(contents)
}

/// Whether there is a server at all: the only time that a refused connection is final.
async fn hello(client: &Client) -> Result<(), Failed> {
    match client
        .walk_away(&Call::get("/v1/skus?limit=1"), HELLO_MAX)
        .await
    {
        Ok(_any) => Ok(()),
        Err(broken) => Err(Failed::NoServer {
            server: client.target().clone(),
            why: broken.to_string(),
        }),
    }
}

fn book(account: &mut Account, done: Done) {
    account.units_asked += done.units_asked;
    account.misfits.extend(done.misfits);
    if let Some(refused) = done.settling_refused {
        *account.settling_refused.entry(refused).or_default() += 1;
    }
    match done.reserved {
        Ok(held) => account.held.push(held),
        Err(code) => *account.refused.entry(code).or_default() += 1,
    }
}
