//! Which frames are forwarded in XDP, and what that changes in them: what RFC 1812 section 5.2 and RFC 8200 ask of a router
//! where there is nothing but to pass a packet on. Everything else is the kernel's.
//!
//! A frame is looked at first and changed last, so that what is left to the kernel is as it came.

use crate::{
    abi::{
        flow::{Word, pack, unpack},
        forward::Port,
        maps::NEIGHBOURS_LENGTH,
    },
    checksum::Change,
    counter::Counter,
    headers::ethernet::{IPV4, IPV6, is_tag},
    packet::Packet,
    tick::Tick,
};

/// Octets of the one link header that is forwarded: no tags.
pub const LINK: usize = 14;
/// Offset of the addresses of IPv4 in a frame that [`plain`] has found.
pub const ADDRESSES_V4: usize = LINK + 12;
/// Offset of the addresses of IPv6 in a frame that [`plain`] has found.
pub const ADDRESSES_V6: usize = LINK + 8;

const HEADER_V4: usize = 20;
const HEADER_V6: usize = 40;
/// Offset of the time to live, which the protocol and the header checksum follow.
const HOPS_V4: usize = LINK + 8;
/// Offset of the hop limit.
const HOPS_V6: usize = LINK + 7;
/// Version 4, and no options.
const BARE_V4: u8 = 0x45;
/// More fragments, and the offset of this one.
const FRAGMENT: u16 = 0x3fff;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Extension headers of IPv6 that are walked or skipped elsewhere; the fragment header among them.
const EXTENSIONS_V6: [u8; 7] = [0, 43, 50, 51, 60, 135, 139];
const FRAGMENT_V6: u8 = 44;
/// The shortest header of UDP, and less than one of TCP.
const LEAST: u32 = 8;
const LEAST_V4: u32 = 20 + LEAST;
const LENGTH_V6: u32 = 40;
const LENGTH_LINK: u32 = 14;

/// Ticks between two packets to a neighbour that the kernel gets, so that it asks whether the neighbour is still there
/// (RFC 4861 section 7.3): 8.6 s, which is well below the 30 s for which it believes an answer.
const CONFIRMED_FOR: u32 = 64;

/// Why a frame is left to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The interface does not forward, or not yet.
    Closed,
    /// For another hardware address than the interface's own: multicast, broadcast, bridged.
    OtherAddress,
    /// With a VLAN tag.
    Tagged,
    /// Neither TCP nor UDP, over neither IPv4 nor IPv6.
    Protocol,
    /// Options of IPv4, or extension headers of IPv6.
    Options,
    /// A fragment.
    Fragment,
    /// Headers that are cut short or contradict themselves.
    Malformed,
    /// In several buffers.
    Buffers,
    /// At the end of its way: a time to live or hop limit of 1 or 0.
    Hops,
    /// From or to an address that is not forwarded as a matter of course.
    Addresses,
    /// From a source whose route leads elsewhere.
    Source,
    /// No route that forwards: for the gateway itself, unreachable, prohibited, forwarding switched off.
    Route,
    /// Larger than the route takes.
    TooBig,
    /// The neighbour's hardware address is not known.
    Neighbour,
    /// The neighbour is to be confirmed by the kernel.
    Confirm,
    /// By way of an interface that is not on the other side of this instance.
    Elsewhere,
}

impl Left {
    /// The counter of this reason.
    #[must_use]
    pub const fn counter(self) -> Counter {
        match self {
            Self::Closed => Counter::LeftClosed,
            Self::OtherAddress => Counter::LeftOtherAddress,
            Self::Tagged => Counter::LeftTagged,
            Self::Protocol => Counter::LeftProtocol,
            Self::Options => Counter::LeftOptions,
            Self::Fragment => Counter::LeftFragment,
            Self::Malformed => Counter::LeftMalformed,
            Self::Buffers => Counter::LeftBuffers,
            Self::Hops => Counter::LeftHops,
            Self::Addresses => Counter::LeftAddresses,
            Self::Source => Counter::LeftSource,
            Self::Route => Counter::LeftRoute,
            Self::TooBig => Counter::LeftTooBig,
            Self::Neighbour => Counter::LeftNeighbour,
            Self::Confirm => Counter::LeftConfirm,
            Self::Elsewhere => Counter::LeftElsewhere,
        }
    }

    /// What an answer of `bpf_fib_lookup` means, of `linux/bpf.h`; success is `None`.
    #[must_use]
    #[inline(always)]
    pub const fn from_lookup(answer: i64) -> Option<Self> {
        match answer {
            0 => None,
            NO_NEIGHBOUR => Some(Self::Neighbour),
            FRAG_NEEDED => Some(Self::TooBig),
            _ => Some(Self::Route),
        }
    }
}

