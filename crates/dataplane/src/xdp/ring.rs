//! The rings by which places of frames go to the kernel and come back.
//!
//! Each has one who puts in and one who takes out, and a counter that each of them alone moves on: the entries between the
//! two counters belong to the taker. Nothing here makes a system call, so the tests play the kernel's part on ordinary
//! memory.
#![expect(unsafe_code, reason = "entries live in memory that is shared with the kernel")]

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the parts of a ring lie in its memory, bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) producer: usize,
    pub(super) consumer: usize,
    pub(super) flags: usize,
    pub(super) entries: usize,
}

/// One side of a ring of `T`.
#[derive(Debug)]
pub(super) struct Ring<T> {
    producer: NonNull<u32>,
    consumer: NonNull<u32>,
    flags: NonNull<u32>,
    entries: NonNull<T>,
    /// Its length, a power of two.
    len: u32,
    /// Our counter, also where the other side has not been told yet.
    ours: u32,
    /// The other's counter as it was last read.
    theirs: u32,
    /// Whatever keeps the memory.
    _memory: Arc<dyn Any + Send + Sync>,
}

// SAFETY: the pointers lead to memory that belongs to no thread in particular; by the contract of `Ring::new` this value is
// the only one in the process that reaches it, so moving the value moves the only access.
unsafe impl<T: Send> Send for Ring<T> {}

impl<T: Copy> Ring<T> {
    /// # Safety
    /// * `base` is aligned to 8 and valid for reads and writes of initialised bytes that hold the three counters of `parts`
    ///   (aligned to 4) and `len` entries of `T` (aligned to it) for as long as `memory` lives; every bit pattern is a `T`.
    /// * Nothing else in this process reaches that memory.
    /// * The other side (the kernel) moves its counter only, by whole writes, and touches only entries that are its own.
    pub(super) unsafe fn new(
        base: NonNull<u8>,
        parts: Parts,
        len: u32,
        memory: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        debug_assert!(len.is_power_of_two());
        // SAFETY: all four are inside the memory, by the contract.
        let at = |offset: usize| unsafe { base.add(offset) };
        Self {
            producer: at(parts.producer).cast(),
            consumer: at(parts.consumer).cast(),
            flags: at(parts.flags).cast(),
            entries: at(parts.entries).cast(),
            len,
            ours: 0,
            theirs: 0,
            _memory: memory,
        }
    }

    fn counter(&self, place: NonNull<u32>) -> &AtomicU32 {
        // SAFETY: one of the three counters: aligned, alive as long as `self`, and only accessed atomically, here and by the
        // kernel.
        unsafe { AtomicU32::from_ptr(place.as_ptr()) }
    }

    fn entry(&self, number: u32) -> *mut T {
        // SAFETY: the mask keeps the index below `len`, and that many entries are in the memory.
        unsafe { self.entries.add((number & (self.len - 1)) as usize).as_ptr() }
    }

    /// Whether the kernel wants a system call before it goes on with this ring.
    pub(super) fn needs_wakeup(&self) -> bool {
        self.counter(self.flags).load(Ordering::Relaxed) & libc::XDP_RING_NEED_WAKEUP != 0
    }
}

/// The side that puts in.
#[derive(Debug)]
pub(super) struct Producer<T>(Ring<T>);

impl<T: Copy> Producer<T> {
    pub(super) fn new(ring: Ring<T>) -> Self {
        Self(ring)
    }

    /// How many entries the other side has not taken yet, those included that it has not been told of.
    pub(super) fn pending(&mut self) -> u32 {
        let ring = &mut self.0;
        ring.theirs = ring.counter(ring.consumer).load(Ordering::Acquire);
        // Below the length, unless the other side is not the kernel that we know.
        ring.ours.wrapping_sub(ring.theirs).min(ring.len)
    }

