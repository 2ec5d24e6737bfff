//! The frame of a run: the only `unsafe` that touches packets here.

use core::arch::asm;

use aya_ebpf::programs::{TcContext, XdpContext};

/// Bounds an offset for the verifier.
const OFFSET: usize = 0xff;

/// Where the directly accessible part of a frame begins and ends.
#[derive(Clone, Copy)]
pub struct Frame {
    start: usize,
    end: usize,
}

impl Frame {
    /// At XDP.
    #[inline(always)]
    pub fn of_xdp(ctx: &XdpContext) -> Self {
        Self {
            start: ctx.data(),
            end: ctx.data_end(),
        }
    }

    /// At TC.
    #[inline(always)]
    pub fn of_tc(ctx: &TcContext) -> Self {
        Self {
            start: ctx.data(),
            end: ctx.data_end(),
        }
    }

    /// A pointer to a `T` at this offset, if it lies within.
    #[inline(always)]
    fn pointer<T>(self, at: usize) -> Option<*mut T> {
        let start = self.start + (hide(at) & OFFSET);
        (hide(start + size_of::<T>()) <= self.end).then_some(start as *mut T)
    }

    /// What lies at this offset.
    #[inline(always)]
    pub fn load<T: Copy>(self, at: usize) -> Option<T> {
        // SAFETY: within bounds; numbers and arrays of them take any octets.
        self.pointer(at)
            .map(|place| unsafe { core::ptr::read_unaligned(place) })
    }

    /// Puts this at this offset; `None` if it does not lie within.
    #[inline(always)]
    pub fn store<T>(self, at: usize, value: T) -> Option<()> {
        // SAFETY: as for `load`; a run has its frame for itself.
        self.pointer(at)
            .map(|place| unsafe { core::ptr::write_unaligned(place, value) })
    }
}

/// The same number, of which the optimizer knows nothing any more: it would write checks in ways that the verifier does not
/// know.
#[inline(always)]
fn hide(value: usize) -> usize {
    let mut value = value as u64;
    // SAFETY: moves a register to itself.
    unsafe {
        asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack, preserves_flags));
    }
    value as usize
}
