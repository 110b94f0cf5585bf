//! What is in memory of the files of segments: so many bytes in all, and rather what was asked for lately. The rest is
//! read again when somebody asks.

use crate::error::Fault;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// The memory that slots share.
#[derive(Default)]
pub(crate) struct Memory {
    limit: u64,
    held: Mutex<Held>,
    reads: AtomicU64,
}

/// Filled slots, with their bytes, the one to be looked at next first.
#[derive(Default)]
struct Held {
    bytes: u64,
    slots: VecDeque<(Weak<dyn Forget>, u64)>,
}

impl Memory {
    /// Of so many bytes.
    pub(crate) fn new(limit: u64) -> Memory {
        Memory { limit, ..Memory::default() }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes in use; of slots that are gone, until their room is needed.
    pub(crate) fn bytes(&self) -> u64 {
        self.held.lock().bytes
    }

    /// How often something had to be read.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Whether more fits without something being forgotten.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes() < self.limit
    }

    fn add(&self, slot: Weak<dyn Forget>, bytes: u64) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let mut held = self.held.lock();
        held.bytes += bytes;
        held.slots.push_back((slot, bytes));
        // Who was asked for since the last time has another chance, once.
        let mut chances = held.slots.len();
        while held.bytes > self.limit
            && let Some((weak, bytes)) = held.slots.pop_front()
        {
            let keeps = weak.upgrade().is_some_and(|slot| !slot.forget(chances == 0));
            chances = chances.saturating_sub(1);
            if keeps {
                held.slots.push_back((weak, bytes));
            } else {
                held.bytes -= bytes;
            }
        }
    }
}

trait Forget: Send + Sync {
    /// False if it was used lately and is kept, unless it must go.
    fn forget(&self, must: bool) -> bool;
}

/// Something that can be read again.
pub(crate) struct Slot<T> {
    held: Mutex<Option<Arc<T>>>,
    used: AtomicBool,
}

impl<T> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot { held: Mutex::new(None), used: AtomicBool::new(false) }
    }
}

impl<T: Send + Sync + 'static> Slot<T> {
    /// What it holds, or else what `read` gives, with its bytes in memory.
    pub(crate) fn get(
        self: &Arc<Slot<T>>,
        memory: &Memory,
        read: impl FnOnce() -> Result<(T, usize), Fault>,
    ) -> Result<Arc<T>, Fault> {
        let mut held = self.held.lock();
        if let Some(value) = &*held {
            self.used.store(true, Ordering::Relaxed);
            return Ok(Arc::clone(value));
        }
        let (value, bytes) = read()?;
        let value = Arc::new(value);
        *held = Some(Arc::clone(&value));
        // The memory's lock is taken before a slot's, never after.
        drop(held);
        let slot: Weak<Slot<T>> = Arc::downgrade(self);
        memory.add(slot, bytes as u64);
        Ok(value)
    }
}

impl<T: Send + Sync> Forget for Slot<T> {
    fn forget(&self, must: bool) -> bool {
        let goes = !self.used.swap(false, Ordering::Relaxed) || must;
        if goes {
            *self.held.lock() = None;
        }
        goes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let memory = Memory::new(100);
        let slots: Vec<Arc<Slot<usize>>> = (0..50).map(|_| Arc::default()).collect();
        let get = |at: usize| *slots[at].get(&memory, || Ok((at, 10))).unwrap();
        for at in 1..50 {
            assert_eq!((get(at), get(0)), (at, 0));
            assert!(memory.bytes() <= 100);
        }
        assert_eq!(memory.reads(), 50, "the first was read once");
        get(1);
        assert_eq!(memory.reads(), 51, "another is read again");
        let error = slots[2].get(&memory, || Err(Fault::Other("no".into())));
        assert!(error.is_err() && get(2) == 2);
    }

    #[test]
    fn what_is_larger_than_the_memory_is_read_every_time() {
        let memory = Memory::new(5);
        let slot: Arc<Slot<u8>> = Arc::default();
        (0..3).for_each(|_| assert_eq!(*slot.get(&memory, || Ok((7, 10))).unwrap(), 7));
        assert_eq!((memory.reads(), memory.bytes()), (3, 0));
    }

    #[test]
    fn slots_that_are_gone_give_their_room() {
        let memory = Memory::new(30);
        for at in 0..10 {
            let slot: Arc<Slot<u8>> = Arc::default();
            slot.get(&memory, || Ok((at, 10))).unwrap();
        }
        assert!(memory.bytes() <= 30);
    }
}
