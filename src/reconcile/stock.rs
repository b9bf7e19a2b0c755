//! Comparing a number of units somebody reports with the counters, and nothing else.

use holdfast_core::{Basis, Counter, Counters, DriftKind, Measure, Proposal};

use super::finding::Finding;
use super::row::{Against, StockRow};

/// The counters a row is compared with, and where in the ledger they stood so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Then {
    /// The last event at which they were known to be right; 0 where nobody has looked yet.
    pub(super) since: u64,
    /// The last event before that moment.
    pub(super) seq: u64,
    /// The counters.
    pub(super) counters: Counters,
}

/// What the ledger says where the row says `units`.
pub(super) fn expected(row: &StockRow, counters: &Counters) -> i64 {
    match row.against {
        Against::Count(basis) => basis.of(counters),
        Against::Available => counters.available(),
    }
}

/// The difference, if there is one.
pub(super) fn compare(row: &StockRow, kind: DriftKind, then: &Then) -> Option<Finding> {
    let counters = &then.counters;
    let (expected, found) = (expected(row, counters), row.units as i64);
    if expected == found {
        return None;
    }
    // What is promised beyond what is there shows as nothing available; putting it right takes
    // those units as well.
    let from = match row.against {
        Against::Count(_) => expected,
        Against::Available => {
            let sellable = Basis {
                measure: Measure::Available,
                ..Basis::default()
            };
            sellable.of(counters) - counters.get(Counter::SafetyStock)
        }
    };
    Some(Finding {
        kind,
        sku: row.sku.clone(),
        location: row.location.clone(),
        expected,
        found,
        proposal: Proposal::Adjust(found - from),
        evidence: (then.since, then.seq),
        adjusted: counters.get(Counter::Adjusted),
        reservation: None,
        made: None,
        line: row.line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::{Location, Sku};

    fn then(values: &[(Counter, i64)]) -> Then {
        let mut counters = Counters::default();
        for (counter, value) in values {
            counters.set(*counter, *value);
        }
        Then {
            since: 3,
            seq: 9,
            counters,
        }
    }

    fn row(units: u64, against: Against) -> StockRow {
        StockRow {
            line: 2,
            sku: Sku::parse("A").expect("a name"),
            location: Location::main(),
            units,
            against,
            at: None,
        }
    }

    #[test]
    fn a_count_is_compared_with_what_it_measured() {
        use Counter::{Damaged, OnHand, Reserved, Returned, Sold};
        let then = then(&[
            (OnHand, 10),
            (Reserved, 4),
            (Sold, 3),
            (Returned, 2),
            (Damaged, 1),
        ]);
        let of = |measure, excludes_returned, excludes_damaged| {
            Against::Count(Basis {
                measure,
                excludes_returned,
                excludes_damaged,
            })
        };
        for (against, agrees) in [
            (of(Measure::Physical, false, false), 16),
            (of(Measure::Physical, true, true), 13),
            (of(Measure::Sellable, false, false), 10),
            (of(Measure::Available, false, false), 6),
            (Against::Available, 6),
        ] {
            assert_eq!(
                compare(&row(agrees, against), DriftKind::Warehouse, &then),
                None
            );
            let less = compare(&row(agrees - 2, against), DriftKind::Warehouse, &then);
            let less = less.expect("a difference");
            assert_eq!(less.found - less.expected, -2);
            assert_eq!(less.proposal, Proposal::Adjust(-2));
            assert_eq!(less.evidence, (3, 9));
        }
    }

    #[test]
    fn what_a_seller_can_sell_is_put_right_from_below_nothing() {
        let short = then(&[(Counter::OnHand, 1), (Counter::Reserved, 4)]);
        let finding = compare(&row(2, Against::Available), DriftKind::Seller, &short);
        let finding = finding.expect("a difference");
        assert_eq!((finding.expected, finding.found), (0, 2));
        assert_eq!(finding.proposal, Proposal::Adjust(5));
        assert_eq!(
            compare(&row(0, Against::Available), DriftKind::Seller, &short),
            None
        );
    }
}
