//! From text to a scenario. An error names the file, the place in it, and what to write instead.

use std::{fs, path::Path};

use super::{Scenario, builtin};

/// Why a scenario can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// No file and no built-in has this name.
    #[error(
        "{name:?} is neither a file nor a built-in scenario; built in are: {}",
        builtin::names()
    )]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file can't be read.
    #[error("can't read {path}: {error}")]
    Io {
        /// Which.
        path: String,
        /// Why not.
        #[source]
        error: std::io::Error,
    },
    /// The text is no scenario: the message shows the line.
    #[error("{path}: {error}")]
    Toml {
        /// Which.
        path: String,
        /// What is wrong where.
        #[source]
        error: Box<toml::de::Error>,
    },
    /// A value is out of its bounds.
    #[error("{path}: {field} is {value}; {instead}")]
    Value {
        /// Which file.
        path: String,
        /// Which field.
        field: String,
        /// What it says.
        value: String,
        /// What to write instead.
        instead: String,
    },
}

/// The scenario of this name, or in the file at this path, with its text.
pub fn find(name: &str) -> Result<(Scenario, String), Unusable> {
    if let Some(builtin) = builtin::find(name) {
        return Ok((read(builtin.text, builtin.name)?, builtin.text.to_owned()));
    }
    let path = Path::new(name);
    let is_path = name.contains('/') || path.extension().is_some();
    match fs::read_to_string(path) {
        Ok(text) => Ok((read(&text, name)?, text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_path => {
            Err(Unusable::Unknown {
                name: name.to_owned(),
            })
        }
        Err(error) => Err(Unusable::Io {
            path: name.to_owned(),
            error,
        }),
    }
}

/// Reads and checks a scenario; `path` is for messages.
pub fn read(text: &str, path: &str) -> Result<Scenario, Unusable> {
    let scenario: Scenario = toml::from_str(text).map_err(|error| Unusable::Toml {
        path: path.to_owned(),
        error: Box::new(error),
    })?;
    checked(scenario, path)
}

/// Checks a scenario whose values may have been changed since it was read; `path` is for messages.
pub fn checked(scenario: Scenario, path: &str) -> Result<Scenario, Unusable> {
    match scenario.check() {
        Ok(()) => Ok(scenario),
        Err(wrong) => Err(Unusable::Value {
            path: path.to_owned(),
            field: wrong.field,
            value: wrong.value,
            instead: wrong.instead.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "name = \"x\"\n[stock]\nunits = 5\n\
        [[phases]]\nkind = \"constant\"\nseconds = 1\nrate = 10\n";

    fn refused(text: &str) -> String {
        read(text, "x.toml").expect_err(text).to_string()
    }

    #[test]
    fn the_least_file_is_a_scenario_with_every_default() {
        let scenario = read(LEAST, "x.toml").expect("it is whole");
        assert_eq!(scenario.arrivals, super::super::Arrivals::default());
        assert!((scenario.seconds() - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let said = refused(&format!("{LEAST}[buyers]\nabandons = 0.5\n"));
        assert!(said.contains("x.toml") && said.contains("line 9"), "{said}");
        assert!(
            said.contains("abandons") && said.contains("abandon"),
            "{said}"
        );
        let said = refused(&format!("{LEAST}[[phases]]\nkind = \"ramp\"\nrate = 3\n"));
        assert!(said.contains("rate"), "{said}");
    }

    #[test]
    fn a_bad_value_names_its_field_and_what_to_write() {
        for (more, field) in [
            ("[buyers]\nabandon = 1.5\n", "buyers.abandon"),
            ("[buyers]\nabandon = 0.6\nlate = 0.6\n", "buyers"),
            ("[buyers]\nttl_ms = 0\n", "buyers.ttl_ms"),
            (
                "[[phases]]\nkind = \"constant\"\nseconds = -1\nrate = 1\n",
                "phases[1].seconds",
            ),
            (
                "[[phases]]\nkind = \"constant\"\nseconds = 9000\nrate = 1e6\n",
                "phases",
            ),
            (
                "[[phases]]\nkind = \"ramp\"\nseconds = 1\nfrom = 1\nto = -1\n",
                "phases[1].to",
            ),
            (
                "[[phases]]\nkind = \"spike\"\nseconds = 1\nrate = 1\npeak = 2\npeak_seconds = 3\n",
                "phases[1].peak_seconds",
            ),
            (
                "[popularity]\nkind = \"zipf\"\nexponent = -1\n",
                "popularity.exponent",
            ),
            (
                "[payment]\nkind = \"uniform\"\nmin_ms = 5\nmax_ms = 1\n",
                "payment.max_ms",
            ),
            ("[basket]\nlines_max = 0\n", "basket.lines_max"),
            ("[bots]\nshare = 0.1\ncustomers = 0\n", "bots.customers"),
            ("[[kills]]\nat_ms = 5000\n", "kills[0].at_ms"),
            ("[client]\ntimeout_ms = 0\n", "client.timeout_ms"),
            (
                "[arrivals]\nconnections_max = 0\n",
                "arrivals.connections_max",
            ),
        ] {
            let said = refused(&format!("{LEAST}{more}"));
            assert!(said.contains(&format!(": {field} is ")), "{field}: {said}");
        }
    }

    #[test]
    fn a_threshold_that_cannot_be_read_is_refused() {
        let said = refused(&format!("thresholds = [\"response.p99 <\"]\n{LEAST}"));
        assert!(said.contains("thresholds[0]"), "{said}");
    }

    #[test]
    fn a_name_that_is_nothing_lists_what_is_built_in() {
        let said = find("flash-sail").expect_err("no such thing").to_string();
        assert!(said.contains("flash-sale"), "{said}");
        let said = find("no/such.toml").expect_err("no such file").to_string();
        assert!(said.contains("can't read no/such.toml"), "{said}");
    }
}
