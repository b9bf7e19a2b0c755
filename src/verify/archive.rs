//! The archive of one shard: every file is whole, they follow each other and the journal without a
//! gap, and where both hold a record, it is the same.

use holdfast_ledger::{Archive, LedgerError, Record, Sealed, View};

/// A shard's archive, as far as it was checked.
pub(super) struct Past {
    archive: Archive,
    files: Vec<Sealed>,
    /// First sequence of the journal.
    oldest: u64,
}

impl Past {
    /// Checks an archive against the journal of its ledger.
    pub(super) fn check(archive: Archive, view: &View, oldest: u64) -> Result<Self, LedgerError> {
        let past = Self {
            files: archive.files(),
            archive,
            oldest,
        };
        past.check_ranges()?;
        let mut journal = view.replay(oldest)?;
        for file in &past.files {
            for record in past.archive.records(file)? {
                let record = record?;
                if record.first < oldest {
                    continue;
                }
                if journal.next().transpose()?.as_ref() != Some(&record) {
                    let detail = format!("the journal has another record {}", record.first);
                    return Err(damaged(file, detail));
                }
            }
        }
        Ok(past)
    }

    /// The first sequence of archive and journal together.
    pub(super) fn begins(&self) -> u64 {
        let first = self.files.first().map(|file| file.first);
        first.map_or(self.oldest, |first| first.min(self.oldest))
    }

    /// How many files there are.
    pub(super) fn files(&self) -> usize {
        self.files.len()
    }

    /// Hands over the records before the journal's first.
    pub(super) fn each(
        &self,
        mut visit: impl FnMut(Record) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        for file in self.files.iter().filter(|file| file.first < self.oldest) {
            for record in self.archive.records(file)? {
                let record = record?;
                if record.first < self.oldest {
                    visit(record)?;
                }
            }
        }
        Ok(())
    }

    fn check_ranges(&self) -> Result<(), LedgerError> {
        for pair in self.files.windows(2) {
            if pair[0].last + 1 != pair[1].first {
                let (end, begin) = (pair[0].last, pair[1].first);
                let detail = format!("it begins at {begin}, the file before it ends at {end}");
                return Err(damaged(&pair[1], detail));
            }
        }
        match self.files.last() {
            Some(newest) if newest.last + 1 < self.oldest => {
                let (last, oldest) = (newest.last, self.oldest);
                let detail = format!("it ends at {last}, and the journal begins at {oldest}");
                Err(damaged(newest, detail))
            }
            _ => Ok(()),
        }
    }
}

fn damaged(file: &Sealed, detail: String) -> LedgerError {
    LedgerError::Archive {
        path: file.path.clone(),
        detail,
    }
}
