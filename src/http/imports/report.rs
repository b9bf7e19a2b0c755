//! What came of an import, row by row in the file's order.
//!
//! Rows are done out of order, since each shard goes at its own pace. The report follows them in
//! order, so that what it says is what came of all rows before `next_line`, and of no others.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::wire::scalar::{Id, Time};
use super::lines::Place;
use super::row::Fault;

/// What came of an import so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportReport)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are fields of the contract"
)]
pub(crate) struct Report {
    /// The file, as its sender names it; `null` in a dry run that names none.
    #[schema(required)]
    pub(crate) identity: Option<String>,
    /// Whether nothing was changed, and rows were only read and checked.
    pub(crate) dry_run: bool,
    /// Whether the file has been read to its end.
    pub(crate) complete: bool,
    /// Whether rows are still coming in.
    pub(crate) running: bool,
    /// Rows before `next_line`: the sum of the nine below, bad ones included.
    pub(crate) rows: u64,
    /// Movements booked whole.
    pub(crate) applied: u64,
    /// Rows that were done before: they changed nothing now.
    pub(crate) replayed: u64,
    /// Facts that fitted only in part; the rest opened drifts.
    pub(crate) partly: u64,
    /// Feed messages booked after later ones.
    pub(crate) late: u64,
    /// Movements that a later count had seen already.
    pub(crate) superseded: u64,
    /// Feed messages that were too old to change anything.
    pub(crate) stale: u64,
    /// Feed messages that were seen before.
    pub(crate) duplicate: u64,
    /// Rows with the settings of a SKU.
    pub(crate) configured: u64,
    /// SKUs that were not there before; no rows of their own.
    pub(crate) created: u64,
    /// Bad rows, which changed nothing: the first ones of the file.
    pub(crate) bad: Vec<BadRow>,
    /// Bad rows beyond those.
    pub(crate) bad_more: u64,
    /// The drifts of facts that fitted only in part: the first ones.
    pub(crate) drifts: Vec<DriftRow>,
    /// Drifts beyond those.
    pub(crate) drifts_more: u64,
    /// The line to go on with: all before it is durable, or bad.
    pub(crate) next_line: u64,
    /// Bytes of the file before that line.
    pub(crate) next_offset: u64,
    /// Whether rows from `next_line` on may have been done already.
    pub(crate) ahead: bool,
    /// Why it has not come to its end; `null` if it has, or goes on.
    #[schema(required)]
    pub(crate) stopped: Option<String>,
    /// Ledger time of its first row.
    #[schema(required)]
    pub(crate) began_at: Option<Time>,
    /// Ledger time of this report.
    #[schema(required)]
    pub(crate) updated_at: Option<Time>,
}

/// A row that changed nothing.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportBadRow)]
pub(crate) struct BadRow {
    /// Its line in the file, from 1; a CSV's header is a line.
    line: u64,
    /// The code of the problem that the single call would be answered with.
    code: String,
    /// The field it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// For people.
    reason: String,
}

/// A fact that fitted only in part.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportDriftRow)]
pub(crate) struct DriftRow {
    /// Its line in the file.
    line: u64,
    /// The drift that the rest opened.
    drift: Id,
    /// Units that fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<i64>,
}

/// What came of one row.
#[derive(Debug)]
pub(super) enum Done {
    Applied,
    Replayed,
    Partly(Option<(Id, Option<i64>)>),
    Late,
    Superseded,
    Stale,
    Duplicate,
    Configured,
    Bad(Box<Fault>),
}

/// Rows that are read and not yet reported, in the file's order.
#[derive(Debug, Default)]
pub(super) struct Window {
    rows: VecDeque<Open>,
    /// Rows that have left it.
    passed: u64,
}

#[derive(Debug)]
struct Open {
    at: Place,
    done: Option<Done>,
    has_created: bool,
}

impl Report {
    /// Adds a row. At most `rows_max` bad ones are told apart.
    fn add(&mut self, at: Place, done: Done, rows_max: usize) {
        self.rows += 1;
        match done {
            Done::Applied => self.applied += 1,
            Done::Replayed => self.replayed += 1,
            Done::Late => self.late += 1,
            Done::Superseded => self.superseded += 1,
            Done::Stale => self.stale += 1,
            Done::Duplicate => self.duplicate += 1,
            Done::Configured => self.configured += 1,
            Done::Partly(drift) => {
                self.partly += 1;
                match drift {
                    Some((drift, applied)) if self.drifts.len() < rows_max => {
                        let line = at.line;
                        self.drifts.push(DriftRow {
                            line,
                            drift,
                            applied,
                        });
                    }
                    Some(_) => self.drifts_more += 1,
                    None => {}
                }
            }
            Done::Bad(fault) if self.bad.len() < rows_max => {
                let Fault {
                    code,
                    field,
                    reason,
                } = *fault;
                self.bad.push(BadRow {
                    line: at.line,
                    code: code.into_owned(),
                    field,
                    reason,
                });
            }
            Done::Bad(_) => self.bad_more += 1,
        }
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        Place {
            line: self.next_line,
            offset: self.next_offset,
        }
    }

    /// Moves on.
    pub(super) fn stand_at(&mut self, place: Place) {
        (self.next_line, self.next_offset) = (place.line, place.offset);
    }
}

impl Window {
    /// Rows in it.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes a row in; its number.
    pub(super) fn open(&mut self, at: Place) -> u64 {
        self.rows.push_back(Open {
            at,
            done: None,
            has_created: false,
        });
        self.passed + self.rows.len() as u64 - 1
    }

    /// What came of a row; the first word counts.
    pub(super) fn close(&mut self, row: u64, done: Done) {
        self.row(row).done.get_or_insert(done);
    }

    /// A row's SKU was not there before.
    pub(super) fn created(&mut self, row: u64) {
        self.row(row).has_created = true;
    }

    fn row(&mut self, row: u64) -> &mut Open {
        let at = row.checked_sub(self.passed).map(|at| at as usize);
        at.and_then(|at| self.rows.get_mut(at))
            .expect("a row leaves the window after its last answer")
    }

    /// Moves rows of which all is known to the report; `next` is where the next line begins.
    pub(super) fn drain(&mut self, report: &mut Report, next: Place, rows_max: usize) {
        while let Some(Open {
            at,
            done: done @ Some(_),
            has_created,
        }) = self.rows.front_mut()
        {
            let done = done.take().expect("it was just seen");
            report.created += u64::from(*has_created);
            report.add(*at, done, rows_max);
            self.rows.pop_front();
            self.passed += 1;
        }
        report.stand_at(self.rows.front().map_or(next, |row| row.at));
        report.ahead = self.rows.iter().any(|row| row.done.is_some());
    }
}
