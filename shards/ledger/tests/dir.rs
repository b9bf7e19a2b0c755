//! The data directory: one server at a time, one layout for ever, nothing made twice.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{append, batch};
use holdfast_ledger::{DataDir, LedgerError, Log, Options, Times};

fn manifest(dir: &Path) -> String {
    fs::read_to_string(dir.join("manifest.json")).expect("it has a manifest")
}

#[test]
fn a_new_directory_is_made_with_its_parents_and_keeps_its_layout() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let path = temp.path().join("deep/data");
    let dir = DataDir::open(&path, None, 3).expect("a new directory");
    let cluster = dir.cluster();
    assert_eq!((dir.shards(), dir.created(0)), (3, false));
    assert_eq!(dir.identity(1).slots, 1365..2730);
    drop(dir);
    let dir = DataDir::open(&path, None, 8).expect("it was made");
    assert_eq!(
        (dir.shards(), dir.cluster()),
        (3, cluster),
        "the default is for new ones"
    );
    drop(dir);
    DataDir::open(&path, Some(3), 8).expect("the same number");
    let error = DataDir::open(&path, Some(4), 8).expect_err("another number");
    assert!(
        matches!(
            error,
            LedgerError::ShardCount {
                found: 3,
                asked: 4,
                ..
            }
        ),
        "{error}"
    );
    let other = DataDir::open(&temp.path().join("other"), Some(1), 8).expect("a new directory");
    assert_ne!(other.cluster(), cluster);
    for shards in [0, 257] {
        let path = temp.path().join(format!("with-{shards}"));
        DataDir::open(&path, Some(shards), 8).expect_err("too few or too many");
    }
}

#[test]
fn a_shard_is_made_once_and_missed_if_it_is_gone() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let dir = DataDir::open(temp.path(), Some(2), 1).expect("a new directory");
    let options = Options::default();
    let mut ledger = dir.open_ledger(1, options).expect("a new shard");
    let next = batch(&ledger, 2, 20);
    append(&mut ledger, &next).expect("the disk is sound");
    drop(ledger);
    assert_eq!((dir.created(0), dir.created(1)), (false, true));
    assert_eq!(dir.open_ledger(1, options).expect("it is there").head(), 2);
    let away = temp.path().join("away");
    fs::rename(dir.ledger_path(1), &away).expect("a file can be moved");
    drop(dir);
    let dir = DataDir::open(temp.path(), None, 1).expect("it is there");
    let error = dir.open_ledger(1, options).expect_err("it is gone");
    assert!(
        matches!(
            error,
            LedgerError::Missing {
                shard: 1,
                state: "missing",
                ..
            }
        ),
        "{error}"
    );
    fs::write(dir.ledger_path(1), []).expect("a file can be made");
    let error = dir.open_ledger(1, options).expect_err("it is empty");
    assert!(
        matches!(
            error,
            LedgerError::Missing {
                shard: 1,
                state: "empty",
                ..
            }
        ),
        "{error}"
    );
    fs::rename(&away, dir.ledger_path(1)).expect("a file can be moved");
    assert_eq!(dir.open_ledger(1, options).expect("it is back").head(), 2);

    // The ledger of another shard of the same directory is not this one's.
    dir.open_ledger(0, options)
        .expect("a new shard")
        .close()
        .expect("the disk is sound");
    fs::copy(dir.ledger_path(1), dir.ledger_path(0)).expect("a file can be copied");
    let error = dir.open_ledger(0, options).expect_err("another shard's");
    assert!(
        error.to_string().contains("shard is 1, but 0 is expected"),
        "{error}"
    );
}

#[test]
fn a_start_that_crashed_before_it_could_say_what_it_made_is_gone_on_with() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let dir = DataDir::open(temp.path(), Some(1), 1).expect("a new directory");
    let before = manifest(temp.path());
    dir.open_ledger(0, Options::default()).expect("a new shard");
    drop(dir);
    fs::write(temp.path().join("manifest.json"), before).expect("a file can be written");
    fs::write(temp.path().join("shard-00/ledger.redb.new"), b"half").expect("writable");
    let dir = DataDir::open(temp.path(), None, 1).expect("it is there");
    assert!(!dir.created(0));
    assert_eq!(
        dir.open_ledger(0, Options::default())
            .expect("it is whole")
            .opening(),
        2
    );
    assert!(dir.created(0));
}

#[test]
fn a_manifest_that_does_not_fit_is_refused_in_words() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let path = temp.path();
    drop(DataDir::open(path, Some(2), 1).expect("a new directory"));
    let good = manifest(path);
    for (from, to, word) in [
        ("\"format\": 1", "\"format\": 2", "format is 2"),
        ("\"format\": 1", "\"format\": 1, \"colour\": 3", "colour"),
        ("xxh3-64/4096", "xxh3-64/8192", "slot_hash"),
        (
            "\"slots_until\": 2048",
            "\"slots_until\": 2047",
            "expected 2047",
        ),
        (
            "\"slots_until\": 4096",
            "\"slots_until\": 4000",
            "end at slot 4000",
        ),
        ("{", "", "restore"),
    ] {
        fs::write(path.join("manifest.json"), good.replacen(from, to, 1)).expect("writable");
        for error in [DataDir::open(path, None, 1), DataDir::open_read_only(path)] {
            let text = error.expect_err(word).to_string();
            assert!(
                text.contains(word) && text.contains("manifest.json"),
                "{text}"
            );
        }
    }
    fs::remove_file(path.join("manifest.json")).expect("a file can be removed");
    fs::create_dir(path.join("shard-00")).expect("a directory can be made");
    let error = DataDir::open(path, None, 1).expect_err("shards without a manifest");
    assert!(error.to_string().contains("shard-00"), "{error}");
    assert!(
        !path.join("manifest.json").exists(),
        "no new cluster was begun"
    );
}

