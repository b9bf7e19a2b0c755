//! redb alone: what one durable commit of a reserve's bytes costs on this disk, on one thread.

use std::path::Path;
use std::time::Instant;

use redb::{Database, Durability, TableDefinition};

use super::{Load, Round};
use crate::drive::Run;
use crate::process::Cpu;

const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");

/// About what a single reserve with its key leaves in the journal, frame and all.
const RECORD: [u8; 128] = [7; 128];

/// One round.
pub(crate) fn round(directory: &Path, load: Load) -> Round {
    let db = Database::create(directory.join("bare.redb")).expect("a new file");
    let mut run = Run::new();
    let start = Instant::now();
    while start.elapsed() < load.time {
        let sent = Instant::now();
        let mut commit = db.begin_write().expect("it is open");
        commit.set_two_phase_commit(true);
        commit
            .set_durability(Durability::Immediate)
            .expect("nothing was written without it");
        {
            let mut table = commit.open_table(RECORDS).expect("it is made here");
            table
                .insert(run.granted, &RECORD[..])
                .expect("there is room");
        }
        commit.commit().expect("the disk is there");
        run.add(1, 0, sent.elapsed());
    }
    run.took = start.elapsed();
    Round::new(
        run,
        Cpu::default(),
        Cpu::default(),
        "nothing to check".to_owned(),
    )
}
