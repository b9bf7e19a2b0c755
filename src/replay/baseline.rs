//! The counters before the run touched anything, kept in a file until the run has been proved.
//!
//! A run that was cut off and is started again under its id plays the same calls with the same
//! keys, gets the first outcomes, and so ends with a whole account; only what stood there before the
//! first call can't be asked any more. That is what the file is for.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::basket::{Contents, Pair};
use crate::client::wire::Place;

/// What stood there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Baseline {
    /// Of which run.
    pub run: String,
    /// What that run asks for; see [`super::plan::fingerprint`].
    pub fingerprint: u64,
    /// SKUs that existed, with their locations.
    pub skus: BTreeMap<String, BTreeMap<String, Place>>,
}

/// A baseline file that can't serve.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It can't be read or written.
    #[error("can't {what} {path}: {error}", path = .path.display())]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// It was made for another run, file or options.
    #[error(
        "run {run} was begun with another file or other options ({path}); \
         give the same ones, or another --run-id",
        path = .path.display()
    )]
    Other {
        /// Which run was asked for.
        run: String,
        /// The file.
        path: PathBuf,
    },
}

impl Baseline {
    /// Where a run's baseline is kept where no other place is named.
    pub(super) fn default_path(run: &str) -> PathBuf {
        std::env::temp_dir().join(format!("holdfast-replay-{run}.json"))
    }

    /// The baseline of an earlier part of this run, if there was one.
    pub(super) fn load(path: &Path, run: &str, fingerprint: u64) -> Result<Option<Self>, Unfit> {
        let io = |error| Unfit::Io {
            what: "read",
            path: path.to_owned(),
            error,
        };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        let kept: Self = serde_json::from_slice(&text).map_err(|error| io(error.into()))?;
        if kept.run != run || kept.fingerprint != fingerprint {
            return Err(Unfit::Other {
                run: run.to_owned(),
                path: path.to_owned(),
            });
        }
        Ok(Some(kept))
    }

    /// Keeps it, whole or not at all.
    pub(super) fn save(&self, path: &Path) -> Result<(), Unfit> {
        let io = |error| Unfit::Io {
            what: "write",
            path: path.to_owned(),
            error,
        };
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut file =
            tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(io)?;
        let text = serde_json::to_vec(self).expect("a baseline has string keys and no failures");
        file.write_all(&text).map_err(io)?;
        file.as_file().sync_all().map_err(io)?;
        file.persist(path).map_err(|failed| io(failed.error))?;
        Ok(())
    }

    /// By place, for the places the file names or the server knew.
    pub(super) fn by_pair(&self, contents: &mut Contents) -> HashMap<Pair, Place> {
        let mut places = HashMap::new();
        for (sku, locations) in &self.skus {
            let Some(sku) = contents.skus.find(sku) else {
                continue;
            };
            for (location, place) in locations {
                let location = contents.locations.intern(location);
                places.insert(Pair { sku, location }, *place);
            }
        }
        places
    }

    /// Whether the place was known to the server.
    pub(super) fn knows(&self, sku: &str, location: &str) -> bool {
        self.skus
            .get(sku)
            .is_some_and(|locations| locations.contains_key(location))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        let place = Place {
            available: 3,
            ..Place::default()
        };
        let locations = BTreeMap::from([("330".to_owned(), place)]);
        let skus = BTreeMap::from([("P1".to_owned(), locations)]);
        Baseline {
            run: "r1".to_owned(),
            fingerprint: 7,
            skus,
        }
    }

    #[test]
    fn a_run_finds_its_baseline_again_and_another_run_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("b.json");
        assert!(
            Baseline::load(&path, "r1", 7)
                .expect("absent is fine")
                .is_none()
        );
        baseline().save(&path).expect("saved");
        let loaded = Baseline::load(&path, "r1", 7).expect("it is there");
        assert_eq!(loaded, Some(baseline()));
        for (run, fingerprint) in [("r2", 7), ("r1", 8)] {
            let refused = Baseline::load(&path, run, fingerprint).expect_err("another run");
            assert!(matches!(refused, Unfit::Other { .. }), "{refused}");
        }
    }
}
