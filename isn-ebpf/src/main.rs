//! The programs: one for each hook type and direction. Each wraps its context, asks isn-common, and
//! turns the verdict into an action, in one place for each hook type.
#![no_std]
#![no_main]
// Compare-and-exchange on a map's value: the standard library offers none for this target.
#![feature(core_intrinsics)]
// Hiding values from the optimizer.
#![feature(asm_experimental_arch)]
#![allow(internal_features, reason = "core_intrinsics is one")]
#![allow(
    clippy::inline_always,
    reason = "in a call, the verifier loses the bounds of a packet pointer, and the stack is short"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "frame offsets and helper results fit 32 bits; a TryFrom would cost a branch a packet"
)]
#![allow(
    clippy::cast_sign_loss,
    reason = "actions travel between i32 and u32 bit for bit"
)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "the signature that aya's macros ask for"
)]
#![allow(missing_docs, reason = "aya's macros expand to functions without")]

mod clock;
mod forward;
mod hide;
mod kernel;
mod maps;
mod spread;
mod tc_packet;
mod upkeep;
mod words;
mod xdp_packet;

use aya_ebpf::{
    bindings::{__sk_buff, TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action, xdp_md},
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};
use isn_common::{
    counter::Counter,
    datapath::{Step, established, first_look, opening},
    express,
    flow::Direction::{Inbound, Outbound},
    icmp::error,
    verdict::Verdict,
    world::World as _,
};

use crate::{
    forward::{forward_to_hosts, forward_to_peers},
    kernel::Kernel,
    tc_packet::{TcPacket, tc_gather},
    xdp_packet::{XdpFrame, XdpPacket},
};

/// XDP, packets from hosts to peers.
#[xdp(frags)]
pub fn isn_xdp_out(ctx: XdpContext) -> u32 {
    xdp_out(ctx.ctx)
}

/// XDP, packets from peers to hosts.
#[xdp(frags)]
pub fn isn_xdp_in(ctx: XdpContext) -> u32 {
    xdp_in(ctx.ctx)
}

/// XDP, packets from hosts to peers: translated, and forwarded if they can be.
#[xdp(frags)]
pub fn isn_forward_out(ctx: XdpContext) -> u32 {
    match xdp_out(ctx.ctx) {
        xdp_action::XDP_PASS => leave(forward_to_peers(ctx.ctx), Counter::ForwardedOut),
        dropped => dropped,
    }
}

/// XDP, packets from peers to hosts: translated if they are forwarded. Those that are left to the kernel are translated where
/// they leave it, at TC egress of the inside interface, so whether they are comes first.
#[xdp(frags)]
pub fn isn_forward_in(ctx: XdpContext) -> u32 {
    match forward_to_hosts(ctx.ctx) {
        xdp_action::XDP_REDIRECT => match xdp_in(ctx.ctx) {
            xdp_action::XDP_PASS => leave(xdp_action::XDP_REDIRECT, Counter::ForwardedIn),
            dropped => dropped,
        },
        left => left,
    }
}

/// Counts a packet that leaves.
#[inline(always)]
fn leave(action: u32, forwarded: Counter) -> u32 {
    if action == xdp_action::XDP_REDIRECT {
        Kernel.count(forwarded, 1);
    }
    action
}

#[inline(always)]
fn xdp_out(ctx: *mut xdp_md) -> u32 {
    let mut action = xdp_out_plain(ctx);
    if action == TAGGED {
        action = xdp_out_tagged(ctx);
    }
    match action {
        OTHER => xdp_out_other(ctx),
        action => action,
    }
}

#[inline(always)]
fn xdp_out_other(ctx: *mut xdp_md) -> u32 {
    match xdp_out_v4(ctx) {
        OPENING => xdp_out_syn_v4(ctx),
        ICMP => xdp_out_icmp_v4(ctx),
        IPV6 => match xdp_out_v6(ctx) {
            OPENING => xdp_out_syn_v6(ctx),
            ICMP => xdp_out_icmp_v6(ctx),
            action => action,
        },
        action => action,
    }
}

