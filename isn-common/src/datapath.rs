//! The journey of one packet, the same at every hook and in every test.

use crate::{
    abi::{
        flow::{Control, Phase, Record, Word as _, unpack},
        maps::STORMS_LENGTH,
        settings::Settings,
    },
    connection,
    counter::Counter,
    expiry::Place,
    express,
    flow::Direction,
    headers::ethernet::{self, Ethernet, IPV4, IPV6},
    icmp,
    opening::Syn,
    packet::Packet,
    previous::Numbers,
    promotion, sample,
    segment::{Family, Segment},
    settle::{self, Settled},
    storm,
    tcp::{
        options::{self, Layout},
        seq::Offset,
    },
    translate::{self, Translation},
    verdict::{DropReason, PassReason, Verdict},
    world::{Held, Tables, World},
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
    let verdict = match look(packet, world, direction) {
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

#[inline(always)]
fn look<P, W>(packet: &mut P, world: &W, direction: Direction) -> Step
where
    P: Packet,
    W: Tables<[u8; 4]> + Tables<[u8; 16]>,
{
    let plain = express::run(packet, world, direction, |verdict| verdict)
        .or_else(|| express::run_tagged(packet, world, direction, |verdict| verdict));
    match plain {
        Some(verdict) => Step::Done(verdict),
        None => first_look(packet, world, direction),
    }
}

/// The path of IPv4: every packet but SYNs. One lookup for a translated flow, no policy, no
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
        world.expect(&key);
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
    let Some((held, record)) = world.known(key) else {
        return match unknown(packet, world, key, segment, Direction::Outbound) {
            Ok(by) => send(packet, segment, by),
            Err(verdict) => verdict,
        };
    };
    if held.place == Place::History && is_lost(world, &record) {
        return Verdict::Drop(DropReason::Untranslatable);
    }
    if answers_for_closed_port(&record, segment) {
        return Verdict::Pass(PassReason::ClosedPort);
    }
    if record.control().has(Control::PREVIOUS)
        && let Some(by) = world.late_translation(key, &Numbers::of(segment))
    {
        world.count(Counter::PreviousIncarnation, 1);
        return send(packet, segment, by);
    }
    note_outbound(packet, world, &held.flow, &record, segment);
    complete(world, key, &held, segment, Direction::Outbound);
    send_established(packet, world, segment, record.translation(), |verdict| {
        verdict
    })
}

/// Moves a half-open flow to its place if the segment that was just noted completes the handshake.
#[inline(always)]
fn complete<A: Family, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    held: &Held<W::Found>,
    segment: &Segment,
    direction: Direction,
) {
    let control = Control(unpack(held.flow.life.load()).0);
    if held.place == Place::HalfOpen && promotion::is_due(control, direction, segment) {
        world.promote(key);
    }
}

/// Whether a leftover in the history stands for a flow whose offset is lost: it was half-open, and evicted. Until its SYN
/// comes again, which brings the offset back, nothing of it can be translated, and nothing must leave untranslated (S13).
#[inline(always)]
fn is_lost<W: World>(world: &W, record: &Record) -> bool {
    let within = |settings: &Settings| world.now().since(record.last_seen()) < settings.history;
    record.control().has(Control::MOVED) && world.settings().is_some_and(within)
}

/// A segment of a flow that has no entry: the translation that it has all the same, since the flow is keyed, or what becomes of
/// it without.
#[inline(always)]
fn unknown<A: Family, P: Packet, W: Tables<A>>(
    packet: &P,
    world: &W,
    key: &A::Key,
    segment: &Segment,
    direction: Direction,
) -> Result<Translation, Verdict> {
    if storm::is_pure_acknowledgment(segment) {
        let (index, fingerprint) = storm::place(key, segment, STORMS_LENGTH);
        let goes_round = world
            .storm(index)
            .is_some_and(|cell| storm::is_loop(cell, direction, fingerprint, world.now()));
        if goes_round && is_guarded(world, key) {
            return Err(Verdict::Drop(DropReason::AckStorm));
        }
    }
    let no_flow = Verdict::Pass(PassReason::NoFlow);
    let Some(offset) = world.recomputed(key) else {
        return Err(no_flow);
    };
    let layout = options::layout(packet, segment.options_at(), segment.payload_at);
    if is_signed(packet, segment, layout) {
        return Err(no_flow);
    }
    if direction == Direction::Outbound {
        if segment.flags.rst() && segment.flags.ack() && segment.sequence.0 == 0 {
            return Err(Verdict::Pass(PassReason::ClosedPort));
        }
        if !segment.flags.rst() {
            let reason = world.remember_segment(key, &Numbers::of(segment), offset);
            if reason != 0 {
                world.learnt(key, segment.sequence, offset, reason);
            }
        }
    }
    if offset == Offset(0) {
        return Err(no_flow);
    }
    world.count(Counter::KeyedRecomputed, 1);
    Ok(Translation {
        sequence: offset,
        timestamp: Offset(0),
    })
}

/// Whether the policy guards the flow's host, whichever of the two ports is the service's.
#[inline(always)]
fn is_guarded<A: Family, W: Tables<A>>(world: &W, key: &A::Key) -> bool {
    world.mode(key, false).is_some() || world.mode(key, true).is_some()
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
    let translated = match world.known(key) {
        Some((_, record)) => !record.translation().is_none(),
        None if world
            .recomputed(key)
            .is_some_and(|offset| offset != Offset(0)) =>
        {
            world.count(Counter::KeyedRecomputed, 1);
            true
        }
        None => false,
    };
    if translated {
        Verdict::Drop(DropReason::Untranslatable)
    } else {
        Verdict::Pass(PassReason::ShortFragment)
    }
}

