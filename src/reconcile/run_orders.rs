//! Comparing an order export with the reservations.
//!
//! All orders of the file are in memory. The look-up lists every reservation, the shards say how
//! each stands: those of which no order tells are found on the way, the others are compared order
//! by order afterwards. Without a look-up only what the file names is compared.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use holdfast_core::{ReservationId, ReservationView, Timestamp};
use holdfast_runtime::{At, Deadline, LookupCursor, LookupFilter, LookupPage, Unavailable};

use super::finding::Finding;
use super::judge;
use super::orders::{Order, Orders};
use super::reader::{Fault, Rows, Unusable};
use super::row::RawOrder;
use super::run::{Ended, Limits, Pace, Run, blocking, is_forgotten};

/// Orders compared at a time, and reservations listed at a time.
const CHUNK: usize = 512;

/// What the first reading has found.
struct Gathered {
    rows: u64,
    faults: Vec<Fault>,
    orders: Orders,
}

impl Run {
    pub(super) async fn orders(&self) -> Result<(), Ended> {
        let (path, limits, told) = (self.folder.input(), self.limits, self.order.rows);
        let gathered = blocking(move || gather(&path, &limits, told)).await??;
        {
            let mut report = self.report();
            report.rows.read = gathered.rows;
            gathered
                .faults
                .into_iter()
                .for_each(|fault| report.fault(fault));
        }
        let orders = gathered.orders;
        let mut pace = Pace::of(&self.limits);
        let listed = self.list(&orders, &mut pace).await?;
        let mut first = 0;
        for chunk in orders.all().chunks(CHUNK) {
            let mut findings = Vec::new();
            let mut ids: Vec<ReservationId> = chunk.iter().filter_map(|o| o.reservation).collect();
            for at in first..first + chunk.len() {
                ids.extend(listed.get(&(at as u32)).into_iter().flatten());
            }
            ids.sort_unstable();
            ids.dedup();
            let views = self.insist(|| self.router.reservations(&ids)).await?;
            for (at, order) in chunk.iter().enumerate() {
                let listed = listed
                    .get(&((first + at) as u32))
                    .map_or(&[][..], Vec::as_slice);
                if !order.is_contradicted {
                    findings.extend(self.judge(order, listed, &views).await?);
                }
                self.report().rows.compared += order.lines.len() as u64;
            }
            self.tell(findings).await?;
            first += chunk.len();
            pace.took(chunk.len() as u64).await;
        }
        Ok(())
    }

