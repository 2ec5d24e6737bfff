//! ICMP and ICMPv6 errors that quote a segment of a translated flow: the quote must show its
//! reader the numbers that it knows, or path MTU discovery and unreachable ports go unheard (S12;
//! RFC 5927 section 4.1 has hosts check the quoted sequence number).
//!
//! An error on its way to the host quotes what the host sent, with the wire's sequence number and
//! timestamp. An error on its way to the peer quotes what the peer sent, with the host's
//! acknowledgments and echoed timestamp.

use crate::{
    checksum::Change,
    counter::Counter,
    flow::{Address, Direction, Key4, Key6},
    headers::{
        ethernet::{self, Ethernet},
        icmp::{CHECKSUM, LENGTH, PROTOCOL_V4, PROTOCOL_V6, declared_v4, declared_v6},
        ipv4, ipv6, tcp,
    },
    packet::Packet,
    tcp::{
        flags::Flags,
        options, sack,
        seq::{Offset, Seq},
        timestamps::{Field, Move},
    },
    translate::Translation,
    verdict::{DropReason, PassReason, Verdict},
    world::Tables,
};

/// A quoted segment, as it lies in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Offset of the ICMP header.
    pub icmp_at: usize,
    /// Offset of the quoted TCP header, of which at least 8 octets are there.
    pub tcp_at: usize,
    /// Offset of the first octet behind the quote.
    pub end: usize,
}

/// A quote and the flow that it belongs to.
pub type Located<A> = (<A as Address>::Key, Quote);

/// An address family in which errors can be found.
pub trait Errors: Address {
    /// Finds the quoted segment of an error that travels in `direction`: the host is the source of
    /// what it is told about, and the destination of what it complains about.
    fn quote<P: Packet>(
        packet: &P,
        link: Ethernet,
        direction: Direction,
    ) -> Result<Located<Self>, PassReason>;
}

macro_rules! errors {
    ($address:ty, $key:ident, $header:ident, $number:ident, $protocol:ident, $declared:ident) => {
        impl Errors for $address {
            #[inline(always)]
            fn quote<P: Packet>(
                packet: &P,
                link: Ethernet,
                direction: Direction,
            ) -> Result<Located<Self>, PassReason> {
                let ip = $header::read::<{ $protocol }, P>(packet, link.payload_at)?;
                if ip.is_fragment {
                    return Err(PassReason::IcmpFragment);
                }
                let icmp_at = ip.payload_at;
                let header = packet.load::<LENGTH>(icmp_at).ok_or(PassReason::Icmp)?;
                let declared = $declared(header).ok_or(PassReason::Icmp)?;
                let at = icmp_at.wrapping_add(LENGTH);
                let end = end_of_quote(icmp_at, at, ip.payload_length, declared);
                let (source, destination, tcp_at) =
                    $header::quoted(packet, at, end).ok_or(PassReason::Icmp)?;
                let [s0, s1, d0, d1] = packet.load(tcp_at).ok_or(PassReason::Icmp)?;
                let port = u16::from_be_bytes;
                let (source_port, destination_port) = (port([s0, s1]), port([d0, d1]));
                let (host, peer, host_port, peer_port) = match direction {
                    Direction::Inbound => (source, destination, source_port, destination_port),
                    Direction::Outbound => (destination, source, destination_port, source_port),
                };
                let host = packet.$number(host).ok_or(PassReason::Icmp)?;
                let peer = packet.$number(peer).ok_or(PassReason::Icmp)?;
                let key = $key {
                    host: host.to_be_bytes(),
                    peer: peer.to_be_bytes(),
                    host_port: host_port.to_be_bytes(),
                    peer_port: peer_port.to_be_bytes(),
                    vlan: link.vlan.0,
                };
                Ok((
                    key,
                    Quote {
                        icmp_at,
                        tcp_at,
                        end,
                    },
                ))
            }
        }
    };
}

errors!([u8; 4], Key4, ipv4, word, PROTOCOL_V4, declared_v4);
errors!([u8; 16], Key6, ipv6, quadword, PROTOCOL_V6, declared_v6);

