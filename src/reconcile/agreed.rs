//! Where a count or a feed last agreed with the ledger: for each SKU, location and thing compared,
//! the sequence up to which it was right. The evidence of a later difference begins there.
//!
//! One file of sorted entries beside the reconciliations, read whole and written anew. It decides
//! nothing: without it, or where it is damaged, evidence only reaches further back.
//! Deliberately absent: what a movement or a decided drift settled; the engine knows that.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use holdfast_core::{Basis, Measure};
use tracing::warn;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::row::{Against, StockRow};

/// What was compared where, as a number.
pub(super) type Place = u64;

/// The file, and whoever writes it.
pub(super) struct Agreed {
    path: PathBuf,
    writing: Mutex<()>,
}

/// What the file said when it was read.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<(Place, u64)>);

/// Begins the file; the number is that of its form.
const MAGIC: &[u8; 8] = b"hfagreed";
const FORM: u64 = 1;

/// Magic, form, checksum of what follows.
const HEAD: usize = 24;
const ENTRY: usize = 16;

/// The place of a row: two that compare different things of one place agree apart.
pub(super) fn place_of(row: &StockRow) -> Place {
    let against = match row.against {
        Against::Available => 0xff,
        Against::Count(basis) => code_of(basis),
    };
    let mut hasher = Xxh3::new();
    hasher.update(row.sku.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(row.location.as_str().as_bytes());
    hasher.update(&[0, against]);
    hasher.digest()
}

fn code_of(basis: Basis) -> u8 {
    let measure = match basis.measure {
        Measure::Physical => 0,
        Measure::Sellable => 1,
        Measure::Available => 2,
    };
    measure | u8::from(basis.excludes_returned) << 4 | u8::from(basis.excludes_damaged) << 5
}

impl Known {
    /// The last sequence at which a place agreed, if it did before this one.
    pub(super) fn before(&self, place: Place, seq: u64) -> Option<u64> {
        let at = self.0.binary_search_by_key(&place, |(place, _)| *place);
        at.ok().map(|at| self.0[at].1).filter(|known| *known < seq)
    }

    /// With places that agreed since; of two sequences of one place the later stays.
    fn with(self, mut news: Vec<(Place, u64)>) -> Self {
        news.extend(self.0);
        news.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        news.dedup_by_key(|(place, _)| *place);
        Self(news)
    }
}

impl Agreed {
    /// Kept in this folder.
    pub(super) fn in_folder(root: &Path) -> Self {
        Self {
            path: root.join("agreed"),
            writing: Mutex::default(),
        }
    }

    /// What is known. A file that is damaged says nothing.
    pub(super) fn read(&self) -> Known {
        match fs::read(&self.path).map(|bytes| parse(&bytes)) {
            Ok(Some(known)) => known,
            Ok(None) => {
                let path = self.path.display();
                warn!(%path, "damaged; evidence begins further back until counts agree again");
                Known::default()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Known::default(),
            Err(error) => {
                let path = self.path.display();
                warn!(%path, %error, "can't be read; evidence begins further back");
                Known::default()
            }
        }
    }

    /// Keeps places that agreed.
    pub(super) fn add(&self, news: Vec<(Place, u64)>) -> io::Result<()> {
        if news.is_empty() {
            return Ok(());
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.read().with(news);
        let mut body = Vec::with_capacity(all.0.len() * ENTRY);
        for (place, seq) in &all.0 {
            body.extend_from_slice(&place.to_le_bytes());
            body.extend_from_slice(&seq.to_le_bytes());
        }
        let beside = self.path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(MAGIC)?;
        file.write_all(&FORM.to_le_bytes())?;
        file.write_all(&xxh3_64(&body).to_le_bytes())?;
        file.write_all(&body)?;
        fs::rename(&beside, &self.path)
    }
}

fn parse(bytes: &[u8]) -> Option<Known> {
    let (head, body) = bytes.split_at_checked(HEAD)?;
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
    let is_own = head[..8] == *MAGIC && number(&head[8..16]) == Some(FORM);
    let is_whole = number(&head[16..]) == Some(xxh3_64(body)) && body.len() % ENTRY == 0;
    if !is_own || !is_whole {
        return None;
    }
    let entries = body.chunks_exact(ENTRY);
    let read = |entry: &[u8]| Some((number(&entry[..8])?, number(&entry[8..])?));
    entries.map(read).collect::<Option<_>>().map(Known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::{Location, Sku};

    fn row(sku: &str, against: Against) -> StockRow {
        StockRow {
            line: 2,
            sku: Sku::parse(sku).expect("a name"),
            location: Location::main(),
            units: 1,
            against,
            at: None,
        }
    }

    #[test]
    fn what_agreed_is_known_to_the_next_and_the_later_sequence_stays() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let agreed = Agreed::in_folder(folder.path());
        agreed.add(vec![(9, 100), (3, 50)]).expect("kept");
        agreed.add(vec![(3, 70), (9, 90), (4, 1)]).expect("kept");
        let known = agreed.read();
        let before = |place| known.before(place, 1_000);
        assert_eq!(
            (before(9), before(3), before(4)),
            (Some(100), Some(70), Some(1))
        );
        assert_eq!(before(5), None);
        assert_eq!(known.before(9, 100), None, "it agreed no earlier than that");
    }

    #[test]
    fn a_damaged_file_says_nothing_and_is_written_anew() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let agreed = Agreed::in_folder(folder.path());
        agreed.add(vec![(9, 100), (3, 50)]).expect("kept");
        let whole = fs::read(&agreed.path).expect("it is there");
        for at in [0, 9, 17, HEAD, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&agreed.path, bytes).expect("ours");
            assert_eq!(agreed.read().before(9, 1_000), None, "byte {at}");
        }
        fs::write(&agreed.path, &whole[..whole.len() - 1]).expect("ours");
        assert_eq!(agreed.read().before(9, 1_000), None);
        agreed.add(vec![(4, 7)]).expect("kept");
        assert_eq!(agreed.read().before(4, 1_000), Some(7));
    }

    #[test]
    fn what_is_compared_makes_a_place_of_its_own() {
        let count = |measure, excludes_damaged| {
            Against::Count(Basis {
                measure,
                excludes_returned: false,
                excludes_damaged,
            })
        };
        let places = [
            row("A", Against::Available),
            row("A", count(Measure::Physical, false)),
            row("A", count(Measure::Physical, true)),
            row("A", count(Measure::Sellable, false)),
            row("A", count(Measure::Available, false)),
            row("B", count(Measure::Physical, false)),
        ]
        .map(|row| place_of(&row));
        let mut known = places.to_vec();
        known.sort_unstable();
        known.dedup();
        assert_eq!(known.len(), places.len());
    }
}
