//! Power is lost at every sync of a history, with the writes before it kept, dropped or torn:
//! what was acknowledged is there, at most the append in flight beside it, and that one whole.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Model, any_batch, append, on_disk, open, silently};
use holdfast_ledger::faults::{Disk, Errno, Fault, Image, Random, Syncs};
use holdfast_ledger::{Batch, Ledger, LedgerError, View};

const APPENDS: usize = 70;

/// What a run on a disk left behind.
struct Run {
    disk: Disk,
    /// The model after each append, the first being before any.
    models: Vec<Model>,
    /// How many syncs had returned when each model was acknowledged.
    acknowledged: Vec<u64>,
}

impl Run {
    fn new(seed: u64, syncs: Syncs) -> Self {
        let disk = Disk::new();
        let mut ledger = on_disk(&disk);
        let mut random = Random::new(seed);
        let mut run = Self {
            models: vec![Model::new()],
            acknowledged: vec![disk.syncs()],
            disk,
        };
        run.disk.set_syncs(syncs);
        for n in 0..APPENDS {
            if n == APPENDS / 2 {
                // Closed and opened again in between, as a restart does.
                ledger.close().expect("the disk is sound");
                ledger = open(&run.disk).expect("the disk is sound");
            }
            let mut model = run.models[n].clone();
            let batch = any_batch(&model, &mut random);
            append(&mut ledger, &batch).expect("the disk is sound");
            model.apply(&batch);
            model.assert_held_by(&ledger);
            run.models.push(model);
            run.acknowledged.push(run.disk.syncs());
        }
        run
    }

    /// The last model that was acknowledged before `sync` returned.
    fn certain(&self, sync: u64) -> usize {
        self.acknowledged.partition_point(|&syncs| syncs < sync) - 1
    }

    /// Panics unless the image holds what it must, and the ledger in it can be gone on with.
    fn assert_whole(&self, image: &Image) {
        let disk = Disk::with_image(image.bytes.clone());
        let mut ledger = match open(&disk) {
            Ok(ledger) => ledger,
            Err(error) => panic!("{error}"),
        };
        self.assert_holds(image.sync, &ledger);
        let next = common::batch(&ledger, 2, 100);
        append(&mut ledger, &next).expect("the disk is sound");
    }

    fn assert_holds(&self, sync: u64, ledger: &Ledger) {
        let certain = self.certain(sync);
        let possible = &self.models[certain..self.models.len().min(certain + 2)];
        let held = |model: &Model| catch_unwind(AssertUnwindSafe(|| model.assert_held_by(ledger)));
        if possible
            .iter()
            .rev()
            .any(|model| silently(|| held(model).is_ok()))
        {
            return;
        }
        self.models[certain].assert_held_by(ledger);
    }
}

#[test]
fn what_was_acknowledged_survives_a_power_loss_at_any_sync() {
    let (mut images, mut second) = (0, 0);
    for seed in 1..=3 {
        let run = Run::new(seed, Syncs::Honest);
        let history = run.disk.history();
        history.images(
            run.acknowledged[0] + 1..=history.syncs() + 1,
            6,
            seed * 1000,
            |image| {
                let replay = format!(
                    "seed {seed}, sync {}, image seed {}",
                    image.sync, image.seed
                );
                run.assert_whole_or(&image, &replay);
                images += 1;
                if images % 12 == 0 {
                    second += run.lose_power_again(&image, &replay);
                }
            },
        );
    }
    assert!(2_000 <= images, "only {images} images");
    assert!(500 <= second, "only {second} images of recoveries");
}

impl Run {
    fn assert_whole_or(&self, image: &Image, replay: &str) {
        let whole = catch_unwind(AssertUnwindSafe(|| self.assert_whole(image)));
        assert!(whole.is_ok(), "the image of {replay} is not whole");
    }

    /// Power is lost once more, while the ledger in `image` is being opened.
    fn lose_power_again(&self, image: &Image, replay: &str) -> u64 {
        let disk = Disk::with_image(image.bytes.clone());
        drop(open(&disk));
        let history = disk.history();
        let mut images = 0;
        history.images(1..=history.syncs() + 1, 2, image.seed, |again| {
            let replay = format!("{replay}, then sync {} of the recovery", again.sync);
            self.assert_whole_or(
                &Image {
                    sync: image.sync,
                    ..again
                },
                &replay,
            );
            images += 1;
        });
        images
    }
}