const NO_NEIGHBOUR: i64 = 7;
const FRAG_NEEDED: i64 = 8;

/// Whether an answer of `bpf_fib_lookup` about a source names the interface that a route to it leads over.
#[must_use]
#[inline(always)]
pub const fn is_reachable(answer: i64) -> bool {
    matches!(answer, 0 | NO_NEIGHBOUR)
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A packet that can be forwarded, if there is a way: what a routing decision asks of it besides its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// Its family.
    pub version: Version,
    /// TCP or UDP.
    pub protocol: u8,
    /// Type of service of IPv4; traffic class and flow label of IPv6 as they stand in the header.
    pub class: [u8; 4],
    /// Source port and destination port, network order.
    pub ports: [u8; 4],
    /// Octets of the frame behind the link header, padding included.
    pub length: u16,
}

/// Looks whether a frame that arrived at `port` can be forwarded.
#[inline(always)]
pub fn plain<P: Packet>(packet: &P, port: &Port) -> Result<Plain, Left> {
    let [d0, d1, d2, d3, d4, d5] = packet.load(0).ok_or(Left::Malformed)?;
    let [a0, a1, a2, a3, a4, a5] = port.address;
    let differs = (d0 ^ a0) | (d1 ^ a1) | (d2 ^ a2) | (d3 ^ a3) | (d4 ^ a4) | (d5 ^ a5);
    if differs != 0 {
        return Err(Left::OtherAddress);
    }
    let [t0, t1] = packet.load(LINK.wrapping_sub(2)).ok_or(Left::Malformed)?;
    match u16::from_be_bytes([t0, t1]) {
        IPV4 => plain_v4(packet),
        IPV6 => plain_v6(packet),
        other if is_tag(other) => Err(Left::Tagged),
        _ => Err(Left::Protocol),
    }
}

#[inline(always)]
fn plain_v4<P: Packet>(packet: &P) -> Result<Plain, Left> {
    let h: [u8; HEADER_V4] = packet.load(LINK).ok_or(Left::Malformed)?;
    if h[0] != BARE_V4 {
        let is_v4 = h[0] >> 4 == 4 && h[0] > BARE_V4;
        return Err(if is_v4 {
            Left::Options
        } else {
            Left::Malformed
        });
    }
    if u16::from_be_bytes([h[6], h[7]]) & FRAGMENT != 0 {
        return Err(Left::Fragment);
    }
    carries(h[9])?;
    let length = in_frame(packet)?;
    let total = u16::from_be_bytes([h[2], h[3]]);
    if u32::from(total) < LEAST_V4 || total > length || !adds_up(&h) {
        return Err(Left::Malformed);
    }
    if h[8] <= 1 {
        return Err(Left::Hops);
    }
    if !is_ordinary_v4([h[12], h[13]]) || !is_ordinary_v4([h[16], h[17]]) {
        return Err(Left::Addresses);
    }
    let ports = packet.load(LINK + HEADER_V4).ok_or(Left::Malformed)?;
    Ok(Plain {
        version: Version::V4,
        protocol: h[9],
        class: [h[1], 0, 0, 0],
        ports,
        length,
    })
}

#[inline(always)]
fn plain_v6<P: Packet>(packet: &P) -> Result<Plain, Left> {
    let [v, c1, c2, c3, l0, l1, next, hops] = packet.load(LINK).ok_or(Left::Malformed)?;
    if v >> 4 != 6 {
        return Err(Left::Malformed);
    }
    if next == FRAGMENT_V6 {
        return Err(Left::Fragment);
    }
    if EXTENSIONS_V6.contains(&next) {
        return Err(Left::Options);
    }
    carries(next)?;
    let length = in_frame(packet)?;
    let payload = u32::from(u16::from_be_bytes([l0, l1]));
    if payload < LEAST || payload.wrapping_add(LENGTH_V6) > u32::from(length) {
        return Err(Left::Malformed);
    }
    if hops <= 1 {
        return Err(Left::Hops);
    }
    let source = packet.load(ADDRESSES_V6).ok_or(Left::Malformed)?;
    let destination = packet.load(ADDRESSES_V6 + 16).ok_or(Left::Malformed)?;
    if !is_ordinary_v6(source) || !is_ordinary_v6(destination) {
        return Err(Left::Addresses);
    }
    let ports = packet.load(LINK + HEADER_V6).ok_or(Left::Malformed)?;
    Ok(Plain {
        version: Version::V6,
        protocol: next,
        class: [v & 0x0f, c1, c2, c3],
        ports,
        length,
    })
}