/// Writes the wire's numbers, unless they are the host's.
#[inline(always)]
fn send<P: Packet>(packet: &mut P, segment: &Segment, by: Translation) -> Verdict {
    if by.is_none() {
        return Verdict::Pass(PassReason::OffsetZero);
    }
    translated_out(packet, segment, by, |verdict| verdict)
}

#[inline(always)]
fn translated_out<P: Packet, R>(
    packet: &mut P,
    segment: &Segment,
    by: Translation,
    done: impl Fn(Verdict) -> R,
) -> R {
    match translate::outbound(packet, segment, by) {
        Some(()) => done(Verdict::TranslatedOut),
        None => done(Verdict::Drop(DropReason::Untranslatable)),
    }
}

/// The same for a segment of an established connection, where a signature is none that its SYN announced. What it comes to is made of the verdict
/// by `done`, apart for each.
#[inline(always)]
pub(crate) fn send_established<P: Packet, W: World, R>(
    packet: &mut P,
    world: &W,
    segment: &Segment,
    by: Translation,
    done: impl Fn(Verdict) -> R,
) -> R {
    if by.is_none() {
        return done(Verdict::Pass(PassReason::OffsetZero));
    }
    let layout = options::layout(packet, segment.options_at(), segment.payload_at);
    count_signed(packet, world, segment, layout);
    translated_out(packet, segment, by, done)
}

/// Counts a signature that no SYN has announced (S7): the translation breaks it, which must not go
/// unnoticed.
#[inline(always)]
fn count_signed<P: Packet, W: World>(packet: &P, world: &W, segment: &Segment, layout: Layout) {
    if is_signed(packet, segment, layout) {
        world.count(Counter::SignedTranslated, 1);
    }
}

/// Whether TCP-MD5 or TCP-AO signs the segment.
#[inline(always)]
fn is_signed<P: Packet>(packet: &P, segment: &Segment, layout: Layout) -> bool {
    let (start, end) = (segment.options_at(), segment.payload_at);
    layout == Layout::Other && packet.syn_options(start, end).authenticated
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
    match world.known(key) {
        Some((held, record)) => from_peer(packet, world, key, &held, &record, segment),
        None => from_unknown_peer(packet, world, key, segment),
    }
}

/// A segment of the peer, on a flow that has no entry.
#[inline(always)]
fn from_unknown_peer<A: Family, P: Packet, W: Tables<A>>(
    packet: &mut P,
    world: &W,
    key: &A::Key,
    segment: &Segment,
) -> Verdict {
    match unknown(packet, world, key, segment, Direction::Inbound) {
        Ok(by) => receive(packet, world, segment, by, |verdict| verdict),
        Err(verdict) => verdict,
    }
}

/// A segment of the peer, on a flow that is known.
#[inline(always)]
fn from_peer<A: Family, P: Packet, W: Tables<A>>(
    packet: &mut P,
    world: &W,
    key: &A::Key,
    held: &Held<W::Found>,
    record: &Record,
    segment: &Segment,
) -> Verdict {
    if held.place == Place::History && segment.flags.ack() && is_lost(world, record) {
        return Verdict::Drop(DropReason::Untranslatable);
    }
    connection::inbound(&*held.flow, record, segment, world.now());
    complete(world, key, held, segment, Direction::Inbound);
    receive(packet, world, segment, record.translation(), |verdict| {
        verdict
    })
}

/// Writes the host's acknowledgment numbers, if the segment has any. What it comes to is made of the verdict by `done`, as in [`send_established`].
#[inline(always)]
pub(crate) fn receive<P: Packet, W: World, R>(
    packet: &mut P,
    world: &W,
    segment: &Segment,
    by: Translation,
    done: impl Fn(Verdict) -> R,
) -> R {
    if by.is_none() {
        return done(Verdict::Pass(PassReason::OffsetZero));
    }
    // Some stacks leave the acknowledgment of a reset 0: it stands for none.
    let none = segment.flags.rst() && segment.acknowledgment.0 == 0;
    if !segment.flags.ack() || none {
        return done(Verdict::Pass(PassReason::NothingToTranslate));
    }
    let layout = options::layout(packet, segment.options_at(), segment.payload_at);
    count_signed(packet, world, segment, layout);
    match translate::inbound(packet, segment, by, layout) {
        Some(edges) => {
            if edges != 0 {
                world.count(Counter::SackEdgesTranslated, u64::from(edges));
            }
            done(Verdict::TranslatedIn)
        }
        None => done(Verdict::Drop(DropReason::Untranslatable)),
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
    if let Some(held) = world.find(key) {
        connection::peer_syn(&*held.flow, segment, &options, now);
        let record = held.flow.record();
        if world.is_intact(&held.flow) {
            return from_peer(packet, world, key, &held, &record, segment);
        }
    }
    if segment.flags.ack() {
        return from_unknown_peer(packet, world, key, segment);
    }
    let next = segment.sequence.advanced(segment.sequence_length());
    world.await_answer(key, next, options);
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
    let mut syn = Syn::read(segment, options);
    let settled = settle::settle(world, key, &mut syn);
    let by = settled.translation();
    // Spares nearly every SYN a call.
    if sample::is_due(&syn) {
        world.sample(key, segment.sequence, by.sequence, &syn);
    }
    match settled {
        Settled::Pass(reason) => return Verdict::Pass(reason),
        Settled::Drop(reason) => return Verdict::Drop(reason),
        Settled::Known(_) if syn.options.authenticated && !by.is_none() => {
            world.count(Counter::SignedTranslated, 1);
        }
        Settled::Known(_) => {}
        Settled::Rewritten(_) => {
            let wire = segment.sequence.to_wire(by.sequence);
            world.rewrote(key, segment.sequence, wire);
        }
    }
    send(packet, segment, by)
}
