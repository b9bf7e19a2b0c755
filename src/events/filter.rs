//! Which events a listener wants.

use super::envelope::Published;
use super::kind::EventType;
use holdfast_core::Sku;
use std::collections::HashSet;

/// Types and SKUs that are wanted; the default wants everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    types: Option<u64>,
    skus: Option<HashSet<Sku>>,
}

impl Filter {
    /// Of these types alone.
    #[must_use]
    pub fn types(mut self, types: &[EventType]) -> Self {
        self.types = Some(types.iter().fold(0, |set, kind| set | bit(*kind)));
        self
    }

    /// Of these SKUs alone.
    #[must_use]
    pub fn skus(mut self, skus: impl IntoIterator<Item = Sku>) -> Self {
        self.skus = Some(skus.into_iter().collect());
        self
    }

    /// Whether it lets everything pass.
    pub fn is_open(&self) -> bool {
        self.types.is_none() && self.skus.is_none()
    }

    /// Whether an event passes.
    pub fn passes(&self, event: &Published) -> bool {
        let is_wanted = self.types.is_none_or(|types| types & bit(event.kind) != 0);
        let of_sku = |skus: &HashSet<Sku>| event.sku.as_ref().is_some_and(|sku| skus.contains(sku));
        is_wanted && self.skus.as_ref().is_none_or(of_sku)
    }
}

const fn bit(kind: EventType) -> u64 {
    const { assert!(EventType::ALL.len() <= 64) };
    1 << kind as u8
}
