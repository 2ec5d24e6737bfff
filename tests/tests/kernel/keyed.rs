//! Keyed mode: how connections open (S3; RFC 6528). The offsets are computed here, by another SipHash than the data plane's.

use isn_tests::two_worlds::{keyed::*, prelude::*};

#[test]
fn a_whole_connection_over_every_carrier() {
    play(
        &all_carriers(),
        &[
            case(
                "S3: the host opens: every number moves by F, in which the VLAN has no part",
                |flow| {
                    let f = flow.keyed();
                    flow.keyed_connection(1000);
                    lies_in(flow, "history");
                    let wire = f.wrapping_add(1001);
                    flow.moved_by(f, &host_data(1001, PEER_ISN + 1, b"hello"), NOTHING);
                    let received = peer_ack(PEER_ISN + 1, wire).nops(1).sack(&blocks(wire, 2));
                    flow.expect(&received, &Leaves::Ack(1001, blocks(1001, 2)), NOTHING);
                    let answer = peer_data(PEER_ISN + 1, wire.wrapping_add(5), b"world");
                    flow.moved_by(f, &answer, NOTHING);
                    flow.moved_by(f, &host_fin(1006, PEER_ISN + 6), NOTHING);
                    flow.moved_by(f, &peer_fin(PEER_ISN + 6, wire.wrapping_add(6)), NOTHING);
                },
            ),
            case("S3: the peer opens: the SYN-ACK moves by F", |flow| {
                let f = flow.keyed();
                flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, AWAITED);
                flow.moved_by(f, &host_syn_ack(1000, PEER_ISN + 1), SYN_KEYED);
                let wire = f.wrapping_add(1001);
                flow.moved_by(f, &peer_ack(PEER_ISN + 1, wire), NOTHING);
                lies_in(flow, "history");
                flow.moved_by(f, &peer_data(PEER_ISN + 1, wire, b"x"), NOTHING);
            }),
        ],
    );
}

/// An ISN whose candidate lies below the high-water mark of [`Flow::closed_keyed_connection`] at 5,000,000.
fn regressing(flow: &Flow<'_>) -> u32 {
    4_999_000u32.wrapping_sub(flow.f())
}

/// A SYN with that ISN, which leaves beyond the right edge; the ISN, and that on the wire.
fn moved_ahead(flow: &mut Flow<'_>) -> (u32, u32) {
    let isn = regressing(flow);
    let wire = flow.rewritten(&host_syn(isn), REWRITTEN);
    beyond(flow, wire, 5_000_000, 5_065_535);
    (isn, wire)
}

