//! Forwarding in XDP: the routing decision is the kernel's (`bpf_fib_lookup`), and a frame leaves by an interface of the other
//! side or not at all. What is left to the kernel is as it came.

use core::mem::{MaybeUninit, zeroed};

use aya_ebpf::{
    bindings::{bpf_fib_lookup as Way, xdp_action, xdp_md},
    helpers::{bpf_fib_lookup, bpf_xdp_get_buff_len},
    maps::DevMapHash,
};
use isn_common::{
    abi::forward::Port,
    forward::{self, ADDRESSES_V4, ADDRESSES_V6, Left, Plain, Version},
    packet::Packet as _,
    world::World as _,
};

use crate::{
    kernel::Kernel,
    maps::{NEIGHBOURS, PORTS, TO_HOSTS, TO_PEERS},
    xdp_packet::XdpPacket,
};

/// Of `linux/socket.h`.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Makes a frame of a host ready to leave on the side of the peers. A function of its own for the verifier and the stack.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn forward_to_peers(ctx: *mut xdp_md) -> u32 {
    action(attempt(ctx, &TO_PEERS))
}

/// Makes a frame of a peer ready to leave on the side of the hosts, but for its translation. A function of its own for the
/// verifier and the stack.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn forward_to_hosts(ctx: *mut xdp_md) -> u32 {
    action(attempt(ctx, &TO_HOSTS))
}

#[inline(always)]
fn action(attempt: Result<(), Left>) -> u32 {
    match attempt {
        Ok(()) => xdp_action::XDP_REDIRECT,
        Err(left) => {
            Kernel.count(left.counter(), 1);
            xdp_action::XDP_PASS
        }
    }
}

#[inline(always)]
fn attempt(ctx: *mut xdp_md, devices: &DevMapHash) -> Result<(), Left> {
    // SAFETY: the context is the one the kernel gave.
    let (index, linear) = unsafe {
        (
            (*ctx).ingress_ifindex,
            (*ctx).data_end.wrapping_sub((*ctx).data),
        )
    };
    // SAFETY: user space replaces values whole, and a torn one only leaves a frame to the kernel.
    let port = unsafe { PORTS.get(index) }.ok_or(Left::Closed)?;
    // SAFETY: as above.
    if unsafe { bpf_xdp_get_buff_len(ctx) } != u64::from(linear) {
        return Err(Left::Buffers);
    }
    let packet = &mut XdpPacket::new(ctx);
    let plain = forward::plain(packet, port)?;
    if plain.version == Version::V4 && port.looks_at_sources() {
        look_at_source(ctx, packet, &plain, index, port)?;
    }
    let mut way = question(packet, &plain, index)?;
    if let Some(left) = Left::from_lookup(ask(ctx, &mut way)) {
        return Err(left);
    }
    // Kernels before 6.7 answer with a neighbour that has not answered yet.
    let next = next_hop(&way);
    if next == [0; 6] {
        return Err(Left::Neighbour);
    }
    if is_due(&way) {
        return Err(Left::Confirm);
    }
    if devices
        .redirect(way.ifindex, xdp_action::XDP_PASS.into())
        .is_err()
    {
        return Err(Left::Elsewhere);
    }
    forward::hop(packet, plain.version, way.smac, next).ok_or(Left::Malformed)
}

/// The link address that the answer names. The verifier wants what is on the stack read at multiples of its width, and here only
/// two octets are: the optimizer must not join them.
#[inline(always)]
fn next_hop(way: &Way) -> [u8; 6] {
    let pairs = (&raw const way.dmac).cast::<[u8; 2]>();
    // SAFETY: within the array.
    let [first, second, third] = [0, 1, 2].map(|nth| unsafe { pairs.add(nth).read_volatile() });
    [first[0], first[1], second[0], second[1], third[0], third[1]]
}