#[test]
fn a_second_server_is_told_who_the_first_is() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let first = DataDir::open(temp.path(), None, 1).expect("a new directory");
    let pid = format!("process {} (", std::process::id());
    for second in [
        DataDir::open(temp.path(), None, 1),
        DataDir::open_read_only(temp.path()),
    ] {
        let error = second.expect_err("it is locked");
        assert!(matches!(error, LedgerError::Locked { .. }), "{error}");
        assert!(error.to_string().contains(&pid), "{error}");
    }
    drop(first);
    let reader = DataDir::open_read_only(temp.path()).expect("nobody has it");
    let beside = DataDir::open_read_only(temp.path()).expect("readers share it");
    let error = DataDir::open(temp.path(), None, 1).expect_err("readers have it");
    assert!(error.to_string().contains("verify"), "{error}");
    drop((reader, beside));
    DataDir::open(temp.path(), None, 1).expect("nobody has it");
}

#[test]
fn reading_alone_changes_nothing_even_after_a_kill() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    killed_server(temp.path());
    let before = contents(temp.path());
    let dir = DataDir::open_read_only(temp.path()).expect("nobody has it");
    let mut view = dir.view(0).expect("it can be read");
    let seen = view.check(|_| Ok(())).expect("it is whole");
    assert_eq!((seen.records, seen.events, seen.opening), (7, 14, 1));
    drop((view, dir));
    assert!(contents(temp.path()) == before);
    let dir = DataDir::open(temp.path(), None, 1).expect("nobody has it");
    assert_eq!(
        dir.open_ledger(0, Options::default())
            .expect("it is whole")
            .head(),
        14
    );
    DataDir::open_read_only(&temp.path().join("nowhere")).expect_err("there is none");
    assert!(!temp.path().join("nowhere").exists());
}

#[test]
fn a_rescue_copy_takes_the_place_of_the_ledger_and_goes_on() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    killed_server(temp.path());
    let dir = DataDir::open(temp.path(), None, 1).expect("nobody has it");
    fs::write(dir.shard_path(0).join("ledger.redb.rescue"), b"half").expect("writable");
    dir.rescue(0).expect("it can be read");
    assert!(!dir.shard_path(0).join("ledger.redb.rescue").exists());
    let mut ledger = dir.open_ledger(0, Options::default()).expect("it is whole");
    assert_eq!((ledger.head(), ledger.opening()), (14, 2));
    let next = batch(&ledger, 1, 10);
    append(&mut ledger, &next).expect("the disk is sound");
}

/// A directory that a server used and was killed in: this program is run again, to append and
/// abort.
fn killed_server(path: &Path) {
    let ended = Command::new(std::env::current_exe().expect("this is a program"))
        .args(["--exact", "the_server_that_is_killed", "--nocapture"])
        .env("HOLDFAST_TEST_KILLED_IN", path)
        .output()
        .expect("this program can be run");
    assert!(!ended.status.success(), "it was to abort");
}

#[test]
fn the_server_that_is_killed() {
    let Some(path) = std::env::var_os("HOLDFAST_TEST_KILLED_IN") else {
        return;
    };
    let dir = DataDir::open(Path::new(&path), Some(1), 1).expect("a new directory");
    let mut ledger = dir.open_ledger(0, Options::default()).expect("a new shard");
    for _ in 0..7 {
        let next = batch(&ledger, 2, 3_000);
        append(&mut ledger, &next).expect("the disk is sound");
    }
    std::process::abort();
}

fn contents(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("it is a directory") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            files.push((path.clone(), fs::read(&path).expect("it can be read")));
        }
    }
    files.sort();
    files
}

#[test]
fn a_directory_is_served_with_the_times_it_was_made_with_and_no_others() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let (real, test) = (temp.path().join("real"), temp.path().join("test"));
    for (path, own, other) in [
        (&real, Times::Real, Times::Test),
        (&test, Times::Test, Times::Real),
    ] {
        drop(DataDir::open_with(path, Some(1), 1, own).expect("a new directory"));
        let error = DataDir::open_with(path, None, 1, other).expect_err("other times");
        assert!(matches!(error, LedgerError::Manifest { .. }), "{error}");
        drop(DataDir::open_with(path, None, 1, own).expect("its own times"));
        // It is for reading as any other.
        drop(DataDir::open_read_only(path).expect("nobody has it"));
    }
    let says = |path: &Path| manifest(path).contains("test_clock");
    assert!(says(&test) && !says(&real));
}