#[test]
fn the_candidate_is_held_against_what_was_before() {
    play(
        &both_families(),
        &[
            case(
                "S2, S3: safe is host ISN + F from the right edge + 1 to the high-water mark + 2^31 - 1",
                |flow| {
                    let _ = flow.keyed();
                    for (port, high_water) in (2000..).zip(EDGES) {
                        let at = |ahead: u32| high_water.wrapping_add(ahead);
                        for (index, ahead) in (0..).zip([65_536, 0x7fff_ffff]) {
                            flow.carrier = flow.carrier.clone().from_port(port + 100 * index);
                            flow.closed_keyed_connection(high_water);
                            let f = flow.f();
                            flow.moved_by(f, &host_syn(at(ahead).wrapping_sub(f)), SYN_KEYED);
                            lies_in(flow, "history");
                        }
                        let unsafe_ones = [0, 65_535, 0x8000_0000, 0x8000_0001, u32::MAX];
                        for (index, ahead) in (0..).zip(unsafe_ones) {
                            flow.carrier =
                                flow.carrier.clone().from_port(port + 10_000 + 100 * index);
                            flow.closed_keyed_connection(high_water);
                            let isn = at(ahead).wrapping_sub(flow.f());
                            let wire = flow.rewritten(&host_syn(isn), REWRITTEN);
                            beyond(flow, wire, high_water, at(65_535));
                        }
                    }
                },
            ),
            case(
                "S2, S3: what was moved ahead is known by its entry alone, and nothing evicts that",
                |flow| {
                    let f = flow.keyed();
                    flow.closed_keyed_connection(5_000_000);
                    let (isn, wire) = moved_ahead(flow);
                    let (host, next) = (isn.wrapping_add(1), wire.wrapping_add(1));
                    flow.keyed_handshake(isn, wire.wrapping_sub(isn));
                    lies_in(flow, "translated");
                    flow.lose_memory();
                    flow.expect(&host_data(host, PEER_ISN + 1, b"x"), &Seq(next), NOTHING);
                    flow.expect(&peer_ack(PEER_ISN + 1, next), &ack(host), NOTHING);
                    let end = host_rst(host.wrapping_add(1));
                    flow.expect(&end, &Seq(next.wrapping_add(1)), NOTHING);
                    // The next one has F again, if that is safe, and keeps its place.
                    let safe = next.wrapping_add(100_000).wrapping_sub(f);
                    flow.moved_by(f, &host_syn(safe), SYN_KEYED);
                    lies_in(flow, "translated");
                },
            ),
            case(
                "S13, S17: a handshake that was moved ahead, overwritten: dropped until its SYN comes again",
                |flow| {
                    let _ = flow.keyed();
                    flow.closed_keyed_connection(5_000_000);
                    let (isn, wire) = moved_ahead(flow);
                    let mut left = flow.worlds.state().clone();
                    left.half_open_v4.clear();
                    left.half_open_v6.clear();
                    flow.worlds.put(left).expect("the maps can be written");
                    let dropped = Leaves::Dropped(DropReason::Untranslatable);
                    let answer = peer_syn_ack(PEER_ISN, wire.wrapping_add(1));
                    flow.expect(&answer, &dropped, NOTHING);
                    let end = host_ack(isn.wrapping_add(1), PEER_ISN + 1);
                    flow.expect(&end, &dropped, NOTHING);
                    let (_, again) = moved_ahead(flow);
                    flow.require(again == wire, format!("wire ISN {again}, before {wire}"));
                    flow.keyed_handshake(isn, wire.wrapping_sub(isn));
                },
            ),
            case(
                "S14: late segments of the connection before keep its F",
                |flow| {
                    let f = flow.keyed();
                    flow.closed_keyed_connection(5_000_000);
                    let _ = moved_ahead(flow);
                    let late = 5_000_000u32.wrapping_sub(f).wrapping_sub(500);
                    let events = &[(Counter::PreviousIncarnation, 1)];
                    flow.moved_by(f, &host_data(late, PEER_ISN + 1, b"late"), events);
                },
            ),
            case(
                "S8: a flow of the history that was forgotten begins with F again",
                |flow| {
                    let f = flow.keyed();
                    flow.closed_keyed_connection(5_000_000);
                    flow.wait(241);
                    flow.moved_by(f, &host_syn(1000), SYN_KEYED);
                },
            ),
        ],
    );
}

#[test]
fn a_syn_that_comes_again() {
    const RESENT: &Events = REWRITTEN;
    play(
        &both_families(),
        &[
            case(
                "S3, S5: the same SYN leaves as before, known or not (4)",
                |flow| {
                    let f = flow.keyed();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    flow.moved_by(f, &host_syn(1000), RETRANSMIT);
                    flow.lose();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    flow.keyed_handshake(1000, f);
                },
            ),
            case(
                "S3, S5: another ISN leaves with the wire ISN of the first, and only its entry knows it (6)",
                |flow| {
                    let f = flow.keyed();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    let wire = f.wrapping_add(1000);
                    flow.expect(&host_syn(7), &Seq(wire), RESENT);
                    flow.expect(&host_syn(7), &Seq(wire), RETRANSMIT);
                    flow.keyed_handshake(7, wire.wrapping_sub(7));
                    lies_in(flow, "translated");
                },
            ),
            case(
                "S3, S5: an ISN that has F of the first wire ISN again is no exception any more",
                |flow| {
                    let f = flow.keyed();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    let wire = f.wrapping_add(1000);
                    flow.expect(&host_syn(7), &Seq(wire), RESENT);
                    flow.expect(&host_syn(1000), &Seq(wire), RESENT);
                    flow.keyed_handshake(1000, f);
                    lies_in(flow, "history");
                },
            ),
            case(
                "S3, S6: a SYN on an open flow leaves with its F (10, 11)",
                |flow| {
                    let f = flow.keyed();
                    flow.keyed_connection(1000);
                    for isn in [1000, 7, 0x9000_0000] {
                        flow.moved_by(f, &host_syn(isn), LIVE);
                    }
                    flow.wait(10_000);
                    flow.moved_by(f, &host_syn(7), LIVE);
                },
            ),
        ],
    );
}

