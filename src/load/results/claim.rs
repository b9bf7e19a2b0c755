//! What was to be proved of a run, and what came of it.
//!
//! Deliberately absent: the proving; `proof` does it.

use serde::{Deserialize, Serialize};

/// One thing that has to hold of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What has to hold, in a few words: `no oversell`.
    pub name: String,
    /// Whether it does.
    pub verdict: Verdict,
    /// The figures it rests on; what is wrong; or why it could not be checked.
    pub detail: String,
}

/// Whether a claim holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was checked and holds.
    Held,
    /// It was checked and does not hold.
    Broken,
    /// It could not be checked.
    Unchecked,
}

impl Claim {
    /// A claim that holds.
    pub fn held(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Held, detail)
    }

    /// A claim that does not hold.
    pub fn broken(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Broken, detail)
    }

    /// A claim that could not be checked, and why.
    pub fn unchecked(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(name, Verdict::Unchecked, why)
    }

    fn new(name: impl Into<String>, verdict: Verdict, detail: impl Into<String>) -> Self {
        let (name, detail) = (name.into(), detail.into());
        Self {
            name,
            verdict,
            detail,
        }
    }
}

impl Verdict {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Unchecked => "unchecked",
        }
    }
}
