//! The way of nearly every packet: a segment of a connection that is open, in a frame as nearly all stacks fill it, with one VLAN tag at most, without IPv4
//! options, fragments or extension headers, and neither SYN, FIN nor RST.
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
        ethernet::{self, IPV4, IPV6},
        tcp::{PROTOCOL, SHORTEST},
    },
    packet::Packet,
    previous,
    segment::{Located, Segment},
    tcp::{flags::Flags, seq::Seq},
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
    | Control::MOVED
    | Control::CLAIMED;

/// Of the first eight octets of an IPv4 header, the first one lowest: version and length, and what says that there are more fragments, or that this
/// is a later one; and what they must be.
const NO_OPTIONS_NOR_FRAGMENT: (u64, u64) = (0xff3f_0000_0000_00ff, 0x45);

/// Where the words of a frame begin: so that the type of the frame is the lower half of the first, and the IP header begins with the next.
const WORDS_AT: usize = 10;
/// Octets of an Ethernet header, and of a tag in it.
const ETHERNET: usize = 14;
const TAG: usize = 4;
/// Octets of an IPv4 header without options.
const IPV4_HEADER: u32 = 20;
/// Octets of an IPv6 header.
const IPV6_HEADER: u32 = 40;

/// What becomes of a packet in a frame without a tag; `None` if the packet or its flow is not plain. `done` makes of the verdict what is wanted, at each
/// place where there is one: a hook counts there, where the compiler knows what.
#[inline(always)]
pub fn run<P, W, R>(
    packet: &mut P,
    world: &W,
    direction: Direction,
    done: impl Fn(Verdict) -> R,
) -> Option<R>
where
    P: Packet,
    W: Tables<[u8; 4]> + Tables<[u8; 16]>,
{
    behind(packet, world, direction, 0, done)
}

/// The same of a packet in a frame with a tag, that the device may have taken another one out of.
#[inline(always)]
pub fn run_tagged<P, W, R>(
    packet: &mut P,
    world: &W,
    direction: Direction,
    done: impl Fn(Verdict) -> R,
) -> Option<R>
where
    P: Packet,
    W: Tables<[u8; 4]> + Tables<[u8; 16]>,
{
    if !is_tagged(packet) {
        return None;
    }
    behind(packet, world, direction, TAG, done)
}

/// Whether there is a tag in a frame.
#[inline(always)]
pub fn is_tagged<P: Packet>(packet: &P) -> bool {
    let word = packet.words(WORDS_AT);
    #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
    word.is_some_and(|[word]| ethernet::is_tag(u32::from_be(word) as u16))
}

/// What becomes of a packet behind so many octets of tags.
#[inline(always)]
fn behind<P, W, R>(
    packet: &mut P,
    world: &W,
    direction: Direction,
    tags: usize,
    done: impl Fn(Verdict) -> R,
) -> Option<R>
where
    P: Packet,
    W: Tables<[u8; 4]> + Tables<[u8; 16]>,
{
    let words: [u32; 11] = packet.words(WORDS_AT.wrapping_add(tags))?;
    #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
    match u32::from_be(words[0]) as u16 {
        IPV4 => {
            let (key, segment) = ipv4(packet, &words, direction, tags)?;
            follow::<[u8; 4], P, W, R>(packet, world, &key, &segment, direction, done)
        }
        IPV6 => {
            let words = packet.words(WORDS_AT.wrapping_add(tags))?;
            let (key, segment) = ipv6(packet, &words, direction, tags)?;
            follow::<[u8; 16], P, W, R>(packet, world, &key, &segment, direction, done)
        }
        _ => None,
    }
}