/// One that is signed, with TCP-AO.
fn signed(tcp: Tcp) -> Tcp {
    tcp.raw_options(&[&[29, 16, 1, 2], &[7; 12][..]].concat())
}

const FIRST_SIGNED: &Events = &[
    (Counter::SynSeen, 1),
    (Counter::BypassTcpAuth, 1),
    (Counter::HalfOpenInserted, 1),
];
const ONE_WAY: &Events = &[(Counter::SynSeen, 1), (Counter::BypassOneWay, 1)];
const FIRST_DRAINING: &Events = &[
    (Counter::SynSeen, 1),
    (Counter::SynWouldRewrite, 1),
    (Counter::HalfOpenInserted, 1),
];

/// The handshake of a SYN that left as it came.
fn plain_handshake(flow: &mut Flow<'_>, isn: u32) {
    let next = isn.wrapping_add(1);
    flow.expect(&peer_syn_ack(PEER_ISN, next), &AS_IT_CAME, NOTHING);
    flow.expect(&host_ack(next, PEER_ISN + 1), &AS_IT_CAME, NOTHING);
}

#[test]
fn what_gets_no_offset() {
    play(
        &both_families(),
        &[
            case(
                "S3, S7: a signed connection, whose segments say so themselves (15)",
                |flow| {
                    let _ = flow.keyed();
                    flow.expect(&signed(host_syn(1000)), &AS_IT_CAME, FIRST_SIGNED);
                    let answer = signed(peer_syn_ack(PEER_ISN, 1001));
                    flow.expect(&answer, &AS_IT_CAME, NOTHING);
                    let end = signed(host_ack(1001, PEER_ISN + 1));
                    flow.expect(&end, &AS_IT_CAME, NOTHING);
                    lies_in(flow, "history");
                    flow.lose();
                    flow.expect(&end, &NOT_FOLLOWED, NOTHING);
                    let data = signed(peer_data(PEER_ISN + 1, 1001, b"x"));
                    flow.expect(&data, &NOT_FOLLOWED, NOTHING);
                },
            ),
            case(
                "S3, S7: a SYN-ACK that answers a signed SYN, and a signed SYN that regresses (15)",
                |flow| {
                    let _ = flow.keyed();
                    flow.expect(&signed(peer_syn(PEER_ISN)), &NOT_FOLLOWED, AWAITED);
                    flow.expect(&host_syn_ack(1000, PEER_ISN + 1), &AS_IT_CAME, SIGNED);
                    flow.carrier = flow.carrier.clone().from_port(6000);
                    flow.closed_keyed_connection(5_000_000);
                    flow.expect(&signed(host_syn(1000)), &AS_IT_CAME, SIGNED);
                },
            ),
            case(
                "S3, S7: a candidate that is unsafe after a connection seen one way (18)",
                |flow| {
                    let f = flow.keyed();
                    let isn = 5_000_000u32.wrapping_sub(f);
                    flow.moved_by(f, &host_syn(isn), FIRST_KEYED);
                    let next = isn.wrapping_add(1);
                    flow.moved_by(f, &host_ack(next, PEER_ISN + 1), NOTHING);
                    flow.moved_by(f, &host_fin(next, PEER_ISN + 1), NOTHING);
                    let unsafe_one = isn.wrapping_sub(1);
                    flow.expect(&host_syn(unsafe_one), &AS_IT_CAME, ONE_WAY);
                    plain_handshake(flow, unsafe_one);
                    // Nothing but its entry says that it has no offset.
                    lies_in(flow, "translated");
                },
            ),
            case(
                "S3, S20: while draining, a SYN leaves as it came, and its entry must say so",
                |flow| {
                    let f = flow.keyed();
                    flow.closed_keyed_connection(5_000_000);
                    flow.settings(|settings| settings.draining = 1);
                    let safe = 5_100_000u32.wrapping_sub(f);
                    flow.expect(&host_syn(safe), &AS_IT_CAME, DRAINING);
                    plain_handshake(flow, safe);
                    lies_in(flow, "translated");
                    flow.carrier = flow.carrier.clone().from_port(6000);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_DRAINING);
                    flow.expect(&host_syn(7), &AS_IT_CAME, DRAINING);
                    plain_handshake(flow, 7);
                    lies_in(flow, "translated");
                    flow.carrier = flow.carrier.clone().from_port(6001);
                    flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, AWAITED);
                    flow.expect(&host_syn_ack(1000, PEER_ISN + 1), &AS_IT_CAME, DRAINING);
                },
            ),
            case(
                "S5, S20: a half-open connection that has F keeps its wire ISN while draining",
                |flow| {
                    let f = flow.keyed();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    flow.settings(|settings| settings.draining = 1);
                    flow.expect(&host_syn(7), &Seq(f.wrapping_add(1000)), REWRITTEN);
                },
            ),
        ],
    );
}

