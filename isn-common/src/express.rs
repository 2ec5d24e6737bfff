//! The way of nearly every packet: a segment of a connection that is open, in a frame as nearly all stacks fill it, without IPv4 options,
//! fragments or extension headers, and neither SYN, FIN nor RST.
//!
//! It decides nothing of its own: it reads the frame at offsets that are known beforehand, makes sure that the flow is as
//! plain as the frame, and does what [`crate::datapath`] does, of which the compiler then leaves out all that cannot be. Whatever
//! is not plain goes the other way, from the start; nothing has been changed by then.

use crate::{
    abi::flow::{Control, Record},
    connection,
    datapath::{receive, send_established},
    flow::{Address, Direction, FlowKey as _, Key4, Key6, Vlan},
    headers::{
        ethernet::{IPV4, IPV6},
        tcp::PROTOCOL,
    },
    packet::Packet,
    segment::{self, Located},
    tcp::flags::Flags,
    verdict::{PassReason, Verdict},
    world::Tables,
};

/// Flags that keep a segment from being plain.
const RARE: u8 = Flags::SYN | Flags::FIN | Flags::RST;
/// State of a plain flow: open on both sides, and nothing special about it.
const OPEN: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;
/// State that must be as [`OPEN`] says.
const DECISIVE: u32 = OPEN
    | Control::HOST_FIN
    | Control::PEER_FIN
    | Control::HOST_RST
    | Control::PEER_RST
    | Control::PREVIOUS
    | Control::MOVED
    | Control::CLAIMED;

/// Bits of the fragment field of IPv4 that say that there are more fragments, or that this is a later one.
const MORE_OR_LATER: u16 = 0x3fff;

/// An address family whose plain frames can be read.
pub trait Plain: Address {
    /// The segment and its flow, oriented for `direction`; `None` if the frame is not plain.
    fn plain<P: Packet>(packet: &P, direction: Direction) -> Option<Located<Self>>;
}

/// What becomes of a packet; `None` if the packet or its flow is not plain.
#[inline(always)]
pub fn run<A: Plain, P: Packet, W: Tables<A>>(
    packet: &mut P,
    world: &W,
    direction: Direction,
) -> Option<Verdict> {
    let (key, segment) = A::plain(packet, direction)?;
    if !world.may_be_guarded(key.host().address) {
        return Some(Verdict::Pass(PassReason::NoFlow));
    }
    let flow = world.settled(&key)?;
    let record = plain_record(&flow.record())?;
    Some(match direction {
        Direction::Outbound => {
            // From the host's FIN on its timestamps are remembered, but this is not such a flow.
            let _ = connection::outbound(&*flow, &record, &segment, world.now());
            send_established(packet, world, &segment, record.translation())
        }
        Direction::Inbound => {
            connection::inbound(&*flow, &record, &segment, world.now());
            receive(packet, world, &segment, record.translation())
        }
    })
}

/// The same record if the flow is plain, in a way that tells the compiler so.
#[inline(always)]
const fn plain_record(record: &Record) -> Option<Record> {
    let state = record.control().0;
    if state & DECISIVE != OPEN {
        return None;
    }
    Some(record.with_control(Control(state & !DECISIVE | OPEN)))
}

/// The flags if they are plain, likewise.
#[inline(always)]
const fn plain_flags(octet: u8) -> Option<Flags> {
    if octet & (RARE | Flags::ACK) != Flags::ACK {
        return None;
    }
    Some(Flags(octet & !RARE | Flags::ACK))
}

/// The VLAN of a frame without a tag: of one that the device took out, if any.
#[inline(always)]
fn vlan<P: Packet>(packet: &P) -> Vlan {
    match packet.stripped_tag() {
        Some(tag) => Vlan::UNTAGGED.tagged(tag),
        None => Vlan::UNTAGGED,
    }
}

macro_rules! plain {
    ($address:ty, $key:ident, $read:ident, $number:ident) => {
        impl Plain for $address {
            #[inline(always)]
            fn plain<P: Packet>(packet: &P, direction: Direction) -> Option<Located<Self>> {
                let (source_at, destination_at, tcp_at, length) = $read(packet)?;
                let mut segment = segment::read(packet, tcp_at, length, false).ok()?;
                segment.flags = plain_flags(segment.flags.0)?;
                let source = packet.$number(source_at)?.to_be_bytes();
                let destination = packet.$number(destination_at)?.to_be_bytes();
                let (from, to) = (
                    segment.source_port.to_be_bytes(),
                    segment.destination_port.to_be_bytes(),
                );
                let (host, peer, host_port, peer_port) = match direction {
                    Direction::Outbound => (source, destination, from, to),
                    Direction::Inbound => (destination, source, to, from),
                };
                let vlan = vlan(packet).0;
                let key = $key {
                    host,
                    peer,
                    host_port,
                    peer_port,
                    vlan,
                };
                Some((key, segment))
            }
        }
    };
}

plain!([u8; 4], Key4, ipv4, word);
plain!([u8; 16], Key6, ipv6, quadword);

/// Offsets of the addresses and of the TCP header of a plain frame of IPv4 (RFC 791), and the octets of its datagram from there on.
#[inline(always)]
fn ipv4<P: Packet>(packet: &P) -> Option<(usize, usize, usize, u32)> {
    let h: [u8; 34] = packet.load(0)?;
    let is_plain = u16::from_be_bytes([h[12], h[13]]) == IPV4
        && h[14] == 0x45
        && h[23] == PROTOCOL
        && u16::from_be_bytes([h[20], h[21]]) & MORE_OR_LATER == 0;
    let total = u32::from(u16::from_be_bytes([h[16], h[17]]));
    let length = total.checked_sub(20)?;
    (is_plain && packet.holds(total.wrapping_add(14))).then_some((26, 30, 34, length))
}

/// The same for IPv6 (RFC 8200).
#[inline(always)]
fn ipv6<P: Packet>(packet: &P) -> Option<(usize, usize, usize, u32)> {
    let h: [u8; 22] = packet.load(0)?;
    let is_plain =
        u16::from_be_bytes([h[12], h[13]]) == IPV6 && h[14] >> 4 == 6 && h[20] == PROTOCOL;
    let length = u32::from(u16::from_be_bytes([h[18], h[19]]));
    (is_plain && packet.holds(length.wrapping_add(54))).then_some((22, 38, 54, length))
}
