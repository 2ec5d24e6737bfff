//! Random conversations, plausible and damaged, through memory, XDP and TC: all three must agree on every octet, counter and
//! record, and the oracle watches every packet (S9 to S11).
//!
//! `ISN_TEST_SEED` repeats the episode that a failure names; `ISN_TEST_SECONDS` says how long to go on.

use std::{
    env,
    time::{Duration, Instant},
};

use fastrand::Rng;
use isn_tests::{
    packet_builder::{
        carrier::{DOT1AD, DOT1Q},
        extension::{DESTINATION, Extension},
    },
    two_worlds::prelude::*,
};

const SECONDS: u64 = 15;
const PACKETS: usize = 80;

/// What the two ends of a flow would say next.
#[derive(Clone)]
struct Ends {
    carrier: Carrier,
    /// The host's next number, as the host says it.
    host: u32,
    /// The same on the wire.
    wire: u32,
    /// The peer's next number.
    peer: u32,
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

#[test]
fn random_conversations_are_the_same_in_all_worlds() {
    let mut worlds = Worlds::load(Room {
        translated: 6,
        history: 8192,
    })
    .expect("the kernel takes the programs");
    if let Some(seed) = number("ISN_TEST_SEED") {
        return episode(&mut worlds, seed);
    }
    let end = Instant::now() + Duration::from_secs(number("ISN_TEST_SECONDS").unwrap_or(SECONDS));
    let mut seeds = Rng::new();
    let mut episodes = 0;
    while Instant::now() < end {
        episode(&mut worlds, seeds.u64(..));
        episodes += 1;
    }
    println!("{episodes} episodes of {PACKETS} packets");
}

fn episode(worlds: &mut Worlds, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let flows = carriers().into_iter().map(|carrier| {
        let near = |rng: &mut Rng| rng.choice(EDGES).unwrap_or(0).wrapping_sub(rng.u32(..3000));
        let host = if rng.bool() {
            rng.u32(..)
        } else {
            near(&mut rng)
        };
        Ends {
            carrier,
            host,
            wire: host,
            peer: if rng.bool() {
                rng.u32(..)
            } else {
                near(&mut rng)
            },
        }
    });
    let mut flows: Vec<Ends> = flows.collect();
    let outcome = one_case(worlds, Carrier::v4(), |flow| {
        for _ in 0..PACKETS {
            let index = rng.usize(..flows.len());
            step(flow, &mut flows[index], &mut rng);
        }
    });
    if let Err(report) = outcome {
        panic!("ISN_TEST_SEED={seed} repeats this:\n{report}");
    }
}

fn carriers() -> Vec<Carrier> {
    let mut stripped = Carrier::v4().from_port(3);
    stripped.stripped = Some(7);
    vec![
        Carrier::v4(),
        Carrier::v4().from_port(2).ip_options(&[1; 12]),
        stripped,
        Carrier::v6(),
        Carrier::v6()
            .from_port(2)
            .extension(Extension::padded(DESTINATION, 1)),
        Carrier::v6().tagged(DOT1AD, 9).tagged(DOT1Q, 8),
        Carrier::v4()
            .tagged(DOT1Q, 0)
            .from_port(4)
            .trailer(&[0xee; 5]),
    ]
}

fn step(flow: &mut Flow<'_>, ends: &mut Ends, rng: &mut Rng) {
    match rng.u8(..60) {
        0 => flow.wait(rng.choice([1, 60, 239, 241, 5000]).unwrap_or(1)),
        1 => flow.settings(|settings| settings.draining = rng.u32(..2)),
        2 => flow.settings(|settings| settings.on_full = rng.u32(..2)),
        3 => flow.policy(&everywhere(Mode::Observe)),
        4..=6 => flow.policy(&everywhere(Mode::Monotonic)),
        7 => flow.policy(&policy(&[])),
        8..=12 => return converse(flow, ends, rng),
        _ => {}
    }
    flow.carrier = ends.carrier.clone();
    let tcp = options(
        if rng.bool() {
            from_host(ends, rng)
        } else {
            from_peer(ends, rng)
        },
        ends,
        rng,
    );
    let (direction, mut frame) = match rng.u8(..8) {
        0 => error(flow, ends, &tcp, rng),
        1 => fragment(flow, &tcp, rng),
        _ => (tcp.direction, flow.frame(&tcp)),
    };
    let damaged = rng.u8(..12) == 0;
    if damaged {
        damage(&mut frame.octets, rng);
    }
    if damaged || frame != flow.frame(&tcp) {
        flow.offer_frame(direction, &frame);
        return;
    }
    let stepped = flow.offer_frame(tcp.direction, &frame);
    follow(flow, ends, &tcp, &stepped);
}

/// An ICMP message about a segment of the other end, as that left: mostly an error, mostly of the flow's number.
fn error(flow: &Flow<'_>, ends: &Ends, about: &Tcp, rng: &mut Rng) -> (Direction, Frame) {
    let mut shown = about.clone();
    let direction = match about.direction {
        Outbound => {
            let offset = ends.wire.wrapping_sub(ends.host);
            shown.sequence = shown.sequence.wrapping_add(offset);
            Inbound
        }
        Inbound => Outbound,
    };
    let octets = match rng.u8(..4) {
        0 => rng.usize(..20),
        1 | 2 => rng.usize(20..70),
        _ => usize::MAX,
    };
    let kind = if flow.carrier.key4().is_some() {
        rng.choice([3, 3, 4, 5, 11, 12, 8])
    } else {
        rng.choice([1, 2, 2, 3, 4, 128, 135])
    }
    .unwrap_or(3);
    let mut message = Icmp::new(direction, kind, flow.carrier.quote(&shown, octets));
    if rng.u8(..4) == 0 {
        message = message.rest([rng.u8(..40), rng.u8(..40), 0, 0]);
    }
    if rng.u8(..4) == 0 {
        message = message.bad_checksum(rng.u16(..));
    }
    (direction, framed(flow, flow.carrier.icmp_frame(&message)))
}

/// The first fragment of a segment, with or without its whole header, or a later one.
fn fragment(flow: &Flow<'_>, tcp: &Tcp, rng: &mut Rng) -> (Direction, Frame) {
    let octets = if rng.u8(..4) == 0 {
        flow.carrier.last_fragment(tcp, 8 * rng.usize(1..=2))
    } else {
        flow.carrier.first_fragment(tcp, 8 * rng.usize(1..=8))
    };
    (tcp.direction, framed(flow, octets))
}

fn framed(flow: &Flow<'_>, octets: Vec<u8>) -> Frame {
    Frame {
        octets,
        stripped_tag: flow.carrier.stripped,
    }
}

/// A handshake, data both ways, and mostly an end: so that episodes get beyond half-open flows.
fn converse(flow: &mut Flow<'_>, ends: &mut Ends, rng: &mut Rng) {
    flow.carrier = ends.carrier.clone();
    let mut say = |ends: &mut Ends, tcp: Tcp| {
        let stepped = flow.offer(&tcp);
        follow(flow, ends, &tcp, &stepped);
    };
    if rng.bool() {
        ends.host = rng.u32(..);
    }
    say(ends, host_syn(ends.host).window_scale(rng.u8(..16)));
    say(
        ends,
        peer_syn_ack(ends.peer, ends.wire).window_scale(rng.u8(..16)),
    );
    say(ends, host_ack(ends.host, ends.peer));
    for _ in 0..rng.usize(..4) {
        say(
            ends,
            host_data(ends.host, ends.peer, b"").octets(rng.usize(..1460)),
        );
        say(
            ends,
            peer_data(ends.peer, ends.wire, b"").octets(rng.usize(..1460)),
        );
    }
    match rng.u8(..4) {
        0 => say(ends, host_rst(ends.host)),
        1 => say(ends, peer_rst(ends.peer)),
        2 => {
            say(ends, host_fin(ends.host, ends.peer));
            say(ends, peer_fin(ends.peer, ends.wire));
            say(ends, host_ack(ends.host, ends.peer));
        }
        _ => {}
    }
}

/// Moves the ends on as the segment does, where it is the next one.
fn follow(flow: &Flow<'_>, ends: &mut Ends, tcp: &Tcp, stepped: &Stepped) {
    let occupied = u32::from(tcp.flags & SYN != 0) + u32::from(tcp.flags & FIN != 0);
    let length = u32::try_from(tcp.payload.len()).unwrap_or(0) + occupied;
    if tcp.direction == Outbound
        && !matches!(stepped.verdict, Verdict::Drop(_))
        && tcp.flags & RST == 0
    {
        ends.host = tcp.sequence.wrapping_add(length);
        ends.wire = flow.sequence_in(&stepped.frame).wrapping_add(length);
    } else if tcp.direction == Inbound && tcp.flags & RST == 0 && tcp.sequence == ends.peer {
        ends.peer = ends.peer.wrapping_add(length);
    }
}

fn flags(rng: &mut Rng) -> u8 {
    match rng.u8(..16) {
        0..=2 => SYN,
        3 | 4 => SYN | ACK,
        5..=8 => ACK,
        9 | 10 => ACK | PSH,
        11 => FIN | ACK,
        12 => RST,
        13 => RST | ACK,
        _ => rng.u8(..),
    }
}

/// Mostly `at`, or near it, seldom anything.
fn around(at: u32, rng: &mut Rng) -> u32 {
    match rng.u8(..10) {
        0 => rng.u32(..),
        1 => rng.choice(EDGES).unwrap_or(0),
        2 => at.wrapping_add(rng.u32(..1 << 20)),
        3 => at.wrapping_sub(rng.u32(..1 << 20)),
        4 => at.wrapping_sub(1),
        _ => at,
    }
}

fn from_host(ends: &Ends, rng: &mut Rng) -> Tcp {
    let tcp = segment(
        Outbound,
        flags(rng),
        around(ends.host, rng),
        around(ends.peer, rng),
    );
    tcp.octets(if rng.bool() { rng.usize(..1400) } else { 0 })
        .window(rng.u16(..))
}

fn from_peer(ends: &Ends, rng: &mut Rng) -> Tcp {
    let tcp = segment(
        Inbound,
        flags(rng),
        around(ends.peer, rng),
        around(ends.wire, rng),
    );
    tcp.octets(if rng.bool() { rng.usize(..1400) } else { 0 })
        .window(rng.u16(..))
}

fn options(mut tcp: Tcp, ends: &Ends, rng: &mut Rng) -> Tcp {
    for _ in 0..rng.usize(..4) {
        let next = Tcp {
            options: Vec::new(),
            ..tcp.clone()
        };
        let blocks: Vec<_> = (0..rng.usize(1..5))
            .map(|_| (around(ends.wire, rng), rng.u32(..)))
            .collect();
        let next = match rng.u8(..9) {
            0..=2 => next.nops(rng.usize(1..5)),
            3 | 4 => next.sack(&blocks),
            5 => next.timestamps(rng.u32(..), rng.u32(..)),
            6 => next.window_scale(rng.u8(..)),
            7 => next.raw_options(&[19, 18]).raw_options(&[3; 16]),
            _ => next.raw_options(&[rng.u8(..), rng.u8(..)]),
        };
        if tcp.options.len() + next.options.len() <= 40 {
            tcp.options.extend(next.options);
        }
    }
    tcp
}

fn damage(octets: &mut Vec<u8>, rng: &mut Rng) {
    match rng.u8(..4) {
        0 => octets.truncate(rng.usize(14..octets.len())),
        1 => octets.extend((0..rng.usize(..40)).map(|_| 0x5a)),
        _ => {
            for _ in 0..rng.usize(1..4) {
                // Headers, not addresses alone nor data.
                let at = rng.usize(12..octets.len().min(110));
                octets[at] = if rng.bool() {
                    rng.u8(..)
                } else {
                    octets[at] ^ 1 << rng.u8(..8)
                };
            }
        }
    }
}
