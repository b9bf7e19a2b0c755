//! Quantities.

use std::num::NonZeroU32;

/// The most units one line or movement may name.
pub const UNITS_MAX: u32 = 1_000_000_000;

/// A quantity of whole units, 1 to [`UNITS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Units(NonZeroU32);

impl Units {
    /// A quantity, if it is within 1 and [`UNITS_MAX`].
    pub const fn new(units: u32) -> Option<Self> {
        match NonZeroU32::new(units) {
            Some(n) if units <= UNITS_MAX => Some(Self(n)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}