/// Where a packet would go.
#[inline(always)]
fn question(packet: &XdpPacket, plain: &Plain, index: u32) -> Result<Way, Left> {
    // SAFETY: integers only, for which zeros are values.
    let mut way: Way = unsafe { zeroed() };
    let [s0, s1, d0, d1] = plain.ports;
    way.l4_protocol = plain.protocol;
    way.sport = u16::from_ne_bytes([s0, s1]);
    way.dport = u16::from_ne_bytes([d0, d1]);
    way.__bindgen_anon_1.tot_len = plain.length;
    way.ifindex = index;
    match plain.version {
        Version::V4 => {
            way.family = AF_INET;
            way.__bindgen_anon_2.tos = plain.class[0];
            let source = packet.load(ADDRESSES_V4).ok_or(Left::Malformed)?;
            let destination = packet.load(ADDRESSES_V4 + 4).ok_or(Left::Malformed)?;
            way.__bindgen_anon_3.ipv4_src = u32::from_ne_bytes(source);
            way.__bindgen_anon_4.ipv4_dst = u32::from_ne_bytes(destination);
        }
        Version::V6 => {
            way.family = AF_INET6;
            way.__bindgen_anon_2.flowinfo = u32::from_ne_bytes(plain.class);
            way.__bindgen_anon_3.ipv6_src = address(packet, ADDRESSES_V6)?;
            way.__bindgen_anon_4.ipv6_dst = address(packet, ADDRESSES_V6 + 16)?;
        }
    }
    Ok(way)
}

#[inline(always)]
fn address(packet: &XdpPacket, at: usize) -> Result<[u32; 4], Left> {
    let word = |nth: usize| {
        let octets = packet.load(at + 4 * nth).ok_or(Left::Malformed)?;
        Ok(u32::from_ne_bytes(octets))
    };
    Ok([word(0)?, word(1)?, word(2)?, word(3)?])
}

/// The kernel's answer, whose next hop stands in the place of the destination then.
#[inline(always)]
fn ask(ctx: *mut xdp_md, way: &mut Way) -> i64 {
    const SIZE: i32 = 64;
    const { assert!(size_of::<Way>() == SIZE as usize) };
    // SAFETY: the helper reads and writes exactly this many octets.
    unsafe { bpf_fib_lookup(ctx.cast(), way, SIZE, 0) }
}

/// What `rp_filter` asks, which the lookup of a way does not: a route to the source.
#[inline(always)]
fn look_at_source(
    ctx: *mut xdp_md,
    packet: &XdpPacket,
    plain: &Plain,
    index: u32,
    port: &Port,
) -> Result<(), Left> {
    let mut way = MaybeUninit::new(question(packet, plain, index)?);
    // SAFETY: just written; the family is IPv4, whose fields these are.
    let answer = unsafe {
        let way = way.assume_init_mut();
        core::mem::swap(
            &mut way.__bindgen_anon_3.ipv4_src,
            &mut way.__bindgen_anon_4.ipv4_dst,
        );
        core::mem::swap(&mut way.sport, &mut way.dport);
        way.__bindgen_anon_1.tot_len = 0;
        let answer = ask(ctx, way);
        forward::is_reachable(answer) && port.takes_source_over(index, way.ifindex)
    };
    if answer { Ok(()) } else { Err(Left::Source) }
}

/// Whether the neighbour is one that the kernel is to confirm.
#[inline(always)]
fn is_due(way: &Way) -> bool {
    // SAFETY: integers, all written by the question; of IPv4, the answer has changed the first alone.
    let next_hop = unsafe {
        if way.family == AF_INET {
            [way.__bindgen_anon_4.ipv4_dst, 0, 0, 0]
        } else {
            way.__bindgen_anon_4.ipv6_dst
        }
    };
    let (cell, neighbour) = forward::cell_of(next_hop, way.ifindex);
    NEIGHBOURS
        .get(cell)
        .is_some_and(|cell| forward::is_due(cell, neighbour, Kernel.now()))
}
