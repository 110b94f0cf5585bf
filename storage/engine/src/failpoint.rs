//! Named steps of the data path at which a process can be made to die, to prove that nothing depends on luck.
//!
//! The program under test is the one that ships: a step that nobody armed costs one relaxed load. Nothing arms steps
//! but the program that tests kill, and tests that make a step fail on their own thread.

use crate::error::Fault;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Every step, in the order of the data path.
pub const STEPS: &[&str] = &[
    "version written",
    "version renamed",
    "directory made",
    "log file created",
    "log file durable",
    "log written",
    "log synced",
    "log passed on",
    "rows inserted",
    "segment written",
    "segment renamed",
    "first segment durable",
    "segments durable",
    "rollups stored",
    "manifest written",
    "manifest renamed",
    "manifest durable",
    "manifest copied",
    "sealed",
    "log file removed",
    "rollups copied",
    "merged",
    "replaced",
    "thinned",
    "exchanged",
    "retention committed",
    "segment half removed",
    "log cut",
    "log replayed",
];

static ARMED: AtomicBool = AtomicBool::new(false);
/// The step to die at, and how often it is passed before.
static DEATH: Mutex<Option<(String, u64)>> = Mutex::new(None);

/// Has this process killed, as by `kill -9`, when it passes `step` for the `nth` time, counted from 0.
///
/// # Panics
/// When there is no such step: see [`STEPS`].
pub fn die_at(step: &str, nth: u64) {
    assert!(STEPS.contains(&step), "no step is called {step:?}");
    *DEATH.lock() = Some((step.to_owned(), nth));
    ARMED.store(true, Ordering::Release);
}

/// A step. Fails only where a test wants it to.
#[inline]
pub(crate) fn pass(step: &'static str) -> Result<(), Fault> {
    if ARMED.load(Ordering::Relaxed) { armed(step) } else { Ok(()) }
}

#[cold]
fn armed(step: &'static str) -> Result<(), Fault> {
    debug_assert!(STEPS.contains(&step), "{step} is not in the list");
    #[cfg(test)]
    if FAIL_AT.with(|fail| fail.get() == Some(step)) {
        return Err(Fault::Other(format!("injected at {step}")));
    }
    if let Some((at, left)) = &mut *DEATH.lock()
        && at == step
    {
        if *left == 0 {
            _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        *left -= 1;
    }
    Ok(())
}

#[cfg(test)]
thread_local! {
    static FAIL_AT: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) };
}

/// Makes the step fail on this thread while `act` runs.
#[cfg(test)]
pub(crate) fn failing<T>(step: &'static str, act: impl FnOnce() -> T) -> T {
    assert!(STEPS.contains(&step), "no step is called {step:?}");
    ARMED.store(true, Ordering::Release);
    FAIL_AT.set(Some(step));
    let done = act();
    FAIL_AT.set(None);
    done
}