const NO_SHARE: &Events = &[
    (Counter::SynSeen, 1),
    (Counter::SynKeyed, 1),
    (Counter::MemoryShareExceeded, 1),
    (Counter::HalfOpenInserted, 0),
];

/// Fills the table of translated flows with open connections on ports 1 to 4, then port 5 has a connection that is over.
fn fill(flow: &mut Flow<'_>) {
    let _ = flow.keyed();
    for port in 1..=4 {
        flow.carrier = flow.carrier.clone().from_port(port);
        flow.closed_keyed_connection(5_000_000);
        let (isn, wire) = moved_ahead(flow);
        flow.keyed_handshake(isn, wire.wrapping_sub(isn));
        lies_in(flow, "translated");
    }
    flow.carrier = flow.carrier.clone().from_port(5);
    flow.closed_keyed_connection(5_000_000);
}

#[test]
fn no_room() {
    let room = Room {
        translated: 4,
        half_open: 8192,
        history: 8192,
    };
    play_with(
        room,
        &both_families(),
        &[
            case(
                "S3, S18: on_full = pass: what needs an offset of its own gets F (46)",
                |flow| {
                    fill(flow);
                    let f = flow.f();
                    let isn = regressing(flow);
                    flow.moved_by(f, &host_syn(isn), FULL);
                    flow.keyed_handshake(isn, f);
                    lies_in(flow, "history");
                    flow.carrier = flow.carrier.clone().from_port(6);
                    let f = flow.f();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    flow.moved_by(f, &host_syn(7), FULL);
                    flow.keyed_handshake(7, f);
                },
            ),
            case(
                "S3, S18: on_full = drop: it is dropped; what has F needs no room (46)",
                |flow| {
                    flow.settings(|settings| settings.on_full = 1);
                    fill(flow);
                    let dropped = Leaves::Dropped(DropReason::TableFull);
                    flow.expect(&host_syn(regressing(flow)), &dropped, FULL);
                    let f = flow.f();
                    let safe = 5_100_000u32.wrapping_sub(f);
                    flow.moved_by(f, &host_syn(safe), SYN_KEYED);
                    flow.carrier = flow.carrier.clone().from_port(6);
                    flow.keyed_connection(1000);
                },
            ),
            case(
                "S3, S17: a first SYN beyond its host's share leaves with F and is not remembered",
                |flow| {
                    let _ = flow.keyed();
                    flow.settings(|settings| settings.limits.half_open_share = 1);
                    flow.moved_by(flow.f(), &host_syn(1000), FIRST_KEYED);
                    flow.carrier = flow.carrier.clone().from_port(6);
                    let f = flow.f();
                    flow.moved_by(f, &host_syn(1000), NO_SHARE);
                    lies_in(flow, "none");
                    let answer = peer_syn_ack(PEER_ISN, f.wrapping_add(1001));
                    flow.moved_by(f, &answer, RECOMPUTED);
                    flow.moved_by(f, &host_ack(1001, PEER_ISN + 1), REMEMBERED);
                },
            ),
        ],
    );
}
