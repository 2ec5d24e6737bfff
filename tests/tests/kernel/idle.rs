//! What keeps a connection open that says nothing: keepalives (RFC 9293 section 3.8.4), window probes (section 3.8.6.1) and
//! silence (S9, S21).

use isn_tests::two_worlds::prelude::*;

const PEER: u32 = PEER_ISN + 1;

#[test]
fn keepalives() {
    play(
        &both_families(),
        &[
            case(
                "S9: a keepalive, with and without its octet of garbage, and its answer (33)",
                |flow| {
                    let (host, wire) = open(flow);
                    let mark = high_water(flow);
                    for octets in [0, 1] {
                        flow.wait(7200);
                        let probe = host_data(host - 1, PEER, b"").octets(octets);
                        flow.expect(&probe, &Seq(wire.wrapping_sub(1)), NOTHING);
                        flow.require(
                            high_water(flow) == mark,
                            "a keepalive moved the high-water mark",
                        );
                        flow.expect(&peer_ack(PEER, wire), &ack(host), NOTHING);
                    }
                },
            ),
            case(
                "S9: the peer's keepalive, and the host's answer, with a D-SACK of the octet of garbage (31, 33)",
                |flow| {
                    let (host, wire) = open(flow);
                    for octets in [0, 1] {
                        flow.wait(7200);
                        let probe = peer_data(PEER - 1, wire, b"").octets(octets);
                        flow.expect(&probe, &ack(host), NOTHING);
                        let answer = host_ack(host, PEER).nops(2).sack(&[(PEER - 1, PEER)]);
                        flow.expect(&answer, &Seq(wire), NOTHING);
                    }
                    flow.expect(&host_syn(1000), &Seq(wire.wrapping_sub(1)), LIVE);
                },
            ),
            case(
                "S9: the peer answers a keepalive's octet of garbage with a D-SACK (31, 33)",
                |flow| {
                    let (host, wire) = open(flow);
                    let probe = host_data(host - 1, PEER, b"").octets(1);
                    flow.expect(&probe, &Seq(wire.wrapping_sub(1)), NOTHING);
                    let answer = peer_ack(PEER, wire)
                        .nops(2)
                        .sack(&[(wire.wrapping_sub(1), wire)]);
                    flow.expect(&answer, &Leaves::Ack(host, vec![(host - 1, host)]), NOTHING);
                },
            ),
        ],
    );
}

#[test]
fn window_probes() {
    play(
        &both_families(),
        &[
            case(
                "S9: window probes at a window of 0, for hours, then an update (34)",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.expect(&peer_ack(PEER, wire).window(0), &ack(host), NOTHING);
                    for _ in 0..5 {
                        flow.wait(3600);
                        let linux = host_ack(host - 1, PEER);
                        flow.expect(&linux, &Seq(wire.wrapping_sub(1)), NOTHING);
                        flow.expect(&host_data(host, PEER, b"p"), &Seq(wire), NOTHING);
                        flow.expect(&peer_ack(PEER, wire).window(0), &ack(host), NOTHING);
                    }
                    flow.expect(&peer_ack(PEER, wire).window(500), &ack(host), NOTHING);
                    let sent = host_data(host, PEER, b"").octets(500);
                    flow.expect(&sent, &Seq(wire), NOTHING);
                },
            ),
            case(
                "S21: the octet of a window probe counts, although it lies beyond the right edge (34)",
                |flow| {
                    let (host, wire) = full_window(flow);
                    flow.expect(&host_data(host, PEER, b"p"), &Seq(wire), NOTHING);
                    flow.require(
                        high_water(flow) == wire.wrapping_add(1),
                        "the probe's octet was not counted",
                    );
                    // The peer has taken it, and still has no room.
                    let taken = peer_ack(PEER, wire.wrapping_add(1)).window(0);
                    flow.expect(&taken, &ack(host + 1), NOTHING);
                    flow.expect(
                        &host_data(host + 1, PEER, b"q"),
                        &Seq(wire.wrapping_add(1)),
                        NOTHING,
                    );
                    flow.require(
                        high_water(flow) == wire.wrapping_add(2),
                        "the next probe's octet was not counted",
                    );
                },
            ),
            case("S21: a FIN behind a full window counts as well", |flow| {
                let (host, wire) = full_window(flow);
                flow.expect(&host_fin(host, PEER), &Seq(wire), NOTHING);
                flow.require(
                    high_water(flow) == wire.wrapping_add(1),
                    "the FIN was not counted",
                );
            }),
            case(
                "S9: the peer probes the host's window of 0, in both ways, and hears of room (34)",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.expect(&host_ack(host, PEER).window(0), &Seq(wire), NOTHING);
                    for _ in 0..5 {
                        flow.wait(3600);
                        flow.expect(&peer_ack(PEER - 1, wire), &ack(host), NOTHING);
                        flow.expect(&host_ack(host, PEER).window(0), &Seq(wire), NOTHING);
                        flow.expect(&peer_data(PEER, wire, b"p"), &ack(host), NOTHING);
                        flow.expect(&host_ack(host, PEER).window(0), &Seq(wire), NOTHING);
                    }
                    flow.expect(&host_ack(host, PEER).window(500), &Seq(wire), NOTHING);
                },
            ),
        ],
    );
}

#[test]
fn silence() {
    play(
        &both_families(),
        &[
            case("S9: the connection sits idle for a day (44)", |flow| {
                let (host, wire) = open(flow);
                flow.wait(90_000);
                flow.expect(&host_data(host, PEER, b"still"), &Seq(wire), NOTHING);
                flow.wait(1_000_000);
                let answer = peer_ack(PEER, wire.wrapping_add(5));
                flow.expect(&answer, &ack(host + 5), NOTHING);
            }),
            case(
                "S16: a SYN after a day of silence finds the translated connection open (44)",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.wait(90_000);
                    flow.expect(&host_syn(77), &Seq(wire.wrapping_sub(host - 77)), LIVE);
                    flow.expect(&peer_ack(PEER, wire), &ack(host), NOTHING);
                },
            ),
        ],
    );
}

fn open(flow: &mut Flow<'_>) -> (u32, u32) {
    let wire = flow.translated(1000);
    (1001, wire.wrapping_add(1))
}

/// The host has sent all that the peer's window of 100 takes; its next number and that on the wire.
fn full_window(flow: &mut Flow<'_>) -> (u32, u32) {
    flow.closed_connection(5_000_000, 5_065_535);
    let wire = flow.rewritten(&host_syn(1000), REWRITTEN).wrapping_add(1);
    let answer = peer_syn_ack(PEER_ISN, wire).window(100);
    flow.expect(&answer, &ack(1001), NOTHING);
    let sent = host_data(1001, PEER, b"").octets(100);
    flow.expect(&sent, &Seq(wire), NOTHING);
    (1101, wire.wrapping_add(100))
}

fn high_water(flow: &Flow<'_>) -> u32 {
    flow.translated_record().map_or_else(
        || flow.fail("no translated flow"),
        |record| record.high_water().0,
    )
}