#[test]
fn a_missing_sync_is_found_out() {
    let run = Run::new(1, Syncs::Missing);
    let history = run.disk.history();
    let (mut images, mut broken) = (0, 0);
    history.images(
        run.acknowledged[0] + 1..=history.syncs() + 1,
        1,
        1,
        |image| {
            images += 1;
            let whole = silently(|| catch_unwind(AssertUnwindSafe(|| run.assert_whole(&image))));
            broken += u32::from(whole.is_err());
        },
    );
    assert!(
        images / 2 < broken,
        "{broken} of {images} images showed the missing sync"
    );
}

#[test]
fn any_write_or_sync_that_fails_stops_the_ledger_for_good() {
    let faults = (1..14).flat_map(|n| [Fault::Write(n), Fault::Sync(n)]);
    for (fault, errno) in faults.zip([Errno::Io, Errno::NoSpace].into_iter().cycle()) {
        let disk = Disk::new();
        let mut ledger = on_disk(&disk);
        let mut model = Model::new();
        let mut random = Random::new(7);
        for _ in 0..5 {
            let (done, _) = append_any(&mut ledger, &mut model, &mut random);
            done.expect("the disk is sound");
        }
        disk.plant(fault, errno);
        let (error, in_flight) = loop {
            if let (Err(error), batch) = append_any(&mut ledger, &mut model, &mut random) {
                break (error, batch);
            }
        };
        match errno {
            Errno::Io => assert!(matches!(error, LedgerError::Io { .. }), "{error}"),
            Errno::NoSpace => assert!(matches!(error, LedgerError::Full { .. }), "{error}"),
        }
        assert!(error.is_disk());

        // The disk has healed, but nothing is appended any more, and the first error is named.
        let again = append(&mut ledger, &in_flight).expect_err("the ledger has stopped");
        let LedgerError::Stopped { first, .. } = &again else {
            panic!("{again}")
        };
        assert_eq!(*first, error.to_string());
        drop(ledger);
        assert_rescued(&disk, &model, &in_flight);
    }
}

fn append_any(
    ledger: &mut Ledger,
    model: &mut Model,
    random: &mut Random,
) -> (Result<(), LedgerError>, Batch) {
    let batch = any_batch(model, random);
    (append(ledger, &batch).map(|_| model.apply(&batch)), batch)
}

/// A rescue copy of what can be read holds all but the append in flight, perhaps that too.
fn assert_rescued(disk: &Disk, model: &Model, in_flight: &Batch) {
    let before = disk.bytes();
    let copy = Disk::new();
    let mut view =
        View::open_with_backend(disk.clone(), &common::identity()).expect("it can be read");
    let opening = view.opening().expect("it can be read");
    view.copy_to(copy.clone()).expect("the new disk is sound");
    view.check(|_| Ok(())).expect("it is whole");
    drop(view);
    assert!(before == disk.bytes(), "a view writes nothing");
    let ledger = open(&copy).expect("the copy is a ledger");
    assert_eq!(ledger.opening(), opening + 1, "opening numbers go on");
    let mut both = model.clone();
    both.apply(in_flight);
    let held = |model: &Model| {
        silently(|| catch_unwind(AssertUnwindSafe(|| model.assert_held_by(&ledger)))).is_ok()
    };
    if !held(&both) {
        model.assert_held_by(&ledger);
    }
}

#[test]
fn a_power_loss_after_a_failed_sync_keeps_what_was_acknowledged_before_it() {
    for n in 1..=4 {
        let mut run = Run::new(40 + n, Syncs::Honest);
        let mut ledger = open(&run.disk).expect("the disk is sound");
        let mut model = run.models.last().expect("there is one").clone();
        let mut random = Random::new(n);
        run.disk.plant(Fault::Sync(n), Errno::Io);
        let from = run.disk.syncs();
        loop {
            let batch = any_batch(&model, &mut random);
            let done = append(&mut ledger, &batch);
            model.apply(&batch);
            run.models.push(model.clone());
            if done.is_err() {
                break;
            }
            run.acknowledged.push(run.disk.syncs());
        }
        drop(ledger);
        let history = run.disk.history();
        for seed in 0..20 {
            for sync in from + 1..=history.syncs() + 1 {
                let replay = format!("sync {n} failing, power lost at {sync}, seed {seed}");
                run.assert_whole_or(&history.image(sync, seed), &replay);
            }
        }
    }
}
