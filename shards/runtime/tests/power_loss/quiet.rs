//! Panics that are expected, or told in another way, say nothing.

use std::cell::Cell;

thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });

/// Sets the thread's quiet back to what it was, also when a panic passes.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        QUIET.set(self.0);
    }
}

pub(crate) fn silently<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                loud(panic);
            }
        }));
    });
    let _restore = Restore(QUIET.replace(true));
    work()
}
