//! The journey of one packet, the same at every hook and in every test.

use crate::{
    abi::flow::{Control, Phase, Record},
    connection,
    counter::Counter,
    flow::Direction,
    headers::ethernet::{self, Ethernet, IPV4, IPV6},
    icmp,
    opening::Syn,
    packet::Packet,
    previous::Numbers,
    segment::{Family, Segment},
    settle::Settled,
    tcp::options,
    translate::{self, Translation},
    verdict::{DropReason, PassReason, Verdict},
    world::{Tables, World},
};

/// What a first look at a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is done with.
    Done(Verdict),
    /// It is IPv6: [`established`] must look at it, from the start.
    Ipv6,
    /// It carries a SYN: [`opening`] must look at it, from the start.
    Opening,
    /// It is ICMP: [`icmp::error`] must look at it, from the start.
    Icmp,
}

/// The whole journey of one packet, counted.
///
/// In the kernel its parts are functions of their own, since the verifier's work, the stack and the
/// instruction cache all profit; this is what they amount to.
pub fn run<P, W>(packet: &mut P, world: &W, direction: Direction) -> Verdict
where
    P: Packet,
    W: Tables<[u8; 4]> + Tables<[u8; 16]>,
{
    let verdict = match first_look(packet, world, direction) {
        Step::Done(verdict) => verdict,
        Step::Opening => opening::<[u8; 4], P, W>(packet, world, direction),
        Step::Icmp => icmp::error::<[u8; 4], P, W>(packet, world, direction),
        Step::Ipv6 => match established::<[u8; 16], P, W>(packet, world, direction) {
            Step::Done(verdict) => verdict,
            Step::Icmp => icmp::error::<[u8; 16], P, W>(packet, world, direction),
            Step::Opening | Step::Ipv6 => opening::<[u8; 16], P, W>(packet, world, direction),
        },
    };
    world.count(verdict.counter(), 1);
    verdict
}

/// The fast path of IPv4: every packet but SYNs. One lookup for a translated flow, no policy, no
/// lock. Says so where the packet is not IPv4.
#[inline(always)]
pub fn first_look<P, W>(packet: &mut P, world: &W, direction: Direction) -> Step
where
    P: Packet,
    W: Tables<[u8; 4]>,
{
    match ethernet::read(packet) {
        Ok(link) if link.ether_type == IPV4 => {
            follow::<[u8; 4], P, W>(packet, world, link, direction)
        }
        Ok(link) if link.ether_type == IPV6 => Step::Ipv6,
        Ok(_) => Step::Done(Verdict::Pass(PassReason::NotIp)),
        Err(reason) => Step::Done(Verdict::Pass(reason)),
    }
}

/// The fast path of one family.
#[inline(always)]
pub fn established<A: Family, P: Packet, W: Tables<A>>(
    packet: &mut P,
    world: &W,
    direction: Direction,
) -> Step {
    match ethernet::read(packet) {
        Ok(link) => follow::<A, P, W>(packet, world, link, direction),
        Err(reason) => Step::Done(Verdict::Pass(reason)),
    }
}

#[inline(always)]
fn follow<A: Family, P: Packet, W: Tables<A>>(
    packet: &mut P,
    world: &W,
    link: Ethernet,
    direction: Direction,
) -> Step {
    let (key, segment) = match A::locate(packet, link, direction) {
        Ok(located) => located,
        Err(PassReason::Icmp) => return Step::Icmp,
        Err(reason) => return Step::Done(Verdict::Pass(reason)),
    };
    if segment.flags.opens() {
        return Step::Opening;
    }
    if !segment.is_whole {
        return Step::Done(short_fragment::<A, W>(world, &key));
    }
    Step::Done(match direction {
        Direction::Outbound => from_host(packet, world, &key, &segment),
        Direction::Inbound => to_host(packet, world, &key, &segment),
    })
}

/// The slow path: a packet of this family with a SYN, for which the fast path gave
/// [`Step::Opening`].
#[inline(always)]
pub fn opening<A: Family, P: Packet, W: Tables<A>>(
    packet: &mut P,
    world: &W,
    direction: Direction,
) -> Verdict {
    let link = match ethernet::read(packet) {
        Ok(link) => link,
        Err(reason) => return Verdict::Pass(reason),
    };
    let (key, segment) = match A::locate(packet, link, direction) {
        Ok(located) => located,
        Err(reason) => return Verdict::Pass(reason),
    };
    match direction {
        Direction::Outbound => host_syn(packet, world, &key, &segment),
        Direction::Inbound => peer_syn(packet, world, &key, &segment),
    }
}

#[inline(always)]
fn from_host<A: Family, P: Packet, W: Tables<A>>(
    packet: &mut P,
    world: &W,
    key: &A::Key,
    segment: &Segment,
) -> Verdict {
    if let Some(flow) = world.translated(key) {
        let record = flow.record();
        if answers_for_closed_port(&record, segment) {
            return Verdict::Pass(PassReason::ClosedPort);
        }
        if record.control().has(Control::PREVIOUS)
            && let Some(by) = world.late_translation(key, &Numbers::of(segment))
        {
            world.count(Counter::PreviousIncarnation, 1);
            return send(packet, segment, by);
        }
        note_outbound(packet, world, &flow, &record, segment);
        let by = record.translation();
        if !by.is_none() {
            count_signed(packet, world, segment);
        }
        return send(packet, segment, by);
    }
    if let Some(flow) = world.history(key) {
        note_outbound(packet, world, &flow, &flow.record(), segment);
        return Verdict::Pass(PassReason::OffsetZero);
    }
    Verdict::Pass(PassReason::NoFlow)
}

