//! What a log promises its owner and its readers, on a disk that does not fail.

mod common;

use common::{Model, any_batch, append, batch, chunks, identity, on_disk, open, records, rows};
use holdfast_ledger::faults::{Disk, Random};
use holdfast_ledger::{
    Batch, Chunk, Durability, Identity, Ledger, LedgerError, Log, OPENING_MAX, Options, Place,
    Repair, View,
};
use uuid::Uuid;

#[test]
fn what_was_appended_is_replayed_from_any_sequence() {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    assert_eq!((ledger.head(), ledger.at()), (0, 0));
    for (events, bytes) in [(1, 10), (50, 5_000), (4_000, 400_000), (2, 4_053), (1, 0)] {
        let next = batch(&ledger, events, bytes);
        assert_eq!(append(&mut ledger, &next).expect("sound"), next.last());
    }
    assert_eq!(ledger.head(), 4_054);
    let all = records(&ledger, 1);
    assert_eq!(
        all.iter().map(|record| record.first).collect::<Vec<_>>(),
        [1, 2, 52, 4_052, 4_054]
    );
    assert_eq!(
        all.iter().map(|record| record.body.len()).sum::<usize>(),
        409_063
    );
    assert_eq!(
        records(&ledger, 51),
        all[1..],
        "51 is the last event of the second record"
    );
    assert_eq!(records(&ledger, 52), all[2..]);
    assert_eq!(records(&ledger, 4_054), all[4..]);
    assert_eq!(records(&ledger, 4_055), []);
}

#[test]
fn any_history_is_there_after_any_number_of_restarts() {
    for seed in 0..12 {
        let disk = Disk::new();
        let mut ledger = on_disk(&disk);
        let (mut model, mut random) = (Model::new(), Random::new(seed));
        for n in 0..60 {
            let next = any_batch(&model, &mut random);
            append(&mut ledger, &next).expect("the disk is sound");
            model.apply(&next);
            model.assert_held_by(&ledger);
            if n % 20 == 19 {
                drop(ledger);
                ledger = open(&disk).expect("it was whole");
                model.assert_held_by(&ledger);
            }
        }
        drop(ledger);
        let mut view = View::open_with_backend(disk, &identity()).expect("it was whole");
        let seen = view
            .check(|_| Ok(()))
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(seen.head, model.head());
    }
}