#[inline(always)]
fn follow<A: Address, P: Packet, W: Tables<A>, R>(
    packet: &mut P,
    world: &W,
    key: &A::Key,
    segment: &Segment,
    direction: Direction,
    done: impl Fn(Verdict) -> R,
) -> Option<R> {
    if !world.may_be_guarded(key.host().address) {
        return Some(done(Verdict::Pass(PassReason::NoFlow)));
    }
    let flow = world.settled(key)?;
    // Before the record is read: what is asked of the kernel costs whatever a processor's registers hold.
    let now = world.now();
    let record = plain_record(&flow.record())?;
    if !world.is_intact(&flow) {
        return None;
    }
    Some(match direction {
        // It may be late, of the incarnation before.
        Direction::Outbound
            if record.control().has(Control::PREVIOUS)
                && !previous::was_sent(&record, segment.sequence) =>
        {
            return None;
        }
        Direction::Outbound => {
            // From the host's FIN on its timestamps are remembered, but this is not such a flow.
            let _ = connection::outbound(&*flow, &record, segment, now);
            send_established(packet, world, segment, record.translation(), done)
        }
        Direction::Inbound => {
            connection::inbound(&*flow, &record, segment, now);
            receive(packet, world, segment, record.translation(), done)
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

/// The VLAN of a frame with so many octets of tags, of which the last one is in the upper half of the word that the type is in: behind the tag that the
/// device took out, if any.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "half a word")]
fn vlan<P: Packet>(packet: &P, word: u32, tags: usize) -> Vlan {
    let outer = match packet.stripped_tag() {
        Some(tag) => Vlan::UNTAGGED.tagged(tag),
        None => Vlan::UNTAGGED,
    };
    if tags == 0 {
        return outer;
    }
    outer.tagged((u32::from_be(word) >> 16) as u16)
}

/// A plain frame of IPv4 (RFC 791), as words: from [`WORDS_AT`] on, the headers of IP and TCP.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "a part of a word is taken")]
fn ipv4<P: Packet>(
    packet: &P,
    words: &[u32; 11],
    direction: Direction,
    tags: usize,
) -> Option<Located<[u8; 4]>> {
    let [
        kind,
        first,
        second,
        third,
        source,
        destination,
        ports,
        tcp @ ..,
    ] = *words;
    // The first eight octets at once.
    let head = u64::from(u32::from_le(second)) << 32 | u64::from(u32::from_le(first));
    let is_plain = head & NO_OPTIONS_NOR_FRAGMENT.0 == NO_OPTIONS_NOR_FRAGMENT.1
        && u32::from_le(third) >> 8 & 0xff == u32::from(PROTOCOL);
    if !is_plain {
        return None;
    }
    let length = u32::from(((head >> 16) as u16).swap_bytes());
    let segment = segment(packet, length, (tags, IPV4_HEADER), ports, tcp)?;
    let (source, destination) = (source.to_ne_bytes(), destination.to_ne_bytes());
    let (host, peer) = host_first(source, destination, direction);
    let (host_port, peer_port) = host_first_of_ports(ports, direction);
    let key = Key4 {
        host,
        peer,
        host_port,
        peer_port,
        vlan: vlan(packet, kind, tags).0,
    };
    Some((key, segment))
}

/// The same for IPv6 (RFC 8200).
#[inline(always)]
fn ipv6<P: Packet>(
    packet: &P,
    words: &[u32; 16],
    direction: Direction,
    tags: usize,
) -> Option<Located<[u8; 16]>> {
    let [
        kind,
        first,
        second,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
        ports,
        tcp @ ..,
    ] = *words;
    let second = u32::from_be(second);
    if u32::from_be(first) >> 28 != 6 || second >> 8 & 0xff != u32::from(PROTOCOL) {
        return None;
    }
    let segment = segment(
        packet,
        (second >> 16).wrapping_add(IPV6_HEADER),
        (tags, IPV6_HEADER),
        ports,
        tcp,
    )?;
    let (host, peer) = host_first(
        joined([s0, s1, s2, s3]),
        joined([d0, d1, d2, d3]),
        direction,
    );
    let (host_port, peer_port) = host_first_of_ports(ports, direction);
    let key = Key6 {
        host,
        peer,
        host_port,
        peer_port,
        vlan: vlan(packet, kind, tags).0,
    };
    Some((key, segment))
}

/// The TCP header of a datagram of so many octets, of which `before` are its IP header, behind `tags` octets of tags; `None` if it is not plain, or not all
/// of it is in the frame and at hand.
#[inline(always)]
#[allow(clippy::cast_possible_truncation, reason = "parts of words are taken")]
fn segment<P: Packet>(
    packet: &P,
    datagram: u32,
    (tags, before): (usize, u32),
    ports: u32,
    [sequence, acknowledgment, bits, _]: [u32; 4],
) -> Option<Segment> {
    let (ports, window) = (u32::from_be(ports), u32::from_be(bits));
    // The first octet lowest.
    let bits = u32::from_le(bits);
    let header = (bits & 0xf0) >> 2;
    let flags = plain_flags((bits >> 8) as u8)?;
    if header < SHORTEST as u32 {
        return None;
    }
    let payload_length = datagram.checked_sub(before.wrapping_add(header))?;
    let begin = ETHERNET.wrapping_add(tags);
    let at = begin.wrapping_add(before as usize);
    let payload_at = at.wrapping_add(header as usize);
    let is_there = packet.holds(datagram.wrapping_add(begin as u32));
    (is_there && packet.is_at_hand(payload_at)).then_some(Segment {
        at,
        payload_at,
        payload_length,
        is_whole: true,
        sequence: Seq(u32::from_be(sequence)),
        acknowledgment: Seq(u32::from_be(acknowledgment)),
        flags,
        window: window as u16,
        source_port: (ports >> 16) as u16,
        destination_port: ports as u16,
    })
}

/// Source and destination as host and peer.
#[inline(always)]
fn host_first<T>(source: T, destination: T, direction: Direction) -> (T, T) {
    match direction {
        Direction::Outbound => (source, destination),
        Direction::Inbound => (destination, source),
    }
}

/// The same of the ports, as they lie in the frame.
#[inline(always)]
fn host_first_of_ports(ports: u32, direction: Direction) -> ([u8; 2], [u8; 2]) {
    let [a, b, c, d] = ports.to_ne_bytes();
    host_first([a, b], [c, d], direction)
}

/// Four words as they lie in the frame.
#[inline(always)]
const fn joined([a, b, c, d]: [u32; 4]) -> [u8; 16] {
    let (a, b, c, d) = (
        u32::from_le(a) as u128,
        u32::from_le(b) as u128,
        u32::from_le(c) as u128,
        u32::from_le(d) as u128,
    );
    (d << 96 | c << 64 | b << 32 | a).to_le_bytes()
}