#[inline(always)]
const fn carries(protocol: u8) -> Result<(), Left> {
    match protocol {
        TCP | UDP => Ok(()),
        _ => Err(Left::Protocol),
    }
}

/// Octets behind the link header. What a length field of IP cannot say is no frame of a wire.
#[inline(always)]
fn in_frame<P: Packet>(packet: &P) -> Result<u16, Left> {
    let length = packet.length().wrapping_sub(LENGTH_LINK);
    u16::try_from(length).map_err(|_| Left::TooBig)
}

/// Whether the header checksum is right (RFC 1812 section 5.2.2).
#[inline(always)]
fn adds_up(header: &[u8; HEADER_V4]) -> bool {
    let mut sum = 0u32;
    for at in 0..HEADER_V4 / 2 {
        let word = u16::from_be_bytes([
            header[at.wrapping_mul(2)],
            header[at.wrapping_mul(2).wrapping_add(1)],
        ]);
        sum = sum.wrapping_add(u32::from(word));
    }
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    (sum & 0xffff).wrapping_add(sum >> 16) == 0xffff
}

/// Not this network's own, loopback, link-local, multicast or reserved (RFC 1812 section 5.3.7, RFC 3927 section 2.7), by
/// the first two octets.
#[inline(always)]
const fn is_ordinary_v4([first, second]: [u8; 2]) -> bool {
    !matches!((first, second), (0 | 127 | 224..=255, _) | (169, 254))
}

/// Not unspecified, loopback, mapped, link-local or multicast (RFC 4291 sections 2.4 and 2.5.6), by the first two octets.
#[inline(always)]
const fn is_ordinary_v6([first, second]: [u8; 2]) -> bool {
    !(first == 0 && second == 0) && first != 0xff && !(first == 0xfe && second & 0xc0 == 0x80)
}

/// Takes one hop from a packet that [`plain`] has found, and gives its frame new hardware addresses: the header checksum of
/// IPv4 follows (RFC 1624 eqn. 3).
#[inline(always)]
pub fn hop<P: Packet>(packet: &mut P, version: Version, from: [u8; 6], to: [u8; 6]) -> Option<()> {
    match version {
        Version::V4 => {
            let [hops, protocol, c0, c1] = packet.load(HOPS_V4)?;
            let one_less = hops.checked_sub(1)?;
            let (old, new) = ([hops, protocol], [one_less, protocol]);
            let change =
                Change::NONE.with_half_word(u16::from_be_bytes(old), u16::from_be_bytes(new));
            let [c0, c1] = change
                .applied_to(u16::from_be_bytes([c0, c1]))
                .to_be_bytes();
            packet.store(HOPS_V4, [one_less, protocol, c0, c1])?;
        }
        Version::V6 => {
            let [hops] = packet.load(HOPS_V6)?;
            packet.store(HOPS_V6, [hops.checked_sub(1)?])?;
        }
    }
    packet.store(0, to)?;
    packet.store(6, from)
}

/// Where a neighbour's cell lies in [`crate::abi::maps::NEIGHBOURS`], and what tells it from others there: by its address, of
/// IPv4 the first word alone, and the interface that it is on.
#[must_use]
#[inline(always)]
pub const fn cell_of(address: [u32; 4], interface: u32) -> (u32, u32) {
    let [a, b, c, d] = address;
    let mixed = a.wrapping_mul(0x9e37_79b1)
        ^ b.wrapping_mul(0x85eb_ca6b)
        ^ c.wrapping_mul(0xc2b2_ae35)
        ^ d.wrapping_mul(0x27d4_eb2f)
        ^ interface.wrapping_mul(0x1656_67b1);
    let mixed = (mixed ^ (mixed >> 16)).wrapping_mul(0x85eb_ca6b);
    let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xc2b2_ae35);
    let mixed = mixed ^ (mixed >> 16);
    (mixed & NEIGHBOURS_LENGTH.wrapping_sub(1), mixed)
}

/// Whether the kernel is to get the next packet to a neighbour. An address that only XDP uses would never be asked for again,
/// and packets would follow it long after the neighbour has gone elsewhere (RFC 4861 section 7.3.3).
///
/// Two neighbours that share a cell take turns, no faster than the clock ticks.
#[inline(always)]
pub fn is_due<W: Word>(cell: &W, neighbour: u32, now: Tick) -> bool {
    let (known, at) = unpack(cell.load());
    let due = if known == neighbour {
        now.since(Tick(at)) >= CONFIRMED_FOR
    } else {
        now.0 != at
    };
    if due {
        cell.store(pack(neighbour, now.0));
    }
    due
}