    /// Puts one in; [`Self::publish`] tells the other side. Says whether there was room.
    pub(super) fn put(&mut self, value: T) -> bool {
        if self.0.ours.wrapping_sub(self.0.theirs) >= self.0.len && self.pending() >= self.0.len {
            return false;
        }
        let ring = &mut self.0;
        // SAFETY: the other side has taken what was in this entry (its counter says so), and does not read it again before
        // it is told, by `publish`.
        unsafe { ring.entry(ring.ours).write(value) };
        ring.ours = ring.ours.wrapping_add(1);
        true
    }

    /// Tells the other side of all that was put in.
    pub(super) fn publish(&mut self) {
        self.0.counter(self.0.producer).store(self.0.ours, Ordering::Release);
    }

    pub(super) fn needs_wakeup(&self) -> bool {
        self.0.needs_wakeup()
    }
}

/// The side that takes out.
#[derive(Debug)]
pub(super) struct Consumer<T>(Ring<T>);

impl<T: Copy> Consumer<T> {
    pub(super) fn new(ring: Ring<T>) -> Self {
        Self(ring)
    }

    /// Takes one out, if there is any. Its place is the other side's again after [`Self::release`].
    pub(super) fn take(&mut self) -> Option<T> {
        let ring = &mut self.0;
        if ring.ours == ring.theirs {
            ring.theirs = ring.counter(ring.producer).load(Ordering::Acquire);
            if ring.ours == ring.theirs {
                return None;
            }
        }
        // SAFETY: the other side's counter is beyond this entry, so it has been written and is ours until `release`.
        let value = unsafe { ring.entry(ring.ours).read() };
        ring.ours = ring.ours.wrapping_add(1);
        Some(value)
    }

    /// Gives back the places of all that was taken.
    pub(super) fn release(&mut self) {
        self.0.counter(self.0.consumer).store(self.0.ours, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: u32 = 8;
    const PARTS: Parts = Parts { producer: 0, consumer: 8, flags: 16, entries: 24 };

    /// Both sides of one ring. (Two values reach the memory here: they take turns on one thread, and each entry has one
    /// owner.)
    fn both() -> (Producer<u64>, Consumer<u64>) {
        let memory = Arc::new(std::sync::Mutex::new(vec![0_u64; 3 + LEN as usize]));
        let base = NonNull::new(memory.lock().unwrap().as_mut_ptr()).unwrap().cast();
        // SAFETY: aligned to 8, long enough, kept by the `Arc`; the test plays the kernel by the other value.
        let ring = || unsafe { Ring::new(base, PARTS, LEN, memory.clone()) };
        (Producer::new(ring()), Consumer::new(ring()))
    }

    #[test]
    fn what_is_put_in_comes_out_in_order_and_only_when_told() {
        let (mut producer, mut consumer) = both();
        let mut next = 0;
        for round in 0..1000_u64 {
            for nth in 0..u64::from(LEN) {
                assert!(producer.put(round * 8 + nth));
            }
            assert!(!producer.put(7), "it is full");
            assert_eq!(consumer.take(), None, "nobody was told");
            producer.publish();
            while let Some(value) = consumer.take() {
                assert_eq!(value, next);
                next += 1;
            }
            assert_eq!((next, producer.pending()), ((round + 1) * 8, LEN));
            assert!(!producer.put(7), "taken is not given back");
            consumer.release();
            assert_eq!(producer.pending(), 0);
        }
    }

    #[test]
    fn counters_pass_the_end_of_their_range() {
        let (mut producer, mut consumer) = both();
        for counter in [&mut producer.0, &mut consumer.0] {
            (counter.ours, counter.theirs) = (u32::MAX - 2, u32::MAX - 2);
        }
        producer.publish();
        consumer.release();
        for value in 0..100 {
            assert!(producer.put(value) && producer.put(value + 1));
            producer.publish();
            assert_eq!((producer.pending(), consumer.take()), (2, Some(value)));
            assert_eq!((consumer.take(), consumer.take()), (Some(value + 1), None));
            consumer.release();
        }
    }
}