#[inline(always)]
fn note_outbound<P: Packet, W: World>(
    packet: &P,
    world: &W,
    flow: &W::Found,
    record: &Record,
    segment: &Segment,
) {
    if connection::outbound(&**flow, record, segment, world.now())
        && let Some(stamp) = packet.stamp(segment.options_at(), segment.payload_at)
    {
        connection::remember_stamp(&**flow, record, stamp);
    }
}

/// A first fragment that is too short for the TCP header could only be half translated (S13).
#[inline(always)]
fn short_fragment<A: Family, W: Tables<A>>(world: &W, key: &A::Key) -> Verdict {
    match world.translated(key) {
        Some(flow) if !flow.translation().is_none() => Verdict::Drop(DropReason::Untranslatable),
        _ => Verdict::Pass(PassReason::ShortFragment),
    }
}

/// Writes the wire's numbers, unless they are the host's.
#[inline(always)]
fn send<P: Packet>(packet: &mut P, segment: &Segment, by: Translation) -> Verdict {
    if by.is_none() {
        return Verdict::Pass(PassReason::OffsetZero);
    }
    match translate::outbound(packet, segment, by) {
        Some(()) => Verdict::TranslatedOut,
        None => Verdict::Drop(DropReason::Untranslatable),
    }
}

/// Counts a signature that no SYN has announced (S7): the translation breaks it, which must not go
/// unnoticed.
#[inline(always)]
fn count_signed<P: Packet, W: World>(packet: &P, world: &W, segment: &Segment) {
    let (start, end) = (segment.options_at(), segment.payload_at);
    if !options::are_plain(packet, start, end) && packet.syn_options(start, end).authenticated {
        world.count(Counter::SignedTranslated, 1);
    }
}

/// A host without a connection resets what it gets with sequence number 0 (RFC 9293 section
/// 3.10.7.1), which is then no number of this incarnation (S9). A reset of the connection itself
/// stands at what the host sends next.
#[inline(always)]
fn answers_for_closed_port(record: &Record, segment: &Segment) -> bool {
    segment.flags.rst()
        && segment.flags.ack()
        && segment.sequence.0 == 0
        && !record.translation().is_none()
        && (record.control().phase() == Phase::Closed
            || segment.sequence.to_wire(record.offset()) != record.high_water())
}

#[inline(always)]
fn to_host<A: Family, P: Packet, W: Tables<A>>(
    packet: &mut P,
    world: &W,
    key: &A::Key,
    segment: &Segment,
) -> Verdict {
    if let Some(flow) = world.translated(key) {
        connection::inbound(&flow, segment, world.now());
        return receive(packet, world, segment, flow.translation());
    }
    if let Some(flow) = world.history(key) {
        connection::inbound(&flow, segment, world.now());
        return Verdict::Pass(PassReason::OffsetZero);
    }
    Verdict::Pass(PassReason::NoFlow)
}

/// Writes the host's acknowledgment numbers, if the segment has any.
#[inline(always)]
fn receive<P: Packet, W: World>(
    packet: &mut P,
    world: &W,
    segment: &Segment,
    by: Translation,
) -> Verdict {
    if by.is_none() {
        return Verdict::Pass(PassReason::OffsetZero);
    }
    // Some stacks leave the acknowledgment of a reset 0: it stands for none.
    let none = segment.flags.rst() && segment.acknowledgment.0 == 0;
    if !segment.flags.ack() || none {
        return Verdict::Pass(PassReason::NothingToTranslate);
    }
    count_signed(packet, world, segment);
    match translate::inbound(packet, segment, by) {
        Some(edges) => {
            if edges != 0 {
                world.count(Counter::SackEdgesTranslated, u64::from(edges));
            }
            Verdict::TranslatedIn
        }
        None => Verdict::Drop(DropReason::Untranslatable),
    }
}

/// A SYN or SYN-ACK of the peer. What it says about its windows is remembered, even of a flow that
/// was not known, since the host's SYN-ACK does not repeat it. No offset comes of it (S1).
#[inline(always)]
fn peer_syn<A: Family, P: Packet, W: Tables<A>>(
    packet: &mut P,
    world: &W,
    key: &A::Key,
    segment: &Segment,
) -> Verdict {
    let options = packet.syn_options(segment.options_at(), segment.payload_at);
    let now = world.now();
    if let Some(flow) = world.translated(key) {
        connection::peer_syn(&flow, segment, &options, now);
        connection::inbound(&flow, segment, now);
        return receive(packet, world, segment, flow.translation());
    }
    if let Some(flow) = world.history(key) {
        connection::peer_syn(&flow, segment, &options, now);
        connection::inbound(&flow, segment, now);
        return Verdict::Pass(PassReason::OffsetZero);
    }
    if !segment.flags.ack() {
        let next = segment.sequence.advanced(segment.sequence_length());
        world.await_answer(key, next, options);
    }
    Verdict::Pass(PassReason::NoFlow)
}

/// A SYN or SYN-ACK of the host.
#[inline(always)]
fn host_syn<A: Family, P: Packet, W: Tables<A>>(
    packet: &mut P,
    world: &W,
    key: &A::Key,
    segment: &Segment,
) -> Verdict {
    let options = packet.syn_options(segment.options_at(), segment.payload_at);
    match world.settle(key, Syn::read(segment, options)) {
        Settled::Known(by) => {
            if options.authenticated && !by.is_none() {
                world.count(Counter::SignedTranslated, 1);
            }
            send(packet, segment, by)
        }
        Settled::Rewritten(by) => {
            let wire = segment.sequence.to_wire(by.sequence);
            world.rewrote(key, segment.sequence, wire);
            send(packet, segment, by)
        }
        Settled::Pass(reason) => Verdict::Pass(reason),
        Settled::Drop(reason) => Verdict::Drop(reason),
    }
}
