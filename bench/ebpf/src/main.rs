//! Three programs to measure against, at both hooks, and one that restores a frame and goes on to any of them.
//!
//! `pass` does nothing. `parse` finds the TCP header of an IPv4 frame. `floor` is the least that the job needs with a hash
//! table of the kernel: it parses, looks the flow up, moves the sequence number, and brings the checksum up to date.
//!
//! For gateways, `established` and `opening` make frames and `sink` ends them.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]
#![allow(
    clippy::inline_always,
    reason = "in a call, the verifier loses the bounds of a packet pointer"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "halves of words are taken on purpose"
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "the signature that aya's macros ask for"
)]
#![allow(missing_docs, reason = "aya's macros expand to functions without")]

mod floor;
mod frame;
mod restore;
mod traffic;

use aya_ebpf::{
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action},
    macros::{classifier, map, xdp},
    maps::ProgramArray,
    programs::{TcContext, XdpContext},
};

use crate::frame::Frame;

/// What a restored frame goes on to, at XDP.
#[map]
static TARGET_XDP: ProgramArray = ProgramArray::with_max_entries(1, 0);
/// What a restored frame goes on to, at TC.
#[map]
static TARGET_TC: ProgramArray = ProgramArray::with_max_entries(1, 0);

#[xdp(frags)]
pub fn pass_xdp(_: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[xdp(frags)]
pub fn parse_xdp(ctx: XdpContext) -> u32 {
    match floor::parse(&Frame::of_xdp(&ctx)) {
        Some(_) => xdp_action::XDP_PASS,
        None => xdp_action::XDP_DROP,
    }
}

#[xdp(frags)]
pub fn floor_xdp(ctx: XdpContext) -> u32 {
    match floor::translate(&Frame::of_xdp(&ctx)) {
        Some(()) => xdp_action::XDP_PASS,
        None => xdp_action::XDP_DROP,
    }
}

#[xdp(frags)]
pub fn restore_xdp(ctx: XdpContext) -> u32 {
    restore::restore(&Frame::of_xdp(&ctx));
    // SAFETY: there is a program at 0, or the call fails and the run with it.
    unsafe { TARGET_XDP.tail_call(&ctx, 0) };
    xdp_action::XDP_ABORTED
}

/// The same with the flows of a mix.
#[xdp(frags)]
pub fn mix_xdp(ctx: XdpContext) -> u32 {
    restore::follow(&Frame::of_xdp(&ctx));
    // SAFETY: as above.
    unsafe { TARGET_XDP.tail_call(&ctx, 0) };
    xdp_action::XDP_ABORTED
}

/// Sends a frame out of the interface that the run names, if it has been made.
#[inline(always)]
fn sent(made: Option<()>) -> u32 {
    match made {
        Some(()) => xdp_action::XDP_TX,
        None => xdp_action::XDP_ABORTED,
    }
}

#[xdp]
pub fn established_xdp(ctx: XdpContext) -> u32 {
    sent(traffic::established(&Frame::of_xdp(&ctx)))
}

#[xdp]
pub fn established_in_xdp(ctx: XdpContext) -> u32 {
    sent(traffic::established_inbound(&Frame::of_xdp(&ctx)))
}

#[xdp]
pub fn established_v6_xdp(ctx: XdpContext) -> u32 {
    sent(traffic::established_v6(&Frame::of_xdp(&ctx)))
}

#[xdp]
pub fn established_v6_in_xdp(ctx: XdpContext) -> u32 {
    sent(traffic::established_v6_inbound(&Frame::of_xdp(&ctx)))
}

#[xdp]
pub fn train_xdp(ctx: XdpContext) -> u32 {
    sent(traffic::train(&Frame::of_xdp(&ctx)))
}

#[xdp]
pub fn opening_xdp(ctx: XdpContext) -> u32 {
    sent(traffic::opening(&Frame::of_xdp(&ctx)))
}

#[xdp(frags)]
pub fn sink_xdp(ctx: XdpContext) -> u32 {
    let _ = traffic::sink(&Frame::of_xdp(&ctx), 1);
    xdp_action::XDP_DROP
}

/// Ends segments that were joined, too, and counts each.
#[classifier]
pub fn sink_tc(ctx: TcContext) -> i32 {
    // SAFETY: the kernel gives a context that lives as long as the run.
    let joined = unsafe { (*ctx.skb.skb).gso_segs };
    let _ = traffic::sink(&Frame::of_tc(&ctx), u64::from(joined.max(1)));
    TC_ACT_SHOT
}

#[classifier]
pub fn pass_tc(_: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

#[classifier]
pub fn parse_tc(ctx: TcContext) -> i32 {
    match floor::parse(&Frame::of_tc(&ctx)) {
        Some(_) => TC_ACT_UNSPEC,
        None => TC_ACT_SHOT,
    }
}

#[classifier]
pub fn floor_tc(ctx: TcContext) -> i32 {
    match floor::translate(&Frame::of_tc(&ctx)) {
        Some(()) => TC_ACT_UNSPEC,
        None => TC_ACT_SHOT,
    }
}

#[classifier]
pub fn restore_tc(ctx: TcContext) -> i32 {
    restore::restore(&Frame::of_tc(&ctx));
    // SAFETY: as for XDP.
    unsafe { TARGET_TC.tail_call(&ctx, 0) };
    TC_ACT_SHOT
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