#[inline(always)]
fn xdp_in(ctx: *mut xdp_md) -> u32 {
    let mut action = xdp_in_plain(ctx);
    if action == TAGGED {
        action = xdp_in_tagged(ctx);
    }
    match action {
        OTHER => xdp_in_other(ctx),
        action => action,
    }
}

#[inline(always)]
fn xdp_in_other(ctx: *mut xdp_md) -> u32 {
    match xdp_in_v4(ctx) {
        OPENING => xdp_in_syn_v4(ctx),
        ICMP => xdp_in_icmp_v4(ctx),
        IPV6 => match xdp_in_v6(ctx) {
            OPENING => xdp_in_syn_v6(ctx),
            ICMP => xdp_in_icmp_v6(ctx),
            action => action,
        },
        action => action,
    }
}

/// TC, packets from hosts to peers.
#[classifier]
pub fn isn_tc_out(ctx: TcContext) -> i32 {
    match tc_out_plain(ctx.skb.skb) {
        OTHER => tc_out_other(ctx.skb.skb),
        action => action.cast_signed(),
    }
}

#[inline(always)]
fn tc_out_other(ctx: *mut __sk_buff) -> i32 {
    tc_gather(ctx);
    match tc_out_v4(ctx) {
        OPENING => tc_out_syn_v4(ctx),
        ICMP => tc_out_icmp_v4(ctx),
        IPV6 => match tc_out_v6(ctx) {
            OPENING => tc_out_syn_v6(ctx),
            ICMP => tc_out_icmp_v6(ctx),
            action => action.cast_signed(),
        },
        action => action.cast_signed(),
    }
}

/// TC, packets from peers to hosts.
#[classifier]
pub fn isn_tc_in(ctx: TcContext) -> i32 {
    match tc_in_plain(ctx.skb.skb) {
        OTHER => tc_in_other(ctx.skb.skb),
        action => action.cast_signed(),
    }
}

#[inline(always)]
fn tc_in_other(ctx: *mut __sk_buff) -> i32 {
    tc_gather(ctx);
    match tc_in_v4(ctx) {
        OPENING => tc_in_syn_v4(ctx),
        ICMP => tc_in_icmp_v4(ctx),
        IPV6 => match tc_in_v6(ctx) {
            OPENING => tc_in_syn_v6(ctx),
            ICMP => tc_in_icmp_v6(ctx),
            action => action.cast_signed(),
        },
        action => action.cast_signed(),
    }
}

/// What the fast paths return for a packet that is another path's; no action has these numbers.
const OPENING: u32 = 0xff;
const ICMP: u32 = 0xfe;
const IPV6: u32 = 0xfd;
const OTHER: u32 = 0xfc;
const TAGGED: u32 = 0xfb;

/// The action of a verdict, which is counted.
macro_rules! counted {
    ($action_of:ident, $verdict:expr) => {{
        let verdict = $verdict;
        Kernel.count(verdict.counter(), 1);
        $action_of(verdict)
    }};
}
/// A step as the number that a path returns.
macro_rules! code {
    ($action_of:ident, $step:expr) => {
        match $step {
            Step::Done(verdict) => counted!($action_of, verdict) as u32,
            Step::Opening => OPENING,
            Step::Icmp => ICMP,
            Step::Ipv6 => IPV6,
        }
    };
}
/// The paths, as functions that the verifier checks by themselves, once. The programs only choose
/// between them: 512 octets of stack must do for a program and all that it calls.
macro_rules! paths {
    ($context:ty, $packet:ident, $direction:ident, $action_of:ident -> $action:ty:
     $first_look:ident, $established_v6:ident, $($name:ident = $path:ident for $family:ty),+) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $first_look(ctx: *mut $context) -> u32 {
            code!($action_of, first_look(&mut $packet::new(ctx), &Kernel, $direction))
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $established_v6(ctx: *mut $context) -> u32 {
            code!(
                $action_of,
                established::<[u8; 16], _, _>(&mut $packet::new(ctx), &Kernel, $direction)
            )
        }

        $(
            #[unsafe(no_mangle)]
            #[inline(never)]
            extern "C" fn $name(ctx: *mut $context) -> $action {
                counted!($action_of, $path::<$family, _, _>(&mut $packet::new(ctx), &Kernel, $direction))
            }
        )+
    };
}

