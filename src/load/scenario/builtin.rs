//! The scenarios that come with the program; `holdfast load show NAME` prints one to start from.

use super::Scenario;

/// A scenario that comes with the program.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// What to call it by.
    pub name: &'static str,
    /// The file, with its comments.
    pub text: &'static str,
}

/// All of them.
pub const BUILTINS: &[Builtin] = &[
    Builtin {
        name: "flash-sale",
        text: include_str!("../../../config/scenarios/flash-sale.toml"),
    },
    Builtin {
        name: "sold-out-storm",
        text: include_str!("../../../config/scenarios/sold-out-storm.toml"),
    },
    Builtin {
        name: "abandoned-carts",
        text: include_str!("../../../config/scenarios/abandoned-carts.toml"),
    },
    Builtin {
        name: "retry-storm",
        text: include_str!("../../../config/scenarios/retry-storm.toml"),
    },
    Builtin {
        name: "hot-and-cold",
        text: include_str!("../../../config/scenarios/hot-and-cold.toml"),
    },
    Builtin {
        name: "baskets",
        text: include_str!("../../../config/scenarios/baskets.toml"),
    },
];

/// The one of this name.
pub fn find(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|builtin| builtin.name == name)
}

/// Their names, for messages.
pub(super) fn names() -> String {
    let names: Vec<&str> = BUILTINS.iter().map(|builtin| builtin.name).collect();
    names.join(", ")
}

impl Builtin {
    /// It, read.
    pub fn scenario(&self) -> Scenario {
        super::read(self.text, self.name).expect("a test reads every one")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_can_be_read_is_named_as_its_file_and_lasts_a_minute_at_most() {
        for builtin in BUILTINS {
            let scenario = super::super::read(builtin.text, builtin.name)
                .unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(scenario.name, builtin.name);
            assert!(scenario.seconds() <= 60.0, "{}", builtin.name);
            assert!(!scenario.about.is_empty(), "{}", builtin.name);
        }
    }

    #[test]
    fn every_key_of_a_built_in_is_explained_by_a_comment_above_it() {
        for builtin in BUILTINS {
            let mut explained = false;
            for (at, line) in builtin.text.lines().enumerate() {
                let is_key = line.starts_with(|first: char| first.is_ascii_lowercase());
                let line_number = at + 1;
                assert!(
                    !is_key || explained,
                    "{}:{line_number}: {line} has no comment above it",
                    builtin.name
                );
                explained = line.starts_with('#') || (explained && is_key);
            }
        }
    }
}
