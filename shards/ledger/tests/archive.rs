//! Archives: what goes in comes out, also where the journal was trimmed, after a crash in the
//! middle of a file, and never where a file was damaged.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{append, batch, identity, on_disk, records};
use holdfast_ledger::faults::Disk;
use holdfast_ledger::{Archive, Ledger, LedgerError, ReadLimit, Record, Sealed};
use tempfile::TempDir;

const LIMIT: ReadLimit = ReadLimit {
    records: 10,
    bytes: usize::MAX,
};

/// A ledger of `count` records of three events each.
fn ledger(count: usize) -> (Disk, Ledger) {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    for n in 0..count {
        let next = batch(&ledger, 3, 40_000 + n);
        append(&mut ledger, &next).expect("it fits");
    }
    (disk, ledger)
}

fn archive(dir: &Path) -> Archive {
    Archive::open(dir, &identity()).expect("it can be opened")
}

fn seal(archive: &Archive, records: &[Record]) -> Sealed {
    let mut writer = archive.begin(records[0].first).expect("a file");
    for record in records {
        writer.push(record).expect("written");
    }
    archive.seal(writer).expect("sealed").expect("not empty")
}

#[test]
fn records_come_back_from_wherever_they_are_asked_for() {
    let (dir, (_disk, ledger)) = (TempDir::new().expect("a directory"), ledger(20));
    let all = records(&ledger, 1);
    let kept = archive(dir.path());
    seal(&kept, &all[..8]);
    seal(&kept, &all[8..]);
    for archive in [kept, archive(dir.path())] {
        assert_eq!(archive.range(), Some((1, 60)));
        for from in 1..=60 {
            let read = archive.read(from, LIMIT).expect("it is there");
            let place = (from as usize - 1) / 3;
            let end = if place < 8 { 8 } else { 20 };
            assert_eq!(read, all[place..end.min(place + 10)], "from {from}");
        }
        assert!(matches!(
            archive.read(61, LIMIT),
            Err(LedgerError::Trimmed { oldest: 61, .. })
        ));
        let again: Result<Vec<_>, _> = archive
            .files()
            .iter()
            .flat_map(|file| archive.records(file).expect("it is whole"))
            .collect();
        assert_eq!(again.expect("each is whole"), all);
    }
}

#[test]
fn a_reader_goes_on_in_the_archive_where_the_journal_was_trimmed() {
    let (dir, (_disk, mut ledger)) = (TempDir::new().expect("a directory"), ledger(20));
    let all = records(&ledger, 1);
    let archive = Arc::new(archive(dir.path()));
    seal(&archive, &all[..10]);
    let mut last = batch(&ledger, 1, 10);
    last.replay_from = Some(61);
    last.trim_below = Some(25);
    append(&mut ledger, &last).expect("it fits");
    assert!(1 < ledger.oldest());
    let alone = ledger.reader();
    assert!(matches!(
        alone.read(1, LIMIT),
        Err(LedgerError::Trimmed { .. })
    ));
    let reader = alone.with_archive(archive);
    assert_eq!(reader.begins().expect("open"), 1);
    let mut read = Vec::new();
    while let Some(next) = read.last().map_or(Some(1), |last: &Record| {
        Some(last.last() + 1).filter(|next| *next <= 60)
    }) {
        read.extend(reader.read(next, LIMIT).expect("it is somewhere"));
    }
    read.truncate(20);
    assert_eq!(read, all);
}

#[test]
fn what_a_crash_left_unsealed_is_thrown_away_and_written_again() {
    let (dir, (_disk, ledger)) = (TempDir::new().expect("a directory"), ledger(6));
    let all = records(&ledger, 1);
    let before = archive(dir.path());
    let mut writer = before.begin(1).expect("a file");
    for record in &all {
        writer.push(record).expect("written");
    }
    // A crash: nothing is dropped in order.
    std::mem::forget(writer);
    assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    let after = archive(dir.path());
    assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 0);
    assert_eq!(after.range(), None);
    seal(&after, &all);
    assert_eq!(archive(dir.path()).range(), Some((1, 18)));
}

#[test]
fn every_damaged_byte_is_noticed_and_the_file_named() {
    let (dir, (_disk, ledger)) = (TempDir::new().expect("a directory"), ledger(3));
    let all = records(&ledger, 1);
    let archive = archive(dir.path());
    let sealed = seal(&archive, &all);
    let whole = fs::read(&sealed.path).expect("it is there");
    let check = |what: &str| {
        let read = archive
            .records(&sealed)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let error = read.expect_err(what).to_string();
        let is_identity = error.contains("identity") || error.contains("the ledger's");
        assert!(error.contains(".hfa") || is_identity, "{what}: {error}");
    };
    for at in (0..whole.len()).step_by(whole.len() / 300) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&sealed.path, &damaged).expect("written");
        check(&format!("byte {at}"));
    }
    for length in [0, 5, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&sealed.path, &whole[..length]).expect("written");
        check(&format!("cut to {length}"));
    }
}

#[test]
fn old_files_are_removed_oldest_first_and_the_newest_stays() {
    let (dir, (_disk, ledger)) = (TempDir::new().expect("a directory"), ledger(9));
    let all = records(&ledger, 1);
    let archive = archive(dir.path());
    for three in all.chunks(3) {
        seal(&archive, three);
    }
    assert_eq!(archive.remove_before(all[5].at).expect("removed"), 1);
    assert_eq!(archive.range(), Some((10, 27)));
    assert_eq!(archive.remove_before(u64::MAX).expect("removed"), 1);
    assert_eq!(archive.range(), Some((19, 27)));
}
