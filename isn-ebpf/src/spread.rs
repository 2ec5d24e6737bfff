//! How flows are spread over sets of slots, as part of the programs: read where it is, without a lookup.

use isn_common::slots::Spread;

use crate::hide::hide;

/// What the map `SPREAD` says, which user space settles before it loads the programs: the same for an instance's whole life. In a section that the
/// verifier takes to be writable: if it knew the numbers, it would follow what comes of them.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data")]
static SPREAD_HERE: Spread = Spread::NONE;

/// How flows are spread. The compiler, which knows no more than what stands above, is not told where it lies.
#[inline(always)]
pub fn here() -> &'static Spread {
    let place = hide(&raw const SPREAD_HERE as usize) as *const Spread;
    // SAFETY: the address of a static, which nobody writes to.
    unsafe { &*place }
}
