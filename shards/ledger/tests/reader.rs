//! Reading a ledger beside its writer: in order, each record once, none missing.

mod common;

use common::{append, batch, on_disk, open, records};
use holdfast_ledger::faults::Disk;
use holdfast_ledger::{LedgerError, ReadLimit};

#[test]
fn a_reader_misses_nothing_while_records_move_from_the_log_to_the_tables() {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    let reader = ledger.reader();
    let limit = ReadLimit {
        records: 1 << 20,
        bytes: 64 << 20,
    };
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let mut next = 1;
            while next <= 3_000 {
                let head = reader.head();
                for record in reader.read(next, limit).expect("readable") {
                    assert_eq!(record.first, next, "in order, each once");
                    next = record.last() + 1;
                }
                assert!(head < next, "{head} was acknowledged, only {next} not read");
            }
        });
        for _ in 0..3_000 {
            let next = batch(&ledger, 1, 300);
            append(&mut ledger, &next).expect("the disk is sound");
        }
        follower.join().expect("it has read all");
    });
}

#[test]
fn a_reader_follows_the_writer_within_its_limits_and_ends_with_it() {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    let reader = ledger.reader();
    let all = ReadLimit {
        records: 100,
        bytes: 1 << 20,
    };
    assert_eq!(reader.read(1, all).expect("readable"), []);
    for _ in 0..10 {
        let next = batch(&ledger, 2, 100);
        append(&mut ledger, &next).expect("the disk is sound");
    }
    let elsewhere = reader.clone();
    let read = std::thread::spawn(move || elsewhere.read(4, all))
        .join()
        .expect("no panic");
    assert_eq!(read.expect("readable"), records(&ledger, 4));
    assert_eq!(
        (
            reader.head(),
            reader.oldest().expect("readable"),
            reader.shard()
        ),
        (20, 1, 3)
    );
    assert_eq!(
        reader
            .read(1, ReadLimit { records: 3, ..all })
            .expect("readable")
            .len(),
        3
    );
    assert_eq!(
        reader
            .read(1, ReadLimit { bytes: 150, ..all })
            .expect("readable")
            .len(),
        2
    );
    assert_eq!(
        reader
            .read(1, ReadLimit { bytes: 0, ..all })
            .expect("readable")
            .len(),
        1
    );
    drop(ledger);
    assert!(matches!(
        reader.read(1, all),
        Err(LedgerError::Closed { shard: 3 })
    ));
    open(&disk).expect("a reader does not keep it open");
}