    /// Lists all reservations; tells of those that no order has, and answers which have one.
    async fn list(
        &self,
        orders: &Orders,
        pace: &mut Pace,
    ) -> Result<HashMap<u32, Vec<ReservationId>>, Ended> {
        let mut listed: HashMap<u32, Vec<ReservationId>> = HashMap::new();
        if !self.await_lookup().await? {
            let none = "reservations without an order are not looked for; see lookup.enabled";
            self.report().reason = Some(none.to_owned());
            return Ok(listed);
        }
        let span = (self.order.since(), self.order.as_of());
        let mut cursor: Option<LookupCursor> = None;
        loop {
            let page = self.insist(|| self.page(cursor)).await?;
            let mut findings = Vec::new();
            for view in &page.items {
                match orders.of(view.id, view.order_ref.as_ref()) {
                    Some(at) => listed.entry(at as u32).or_default().push(view.id),
                    None if span.0 <= view.created_at && view.created_at <= span.1 => {
                        findings.extend(judge::stranger(view));
                    }
                    None => {}
                }
            }
            self.tell(findings).await?;
            pace.took(page.items.len() as u64).await;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(listed);
            }
        }
    }

    async fn page(&self, cursor: Option<LookupCursor>) -> Result<LookupPage, Unavailable> {
        let page = self
            .router
            .lookup(LookupFilter::default(), cursor, CHUNK)
            .await?;
        match page.missing.first() {
            Some(shard) => Err(Unavailable::Recovering { shard: *shard }),
            None => Ok(page),
        }
    }

    /// Waits until the look-up has what was committed at arrival; false where there is none.
    async fn await_lookup(&self) -> Result<bool, Ended> {
        let any = self.router.lookup(LookupFilter::default(), None, 1).await;
        if matches!(any, Err(Unavailable::Full("lookups"))) {
            return Ok(false);
        }
        let seen = || async {
            let page = self
                .insist(|| async { self.router.lookup(LookupFilter::default(), None, 1).await });
            let page = page.await?;
            Ok(page
                .as_of
                .iter()
                .map(|(shard, seq, _)| (*shard, *seq))
                .collect())
        };
        self.caught_up(seen).await?;
        Ok(true)
    }

    async fn judge(
        &self,
        order: &Order,
        listed: &[ReservationId],
        views: &HashMap<ReservationId, ReservationView>,
    ) -> Result<Vec<Finding>, Ended> {
        let ids: HashSet<ReservationId> = listed.iter().copied().chain(order.reservation).collect();
        let mut own: Vec<ReservationView> =
            ids.iter().filter_map(|id| views.get(id).cloned()).collect();
        own.sort_by_key(|view| view.id);
        if let Some(id) = order.reservation.filter(|id| !views.contains_key(id)) {
            let deadline = Deadline::within(Duration::from_secs(10));
            let told = self.router.reservation(id, deadline).await;
            if is_forgotten(&told) {
                self.report().rows.forgotten += order.lines.len() as u64;
                return Ok(Vec::new());
            }
        }
        Ok(judge::order(order, &own))
    }

    /// Opens drifts, each with the entries of its SKU's ledger since the reservation was made (or
    /// since the first that the file has to tell of), up to the moment it tells of.
    async fn tell(&self, findings: Vec<Finding>) -> Result<(), Ended> {
        let mut told = Vec::with_capacity(findings.len());
        for mut finding in findings {
            if self.router.sku(&finding.sku).is_none() {
                self.report().fault(Fault {
                    line: finding.line,
                    reason: "the SKU is unknown".to_owned(),
                });
                continue;
            }
            let made = finding.made.unwrap_or(self.order.since());
            let from = self.before(&finding, made);
            let up_to = self.seq_at(&finding, self.order.as_of()).await;
            finding.evidence = (self.seq_at(&finding, from).await.min(up_to), up_to);
            told.push(finding);
        }
        self.settle(&told).await
    }

    /// The last event of a finding's SKU at a moment; 0 where nobody knows.
    async fn seq_at(&self, finding: &Finding, at: Timestamp) -> u64 {
        let past = self.router.past(&finding.sku, At::Time(at)).await;
        past.map_or(0, |past| past.seq)
    }

    /// The moment before a reservation: another shard than its home held its units a little earlier.
    fn before(&self, finding: &Finding, made: Timestamp) -> Timestamp {
        let placement = self.router.placement();
        let home = finding.reservation.map(|id| placement.home_of(id));
        let lead = match home {
            Some(home) if home == placement.shard_of_sku(&finding.sku) => 0,
            Some(_) | None => self.limits.lead.ms(),
        };
        Timestamp::from_ms(made.ms().saturating_sub(lead + 1))
    }
}

/// Reads a file to its end.
fn gather(path: &Path, limits: &Limits, told: Option<u64>) -> Result<Gathered, Unusable> {
    let mut rows = Rows::<RawOrder>::open(path)?;
    let mut gathered = Gathered {
        rows: 0,
        faults: Vec::new(),
        orders: Orders::default(),
    };
    while let Some(row) = rows.next()? {
        gathered.rows += 1;
        if gathered.rows > limits.rows_max {
            return Err(Unusable::TooLong(limits.rows_max));
        }
        let taken = row.and_then(|row| gathered.orders.take(row));
        gathered.faults.extend(taken.err());
    }
    match told {
        Some(told) if told != gathered.rows => Err(Unusable::Rows {
            found: gathered.rows,
            told,
        }),
        _ => Ok(gathered),
    }
}
