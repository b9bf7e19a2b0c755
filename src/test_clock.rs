//! A clock that is moved by hand, for rehearsals on data of its own.
//!
//! How far it is ahead is kept in the data directory, so that a server that was killed goes on
//! where it was. The directory's manifest says that its times are no real ones.
//! Deliberately absent: moving back, since ledger time never does; and HTTP (`http`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use holdfast_core::Millis;
use holdfast_runtime::Clock;
use holdfast_runtime::clock::Hands;

/// The furthest that one move goes: a year, the longest retention.
pub const ADVANCE_MAX: Millis = Millis::from_secs(365 * 86_400);

/// The furthest ahead that a clock can be: a century, so that ids and times keep their forms.
pub const AHEAD_MAX: Millis = Millis::from_secs(100 * 365 * 86_400);

/// Beside the manifest: how many milliseconds the clock is ahead.
const NAME: &str = "test-clock";

/// The hands of a server's clock.
pub struct TestClock {
    hands: Hands,
    path: PathBuf,
    ahead: Mutex<Millis>,
}

/// Why a clock was not moved.
#[derive(Debug, thiserror::Error)]
pub enum NotMoved {
    /// It would be too far ahead.
    #[error("the clock would be more than a century ahead; begin with a new directory")]
    TooFar,
    /// How far it is ahead could not be kept.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl TestClock {
    /// The clock of this data directory, as far ahead as it was. A wall clock that jumps by more
    /// than `jump` raises the alarm, as ever.
    pub fn open(directory: &Path, jump: Millis) -> Result<(Clock, Self), NotMoved> {
        let path = directory.join(NAME);
        let ahead = match read(&path) {
            Ok(ahead) => ahead,
            Err(source) if source.kind() == io::ErrorKind::NotFound => Millis::default(),
            Err(source) => return Err(NotMoved::File { path, source }),
        };
        let (clock, hands) = Clock::movable(jump, ahead);
        let ahead = Mutex::new(ahead);
        Ok((clock, Self { hands, path, ahead }))
    }

    /// Moves ledger time forward. How far it is ahead of the system's now.
    pub fn advance(&self, by: Millis) -> Result<Millis, NotMoved> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Millis::new(ahead.ms().saturating_add(by.ms()));
        if AHEAD_MAX < next {
            return Err(NotMoved::TooFar);
        }
        // Kept first: a server killed in between is ahead already, and time never runs backwards.
        write(&self.path, next).map_err(|source| NotMoved::File {
            path: self.path.clone(),
            source,
        })?;
        self.hands.advance(by);
        *ahead = next;
        Ok(next)
    }
}

fn read(path: &Path) -> io::Result<Millis> {
    let text = fs::read_to_string(path)?;
    let ms = text.trim().parse().ok().map(Millis::new);
    ms.filter(|ahead| *ahead <= AHEAD_MAX).ok_or_else(|| {
        let what = "no number of milliseconds up to a century; begin with a new directory";
        io::Error::new(io::ErrorKind::InvalidData, what)
    })
}

/// In one step, so that a reader never sees half of it.
fn write(path: &Path, ahead: Millis) -> io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, format!("{}\n", ahead.ms()))?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUMP: Millis = Millis::from_secs(5);
    const HOUR: Millis = Millis::from_secs(3600);

    #[test]
    fn a_clock_goes_on_where_it_was_after_its_server_was_killed() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let (clock, hands) = TestClock::open(directory.path(), JUMP).expect("it is new");
        let before = clock.now().time;
        assert_eq!(hands.advance(HOUR).expect("there is room"), HOUR);
        assert!(clock.now().time.since(before) >= HOUR);
        drop((clock, hands));
        let (clock, hands) = TestClock::open(directory.path(), JUMP).expect("it is kept");
        assert!(clock.now().time.since(before) >= HOUR);
        let twice = Millis::new(2 * HOUR.ms());
        assert_eq!(hands.advance(HOUR).expect("there is room"), twice);
    }

    #[test]
    fn a_clock_is_at_most_a_century_ahead() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let (clock, hands) = TestClock::open(directory.path(), JUMP).expect("it is new");
        hands.advance(AHEAD_MAX).expect("it is a century");
        let before = clock.now().time;
        let refused = hands.advance(Millis::new(1));
        assert!(matches!(refused, Err(NotMoved::TooFar)));
        assert!(clock.now().time.since(before) < HOUR);
        for nonsense in ["", "-1", "99999999999999999"] {
            fs::write(directory.path().join(NAME), nonsense).expect("the directory is ours");
            assert!(
                TestClock::open(directory.path(), JUMP).is_err(),
                "{nonsense:?}"
            );
        }
    }
}