/// Where the quote at `at` ends: with the message, or earlier if an extension follows it.
#[inline(always)]
fn end_of_quote(icmp_at: usize, at: usize, message: u32, declared: usize) -> usize {
    let message_end = icmp_at.wrapping_add(message as usize);
    let declared_end = at.wrapping_add(declared);
    if declared != 0 && declared_end < message_end {
        declared_end
    } else {
        message_end
    }
}

/// The path of an ICMP packet of this family.
#[inline(always)]
pub fn error<A: Errors, P: Packet, W: Tables<A>>(
    packet: &mut P,
    world: &W,
    direction: Direction,
) -> Verdict {
    let located = ethernet::read(packet).and_then(|link| A::quote(packet, link, direction));
    let (key, quote) = match located {
        Ok(located) => located,
        Err(reason) => return Verdict::Pass(reason),
    };
    let (by, recomputed) = match world.known(&key) {
        Some((_, record)) => (record.translation(), false),
        None => (recomputed(world, &key), true),
    };
    if by.is_none() {
        return Verdict::Pass(PassReason::Icmp);
    }
    if !is_within_reach(packet, &quote) {
        return Verdict::Drop(DropReason::Untranslatable);
    }
    let change = match direction {
        Direction::Inbound => quoted_sequence(packet, &quote, by),
        Direction::Outbound => quoted_acknowledgment(packet, &quote, by),
    };
    match change {
        Ok(None) => Verdict::Pass(PassReason::Icmp),
        Ok(Some(change)) => {
            let verdict = finish(packet, &quote, change);
            if recomputed && verdict == Verdict::IcmpTranslated {
                world.count(Counter::KeyedRecomputed, 1);
            }
            verdict
        }
        Err(Unwritable) => Verdict::Drop(DropReason::Untranslatable),
    }
}

/// The translation of a flow without an entry. Whether its segments are signed, and so left alone, a quote seldom tells.
#[inline(always)]
fn recomputed<A: Address, W: Tables<A>>(world: &W, key: &A::Key) -> Translation {
    Translation {
        sequence: world.recomputed(key).unwrap_or(Offset(0)),
        timestamp: Offset(0),
    }
}

/// Whether the quoted TCP header is within reach, as far as it is quoted: of a frame in several
/// buffers, only the first is.
#[inline(always)]
fn is_within_reach<P: Packet>(packet: &P, quote: &Quote) -> bool {
    let length_at = quote.tcp_at.wrapping_add(tcp::DATA_OFFSET);
    let mut end = quote.end;
    if length_at < end {
        let Some([length]) = packet.load(length_at) else {
            return false;
        };
        let length = ((length >> 4) as usize).wrapping_mul(4);
        let header = if length < tcp::SHORTEST {
            tcp::SHORTEST
        } else {
            length
        };
        let header_end = quote.tcp_at.wrapping_add(header);
        if header_end < end {
            end = header_end;
        }
    }
    packet.load::<1>(end.wrapping_sub(1)).is_some()
}

/// A write failed after it was found possible: the packet may be half translated.
struct Unwritable;

/// The host's sequence number and timestamp in what the host sent. Gives the change of the quoted
/// octets.
#[inline(always)]
fn quoted_sequence<P: Packet>(
    packet: &mut P,
    quote: &Quote,
    by: Translation,
) -> Result<Option<Change>, Unwritable> {
    let at = quote.tcp_at.wrapping_add(tcp::SEQUENCE);
    let Some(wire) = packet.load(at).map(u32::from_be_bytes) else {
        return Ok(None);
    };
    if wire == 0 && is_reset_with_ack(packet, quote) {
        // Of a closed port, and not translated when it passed (S9).
        return Ok(None);
    }
    let host = Seq(wire).to_host(by.sequence);
    let change = Change::NONE.with_word(wire, host.0);
    let stamps = quoted_stamps(packet, quote, Field::Value, by.timestamp.inverse())?;
    packet.store(at, host.0.to_be_bytes()).ok_or(Unwritable)?;
    Ok(Some(change.with(stamps)))
}

