//! A shared 64-bit word in a map's value.

use core::{
    cell::UnsafeCell,
    intrinsics::{AtomicOrdering, atomic_cxchg},
};

use isn_common::abi::flow::Word;

use crate::hide::{hide, unknown};

/// Eight aligned octets of a map's value, which any CPU may read and write at any time.
#[repr(transparent)]
pub struct KernelWord(UnsafeCell<u64>);

// SAFETY: every access below is a single 64-bit instruction on an aligned word.
unsafe impl Sync for KernelWord {}

/// Attempts to count against other CPUs: one of them succeeds in each round.
const ATTEMPTS: u32 = 64;

impl KernelWord {
    /// A word of this value.
    #[inline(always)]
    pub const fn new(value: u64) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Whether it still is this, after all that was read before.
    #[inline(always)]
    pub fn still_is(&self, value: u64) -> bool {
        if reorders_reads() {
            self.compare_exchange(value, value)
        } else {
            self.load() == value
        }
    }

    /// Adds to it.
    #[inline(always)]
    pub fn add(&self, by: u64) {
        for _ in 0..ATTEMPTS {
            let before = self.load();
            if self.compare_exchange(before, before.wrapping_add(by)) {
                return;
            }
        }
    }

    /// Sets bits of it.
    #[inline(always)]
    pub fn set(&self, bits: u64) {
        for _ in 0..ATTEMPTS {
            let before = self.load();
            if before & bits == bits || self.compare_exchange(before, before | bits) {
                return;
            }
        }
    }
}

impl Word for KernelWord {
    #[inline(always)]
    fn load(&self) -> u64 {
        // SAFETY: the pointer is valid and aligned; volatile makes it one load. The target has no
        // relaxed atomic load, whose meaning this is on every CPU that BPF runs on.
        unsafe { self.0.get().read_volatile() }
    }

    #[inline(always)]
    fn store(&self, value: u64) {
        // SAFETY: as for `load`.
        unsafe { self.0.get().write_volatile(value) }
    }

    #[inline(always)]
    fn compare_exchange(&self, current: u64, new: u64) -> bool {
        // SAFETY: the pointer is valid and aligned. BPF's compare-and-exchange is a full barrier.
        let (_, done) = unsafe {
            atomic_cxchg::<u64, { AtomicOrdering::AcqRel }, { AtomicOrdering::Relaxed }>(
                self.0.get(),
                current,
                new,
            )
        };
        done
    }

    #[inline(always)]
    fn opaque(number: u32) -> u32 {
        hide(number as usize) as u32
    }

    #[inline(always)]
    fn unknown(number: u32) -> u32 {
        unknown(number as usize) as u32
    }

    #[inline(always)]
    fn load_first(&self) -> u64 {
        let value = self.load();
        if reorders_reads() {
            // An exchange is a full barrier, whether it succeeds or not.
            let _ = self.compare_exchange(value, value);
        }
        value
    }
}

/// 1 where the processor may carry out reads in another order than the program's; user space, which knows the processor, writes it before it
/// loads the programs. The verifier knows the value then, and drops what is not needed.
#[unsafe(no_mangle)]
static REORDERS_READS: u8 = 0;

#[inline(always)]
fn reorders_reads() -> bool {
    // SAFETY: a static; volatile, since the compiler does not know what user space writes.
    unsafe { (&raw const REORDERS_READS).read_volatile() != 0 }
}
