//! Makes a frame one of a flow at random, and brings its numbers back to what they were before they were translated.

use aya_ebpf::{
    macros::map,
    maps::{Array, PerCpuArray},
};
use isn_bench_ebpf::Stimulus;

use crate::frame::Frame;

/// One for each CPU, since the random numbers go on.
#[map]
static STIMULUS: PerCpuArray<Stimulus> = PerCpuArray::with_max_entries(1, 0);

/// Numbers of flows in the order in which a mix of traffic has their packets; the benchmark asks for its own number of them.
#[map]
static MIX: Array<u32> = Array::with_max_entries(1, 0);

/// Random numbers: Knuth, volume 2, section 3.3.4, MMIX.
pub const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
pub const INCREMENT: u64 = 1_442_695_040_888_963_407;

/// Chooses a flow and restores the numbers. Where the frame is too short, the program behind says so.
#[inline(always)]
pub fn restore(frame: &Frame) -> Option<()> {
    // SAFETY: the value is this CPU's own.
    let stimulus = unsafe { &mut *STIMULUS.get_ptr_mut(0)? };
    let state = stimulus
        .state
        .wrapping_mul(MULTIPLIER)
        .wrapping_add(INCREMENT);
    stimulus.state = state;
    make(frame, stimulus, (state >> 40) as u32 & stimulus.mask)
}

/// The same for the next flow of a mix, of which as many numbers count as the mask says; from the last on, it begins anew.
#[inline(always)]
pub fn follow(frame: &Frame) -> Option<()> {
    // SAFETY: as above.
    let stimulus = unsafe { &mut *STIMULUS.get_ptr_mut(0)? };
    let place = stimulus.state as u32 & stimulus.mask;
    stimulus.state = stimulus.state.wrapping_add(1);
    make(frame, stimulus, *MIX.get(place)?)
}

#[inline(always)]
fn make(frame: &Frame, stimulus: &Stimulus, number: u32) -> Option<()> {
    frame.store(stimulus.port_at as usize, (number as u16).to_be())?;
    frame.store(stimulus.address_at as usize, (number >> 16) as u8)?;
    let tcp = stimulus.tcp_at as usize;
    frame.store(tcp + 4, stimulus.sequence.to_be())?;
    frame.store(tcp + 8, stimulus.acknowledgment.to_be())
}
