//! Permits: how many operations may be in flight on a shard at once.
//!
//! Mailboxes have no bound of their own; an operation takes a permit before it is sent, and the
//! permit travels inside the message until the reply. Deliberately absent: waiting for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of permits, handed out and taken back.
#[derive(Debug)]
pub struct Permits {
    max: usize,
    used: AtomicUsize,
}

/// Some permits; dropping it gives them back.
#[derive(Debug)]
pub struct Permit {
    of: Arc<Permits>,
    count: usize,
}

impl Permits {
    /// So many permits.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            used: AtomicUsize::new(0),
        })
    }

    /// How many there are.
    pub const fn max(&self) -> usize {
        self.max
    }

    /// How many are out.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    /// As many permits as are left, up to `wanted`; nothing where none is left.
    pub fn take(self: &Arc<Self>, wanted: usize) -> Option<Permit> {
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            let count = wanted.min(self.max.saturating_sub(used));
            if count == 0 {
                return None;
            }
            let next = used + count;
            match self
                .used
                .compare_exchange_weak(used, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => {
                    return Some(Permit {
                        of: Arc::clone(self),
                        count,
                    });
                }
                Err(now) => used = now,
            }
        }
    }
}

impl Permit {
    /// How many they are.
    pub const fn count(&self) -> usize {
        self.count
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.of.used.fetch_sub(self.count, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_come_back_when_dropped_and_never_exceed_their_number() {
        let permits = Permits::new(3);
        let two = permits.take(2).expect("three are left");
        let one = permits.take(2).expect("one is left");
        assert_eq!((two.count(), one.count(), permits.used()), (2, 1, 3));
        assert!(permits.take(1).is_none());
        drop(two);
        assert_eq!(permits.take(5).map(|permit| permit.count()), Some(2));
        drop(one);
        assert_eq!(permits.used(), 0);
    }
}