#[test]
fn an_empty_chunk_is_kept_until_replay_starts_beyond_it() {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    let mut step = |chunk: Option<(u64, u64, &[u8])>, replay_from| {
        let mut next = batch(&ledger, 1, 8);
        next.chunks.extend(chunk.map(|(id, sequence, body)| Chunk {
            id,
            sequence,
            body: body.to_vec(),
        }));
        next.replay_from = replay_from;
        append(&mut ledger, &next).expect("the disk is sound");
        chunks(&ledger)
            .values()
            .map(|chunk| (chunk.id, chunk.body.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(step(Some((9, 1, b"full")), None), [(9, 4)]);
    assert_eq!(step(Some((9, 2, b"")), None), [(9, 0)]);
    assert_eq!(
        step(None, Some(2)),
        [(9, 0)],
        "event 2 would be replayed into nothing"
    );
    assert_eq!(step(None, Some(3)), [], "nothing before 3 is replayed");
    assert_eq!(step(Some((9, 5, b"again")), None), [(9, 5)]);
}

#[test]
fn a_batch_without_events_writes_its_chunks_and_keeps_the_head() {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    let one = batch(&ledger, 1, 8);
    append(&mut ledger, &one).expect("the disk is sound");
    let chunk = Chunk {
        id: 1,
        sequence: 1,
        body: vec![1],
    };
    let none = Batch {
        chunks: vec![chunk.clone()],
        ..batch(&ledger, 0, 0)
    };
    assert_eq!(append(&mut ledger, &none).expect("the disk is sound"), 1);
    assert_eq!(chunks(&ledger)[&1], chunk);
    assert_eq!(records(&ledger, 1).len(), 1);
}

#[test]
fn trimming_stops_at_the_replay_start_and_keeps_the_last_record() {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    for _ in 0..10 {
        let next = batch(&ledger, 10, 9_000);
        append(&mut ledger, &next).expect("the disk is sound");
    }
    let full = ledger.usage().expect("readable").journal.total();
    let bound = |ledger: &Ledger, replay_from, trim_below| Batch {
        replay_from: Some(replay_from),
        trim_below: Some(trim_below),
        ..batch(ledger, 0, 0)
    };
    let next = bound(&ledger, 35, 90);
    append(&mut ledger, &next).expect("the disk is sound");
    assert_eq!(
        ledger.oldest(),
        31,
        "the record with 31 to 40 is needed from 35 on"
    );
    assert!(matches!(
        ledger.replay(30).err(),
        Some(LedgerError::Trimmed { oldest: 31, .. })
    ));
    let next = bound(&ledger, 101, 101);
    append(&mut ledger, &next).expect("the disk is sound");
    assert_eq!((ledger.oldest(), ledger.head()), (91, 100));
    assert!(ledger.usage().expect("readable").journal.total() < full / 5);
    drop(ledger);
    let ledger = open(&disk).expect("it was whole");
    assert_eq!(
        (ledger.oldest(), ledger.head(), ledger.replay_from()),
        (91, 100, 101)
    );
}

#[test]
fn records_that_were_settled_together_are_read_from_anywhere_and_trimmed_together() {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    for events in [3, 1, 2, 4, 900] {
        let bytes = if events == 900 { 9_000 } else { 10 };
        let next = batch(&ledger, events, bytes);
        append(&mut ledger, &next).expect("the disk is sound");
    }
    let all = records(&ledger, 1);
    assert_eq!(all.len(), 5);
    for from in 1..=910 {
        let holder = all.iter().position(|record| from <= record.last());
        let expected = &all[holder.expect("all end behind it")..];
        assert_eq!(records(&ledger, from), expected, "from {from}");
    }
    let bound = |ledger: &Ledger, below| Batch {
        replay_from: Some(below),
        trim_below: Some(below),
        ..batch(ledger, 0, 0)
    };
    for (below, oldest) in [(10, 1), (11, 11)] {
        let next = bound(&ledger, below);
        append(&mut ledger, &next).expect("the disk is sound");
        assert_eq!(ledger.oldest(), oldest, "the last of them ends at 10");
    }
    drop(ledger);
    let journal = rows::all(&disk).into_iter();
    let journal = journal.filter(|(table, ..)| *table == "journal");
    assert_eq!(journal.count(), 2, "the long record has two rows");
}

#[test]
fn a_long_journal_is_trimmed_over_several_appends() {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    for _ in 0..600 {
        // Too long for the log, and a row each.
        let next = batch(&ledger, 1, 16_000);
        append(&mut ledger, &next).expect("the disk is sound");
    }
    let trim = Batch {
        replay_from: Some(601),
        trim_below: Some(601),
        ..batch(&ledger, 0, 0)
    };
    append(&mut ledger, &trim).expect("the disk is sound");
    assert_eq!(ledger.oldest(), 257);
    drop(ledger);
    let mut ledger = open(&disk).expect("it was whole");
    for _ in 0..2 {
        let next = batch(&ledger, 1, 10);
        append(&mut ledger, &next).expect("the disk is sound");
    }
    assert_eq!(ledger.oldest(), 601, "trimming goes on after a restart");
}

#[test]
fn an_append_from_another_place_or_epoch_is_fenced_and_writes_nothing() {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    let next = batch(&ledger, 3, 30);
    let (head, epoch) = (ledger.head(), ledger.epoch());
    for (batch, expected, epoch) in [
        (next.clone(), head + 1, epoch),
        (next.clone(), head, epoch + 1),
        (
            Batch {
                first: 2,
                ..next.clone()
            },
            head,
            epoch,
        ),
        (
            Batch {
                first: 0,
                ..next.clone()
            },
            head,
            epoch,
        ),
    ] {
        let refused = ledger.append(&batch, expected, epoch);
        assert!(
            matches!(refused, Err(LedgerError::Fenced { .. })),
            "{refused:?}"
        );
    }
    ledger
        .append(&next, head, epoch)
        .expect("a fence stops nothing");
    assert!(matches!(
        ledger.append(&next, head, epoch),
        Err(LedgerError::Fenced { .. })
    ));
}

#[test]
fn a_batch_that_breaks_a_rule_is_refused_and_stops_nothing() {
    let disk = Disk::new();
    let mut ledger = on_disk(&disk);
    let one = Batch {
        at: 100,
        replay_from: Some(2),
        ..batch(&ledger, 3, 30)
    };
    append(&mut ledger, &one).expect("it keeps the rules");
    let good = batch(&ledger, 1, 5);
    let chunk = Chunk {
        id: 7,
        sequence: 5,
        body: vec![1],
    };
    for (bad, word) in [
        (
            Batch {
                at: 99,
                ..good.clone()
            },
            "INV-7",
        ),
        (
            Batch {
                events: 0,
                ..good.clone()
            },
            "no events",
        ),
        (
            Batch {
                chunks: vec![chunk],
                ..good.clone()
            },
            "chunk 0x7",
        ),
        (
            Batch {
                replay_from: Some(1),
                ..good.clone()
            },
            "replay",
        ),
        (
            Batch {
                replay_from: Some(6),
                ..good.clone()
            },
            "replay",
        ),
        (
            Batch {
                body: vec![0; Batch::BODY_BYTES_MAX + 1],
                ..good.clone()
            },
            "at most",
        ),
    ] {
        let error = append(&mut ledger, &bad).expect_err(word);
        assert!(matches!(error, LedgerError::Batch { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    append(&mut ledger, &good).expect("nothing was stopped");
}

#[test]
fn every_opening_has_a_number_of_its_own_until_they_run_out() {
    let disk = Disk::new();
    let ledger = on_disk(&disk);
    assert_eq!((ledger.opening(), ledger.epoch()), (1, 1));
    drop(ledger);
    assert_eq!(open(&disk).expect("whole").opening(), 2);
    common::rows::set_opening(&disk, OPENING_MAX);
    let error = open(&disk).expect_err("the numbers have run out");
    assert!(matches!(error, LedgerError::Worn { .. }), "{error}");
}

#[test]
fn a_ledger_opens_only_for_the_shard_it_belongs_to() {
    let disk = Disk::new();
    drop(on_disk(&disk));
    let ours = identity();
    let other = Uuid::from_u128(9);
    for (theirs, what, names) in [
        (
            Identity {
                cluster: other,
                ..ours.clone()
            },
            "cluster",
            [ours.cluster.to_string(), other.to_string()],
        ),
        (
            Identity {
                shard: 4,
                ..ours.clone()
            },
            "shard",
            ["is 3".into(), "but 4".into()],
        ),
        (
            Identity {
                shards: 9,
                ..ours.clone()
            },
            "count",
            ["is 8".into(), "but 9".into()],
        ),
        (
            Identity {
                slots: 0..9,
                ..ours.clone()
            },
            "range",
            ["1536..2048".into(), "0..9".into()],
        ),
        (
            Identity {
                hash: "crc/4096".into(),
                ..ours.clone()
            },
            "hash",
            ["xxh3-64/4096".into(), "crc/4096".into()],
        ),
    ] {
        let options = Options::default();
        let error = Ledger::open_with_backend(disk.clone(), &theirs, options).expect_err(what);
        assert!(matches!(error, LedgerError::Identity { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(what) && names.iter().all(|name| text.contains(name)),
            "{text}"
        );
        assert!(View::open_with_backend(disk.clone(), &theirs).is_err());
    }
    assert_eq!(
        open(&disk).expect("its own").opening(),
        2,
        "refusals are not openings"
    );
}

#[test]
fn a_disk_without_a_ledger_is_refused() {
    let options = Options::default();
    for image in [Vec::new(), vec![0; 4_096], vec![b'x'; 100_000]] {
        let disk = Disk::with_image(image);
        let error = Ledger::open_with_backend(disk, &identity(), options).expect_err("no ledger");
        let corrupt = matches!(
            error,
            LedgerError::Corrupt {
                place: Place::File,
                ..
            }
        );
        assert!(corrupt, "{error}");
    }
}

#[test]
fn each_durability_and_repair_keeps_a_file_over_restarts() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (n, durability) in [Durability::Fsync, Durability::Os].into_iter().enumerate() {
        for repair in [Repair::Walk, Repair::Quick] {
            let path = dir.path().join(format!("{n}-{repair:?}"));
            let options = Options {
                durability,
                repair,
                ..Options::default()
            };
            Ledger::create(&path, &identity()).expect("a new file");
            for round in 0..3_u32 {
                let mut ledger = Ledger::open(&path, &identity(), options).expect("whole");
                assert_eq!(ledger.head(), u64::from(round) * 5);
                let next = batch(&ledger, 5, 6_000);
                append(&mut ledger, &next).expect("the disk is sound");
            }
            std::fs::write(&path, []).expect("a file can be emptied");
            let error = Ledger::open(&path, &identity(), options).expect_err("it is empty");
            assert!(
                matches!(error, LedgerError::Missing { state: "empty", .. }),
                "{error}"
            );
            std::fs::remove_file(&path).expect("a file can be removed");
            let error = Ledger::open(&path, &identity(), options).expect_err("it is gone");
            assert!(
                matches!(
                    error,
                    LedgerError::Missing {
                        state: "missing",
                        ..
                    }
                ),
                "{error}"
            );
        }
    }
}