/// The short cuts, likewise: at TC, the kernel has taken a frame's only tag out.
macro_rules! short_cuts {
    ($($name:ident = $run:ident of $frame:ident in $context:ty, $direction:ident, $action_of:ident, else $other:expr;)+) => {
        $(
            #[unsafe(no_mangle)]
            #[inline(never)]
            extern "C" fn $name(ctx: *mut $context) -> u32 {
                let frame = &mut $frame::new(ctx);
                let done = |verdict: Verdict| {
                    Kernel::count_known(verdict.counter());
                    $action_of(verdict) as u32
                };
                express::$run(frame, &Kernel, $direction, done).unwrap_or_else(|| $other(frame))
            }
        )+
    };
}

short_cuts!(
    xdp_out_plain = run of XdpFrame in xdp_md, Outbound, xdp_action_of, else tagged_or_other;
    xdp_in_plain = run of XdpFrame in xdp_md, Inbound, xdp_action_of, else tagged_or_other;
    xdp_out_tagged = run_tagged of XdpFrame in xdp_md, Outbound, xdp_action_of, else other;
    xdp_in_tagged = run_tagged of XdpFrame in xdp_md, Inbound, xdp_action_of, else other;
    tc_out_plain = run of TcPacket in __sk_buff, Outbound, tc_action_of, else other;
    tc_in_plain = run of TcPacket in __sk_buff, Inbound, tc_action_of, else other;
);

#[inline(always)]
fn tagged_or_other(frame: &XdpFrame) -> u32 {
    if express::is_tagged(frame) {
        TAGGED
    } else {
        OTHER
    }
}

#[inline(always)]
fn other<P>(_: &P) -> u32 {
    OTHER
}

paths!(
    xdp_md, XdpPacket, Outbound, xdp_action_of -> u32:
    xdp_out_v4, xdp_out_v6,
    xdp_out_syn_v4 = opening for [u8; 4],
    xdp_out_syn_v6 = opening for [u8; 16],
    xdp_out_icmp_v4 = error for [u8; 4],
    xdp_out_icmp_v6 = error for [u8; 16]
);
paths!(
    xdp_md, XdpPacket, Inbound, xdp_action_of -> u32:
    xdp_in_v4, xdp_in_v6,
    xdp_in_syn_v4 = opening for [u8; 4],
    xdp_in_syn_v6 = opening for [u8; 16],
    xdp_in_icmp_v4 = error for [u8; 4],
    xdp_in_icmp_v6 = error for [u8; 16]
);
paths!(
    __sk_buff, TcPacket, Outbound, tc_action_of -> i32:
    tc_out_v4, tc_out_v6,
    tc_out_syn_v4 = opening for [u8; 4],
    tc_out_syn_v6 = opening for [u8; 16],
    tc_out_icmp_v4 = error for [u8; 4],
    tc_out_icmp_v6 = error for [u8; 16]
);
paths!(
    __sk_buff, TcPacket, Inbound, tc_action_of -> i32:
    tc_in_v4, tc_in_v6,
    tc_in_syn_v4 = opening for [u8; 4],
    tc_in_syn_v6 = opening for [u8; 16],
    tc_in_icmp_v4 = error for [u8; 4],
    tc_in_icmp_v6 = error for [u8; 16]
);

#[inline(always)]
fn xdp_action_of(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Pass(_)
        | Verdict::TranslatedOut
        | Verdict::TranslatedIn
        | Verdict::IcmpTranslated => xdp_action::XDP_PASS,
        Verdict::Drop(_) => xdp_action::XDP_DROP,
    }
}

/// At TCX and in clsact alike, `TC_ACT_UNSPEC` leaves the packet to the programs behind this one.
#[inline(always)]
fn tc_action_of(verdict: Verdict) -> i32 {
    match verdict {
        Verdict::Pass(_)
        | Verdict::TranslatedOut
        | Verdict::TranslatedIn
        | Verdict::IcmpTranslated => TC_ACT_UNSPEC,
        Verdict::Drop(_) => TC_ACT_SHOT,
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
