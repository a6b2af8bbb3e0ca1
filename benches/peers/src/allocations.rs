//! A global allocator that counts when told to: how often, how much, and how much at once.
//!
//! It counts in a round of its own. In the timed rounds it is off, where it costs one predicted
//! branch per allocation, the same for every contestant.

#![allow(unsafe_code, reason = "a global allocator is an unsafe trait; each call goes on to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

#[global_allocator]
static COUNTING: Counting = Counting {
    on: AtomicBool::new(false),
    blocks: AtomicU64::new(0),
    bytes: AtomicU64::new(0),
    live: AtomicI64::new(0),
    peak: AtomicI64::new(0),
};

/// The system's allocator, with counters beside it.
struct Counting {
    on: AtomicBool,
    blocks: AtomicU64,
    bytes: AtomicU64,
    /// Bytes held since the last restart: negative once older blocks are freed.
    live: AtomicI64,
    peak: AtomicI64,
}

/// What was allocated: a reading of the counters, or the difference of two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allocations {
    /// Calls that gave out a block; one that grows a block is one more.
    pub blocks: u64,
    /// Bytes given out by those calls.
    pub bytes: u64,
    /// The most bytes held at once, above what was held at the restart.
    pub peak: u64,
}

impl Allocations {
    pub fn since(self, earlier: Self) -> Self {
        Self { blocks: self.blocks - earlier.blocks, bytes: self.bytes - earlier.bytes, peak: self.peak }
    }
}

/// Turns the counting on or off.
pub fn count(on: bool) {
    COUNTING.on.store(on, Relaxed);
}

/// Starts the peak over, and reads the counters.
pub fn restart() -> Allocations {
    COUNTING.live.store(0, Relaxed);
    COUNTING.peak.store(0, Relaxed);
    now()
}

/// Reads the counters.
pub fn now() -> Allocations {
    Allocations {
        blocks: COUNTING.blocks.load(Relaxed),
        bytes: COUNTING.bytes.load(Relaxed),
        peak: COUNTING.peak.load(Relaxed).unsigned_abs(),
    }
}

impl Counting {
    #[inline]
    fn given(&self, size: usize, instead_of: usize) {
        if self.on.load(Relaxed) {
            self.blocks.fetch_add(1, Relaxed);
            self.bytes.fetch_add(size as u64, Relaxed);
            let change = signed(size) - signed(instead_of);
            let live = self.live.fetch_add(change, Relaxed) + change;
            self.peak.fetch_max(live, Relaxed);
        }
    }

    #[inline]
    fn taken(&self, size: usize) {
        if self.on.load(Relaxed) {
            self.live.fetch_sub(signed(size), Relaxed);
        }
    }
}

fn signed(size: usize) -> i64 {
    i64::try_from(size).expect("a layout is at most isize::MAX bytes")
}

// SAFETY: every call is handed to the system's allocator with the arguments it came with, and its
// answer is returned as it is; the counters beside it allocate nothing and never unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.given(layout.size(), 0);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.given(layout.size(), 0);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.given(size, layout.size());
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.taken(layout.size());
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(block, layout) }
    }
}