/// Moves a field of the quoted timestamps, as far as they are quoted whole.
#[inline(always)]
fn quoted_stamps<P: Packet>(
    packet: &mut P,
    quote: &Quote,
    field: Field,
    by: Offset,
) -> Result<Change, Unwritable> {
    let (start, end) = quoted_options(packet, quote);
    if by.0 == 0 || start >= end {
        return Ok(Change::NONE);
    }
    let tcp = quote.tcp_at;
    let to = Move { tcp, field, by };
    packet.shift_stamps(start, end, to).ok_or(Unwritable)
}

/// Where the quoted options begin and end, as far as they are quoted.
#[inline(always)]
fn quoted_options<P: Packet>(packet: &P, quote: &Quote) -> (usize, usize) {
    let start = quote.tcp_at.wrapping_add(tcp::SHORTEST);
    let length_at = quote.tcp_at.wrapping_add(tcp::DATA_OFFSET);
    if start >= quote.end {
        return (start, start);
    }
    let Some([length]) = packet.load(length_at) else {
        return (start, start);
    };
    let header_end = quote
        .tcp_at
        .wrapping_add(((length >> 4) as usize).wrapping_mul(4));
    let end = if header_end < quote.end {
        header_end
    } else {
        quote.end
    };
    (start, end)
}

/// Whether the quote shows a reset that acknowledges.
#[inline(always)]
fn is_reset_with_ack<P: Packet>(packet: &P, quote: &Quote) -> bool {
    let at = quote.tcp_at.wrapping_add(tcp::FLAGS);
    at < quote.end
        && packet
            .load(at)
            .is_some_and(|[flags]| Flags(flags).rst() && Flags(flags).ack())
}

/// The wire's acknowledgments and echoed timestamp in what the peer sent. `None` if the quote shows
/// none, or not whether it does.
#[inline(always)]
fn quoted_acknowledgment<P: Packet>(
    packet: &mut P,
    quote: &Quote,
    by: Translation,
) -> Result<Option<Change>, Unwritable> {
    let at = quote.tcp_at.wrapping_add(tcp::ACKNOWLEDGMENT);
    if at.wrapping_add(6) > quote.end {
        return Ok(None);
    }
    let Some([a, b, c, d, _, flags]) = packet.load(at) else {
        return Ok(None);
    };
    if !Flags(flags).ack() {
        return Ok(None);
    }
    let host = u32::from_be_bytes([a, b, c, d]);
    if host == 0 && Flags(flags).rst() {
        // It stood for none when it passed (S9).
        return Ok(None);
    }
    let wire = Seq(host).to_wire(by.sequence);
    let mut change = Change::NONE.with_word(host, wire.0);
    let stamps = quoted_stamps(packet, quote, Field::EchoReply, by.timestamp)?;
    change = change.with(stamps);
    let (start, end) = quoted_options(packet, quote);
    if by.sequence.0 != 0
        && start < end
        && sack::may_hold(options::layout(packet, start, end), start, end)
    {
        let inverse = by.sequence.inverse();
        let moved = packet.sack_to_host(start, end, quote.tcp_at, inverse);
        change = change.with(moved.ok_or(Unwritable)?.change);
    }
    packet.store(at, wire.0.to_be_bytes()).ok_or(Unwritable)?;
    Ok(Some(change))
}

/// Brings the quoted TCP checksum up to date, if it is quoted, and then the checksum of the error.
#[inline(always)]
fn finish<P: Packet>(packet: &mut P, quote: &Quote, change: Change) -> Verdict {
    let mut change = change;
    let at = quote.tcp_at.wrapping_add(tcp::CHECKSUM);
    if at.wrapping_add(2) <= quote.end {
        let Some(old) = packet.load(at).map(u16::from_be_bytes) else {
            return Verdict::Drop(DropReason::Untranslatable);
        };
        let new = change.applied_to(old);
        if packet.store(at, new.to_be_bytes()).is_none() {
            return Verdict::Drop(DropReason::Untranslatable);
        }
        change = change.with_half_word(old, new);
    }
    // With the quoted checksum the two changes cancel, and the error's own stays as it is.
    if !change.is_none()
        && packet
            .update_checksum(quote.icmp_at.wrapping_add(CHECKSUM), change)
            .is_none()
    {
        return Verdict::Drop(DropReason::Untranslatable);
    }
    Verdict::IcmpTranslated
}
