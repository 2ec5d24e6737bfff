//! Keeping the optimizer from rewriting bounds checks into forms that the verifier does not know,
//! and the verifier from knowing more than it can follow.

use core::{arch::asm, cell::UnsafeCell, intrinsics::is_val_statically_known};

/// The same number, of which the optimizer knows nothing any more.
///
/// One register move: with no instruction at all, two entries of the line table would share an
/// offset, which the kernel refuses.
#[inline(always)]
pub fn hide(value: usize) -> usize {
    let mut value = value as u64;
    // SAFETY: moves a register to itself.
    unsafe {
        asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack, preserves_flags));
    }
    value as usize
}

/// Twice the longest chain of IPv6 headers that is walked, and all else that may precede an option, lie below.
const OFFSET: usize = 0x7fff;

/// An offset in a frame, bounded for the verifier and not changed. A mask and not a comparison, since kernels before 6.8 forget what
/// was compared once the register is spilled. Where the compiler knows the offset, so does the verifier.
#[inline(always)]
pub fn bounded(at: usize) -> usize {
    if is_val_statically_known(at) {
        at
    } else {
        hide(at) & OFFSET
    }
}

/// Always 0, which the verifier does not know of a writable section.
static ZERO: Zero = Zero(UnsafeCell::new(0));

struct Zero(UnsafeCell<u64>);

// SAFETY: nobody writes to it.
unsafe impl Sync for Zero {}

/// The same number, of which the verifier knows nothing any more.
#[inline(always)]
pub fn unknown(number: usize) -> usize {
    // SAFETY: the pointer is to a static; volatile, since the optimizer does know that it is 0.
    number.wrapping_add(unsafe { ZERO.0.get().read_volatile() } as usize)
}
