//! Segments of the previous incarnation that arrive after the new SYN: they stay below the new connection's window (S14).

use isn_tests::two_worlds::{
    before::{NEW_PEER, SENT, answered, both_beginnings},
    prelude::*,
};

#[test]
fn late_segments_stay_below_the_new_window() {
    play(
        &all_carriers(),
        &[case("S14: while half-open, and when open (39)", |flow| {
            both_beginnings(flow, |flow, before| {
                // So that the late numbers would lie within the new window.
                let isn = before.host.wrapping_sub(50);
                let wire = flow.rewritten(&host_syn(isn), REWRITTEN);
                let (_, end) = before.at(SENT);
                flow.require(
                    wire.wrapping_sub(end) < 1 << 31,
                    "the old numbers do not lie below the new ones",
                );
                before.late_segments(flow);
                answered(flow, isn, wire);
                before.late_segments(flow);
                let sent = host_data(isn.wrapping_add(1), NEW_PEER + 1, b"").octets(20);
                flow.expect(&sent, &Seq(wire.wrapping_add(1)), NOTHING);
                before.late_segments(flow);
            });
        })],
    );
}

#[test]
fn what_belongs_to_the_living_incarnation() {
    play(
        &both_families(),
        &[
            case(
                "S14: data, retransmissions, and a gap in the window, acknowledged by what is new",
                |flow| {
                    both_beginnings(flow, |flow, before| {
                        let isn = before.host.wrapping_sub(50);
                        let wire = flow.rewritten(&host_syn(isn), REWRITTEN);
                        answered(flow, isn, wire);
                        for (at, octets) in [
                            (1, 1400),
                            (1, 700),
                            (701, 700),
                            (1401, 1),
                            (2500, 100),
                            (1402, 1098),
                        ] {
                            let sent =
                                host_data(isn.wrapping_add(at), NEW_PEER + 1, b"").octets(octets);
                            flow.expect(&sent, &Seq(wire.wrapping_add(at)), NOTHING);
                        }
                        let probe = host_ack(isn, NEW_PEER + 1);
                        flow.expect(&probe, &Seq(wire), NOTHING);
                    });
                },
            ),
            case(
                "S14: what the peer sends, whatever it acknowledges (40)",
                |flow| {
                    both_beginnings(flow, |flow, before| {
                        let wire = flow.rewritten(&host_syn(77), REWRITTEN);
                        let offset = wire.wrapping_sub(77);
                        for (_, old) in [0, 500, 1000].map(|octets| before.at(octets)) {
                            let late =
                                peer_ack(PEER_ISN + 2, old).sack(&[(old, old.wrapping_add(9))]);
                            let host = old.wrapping_sub(offset);
                            let blocks = vec![(host, host.wrapping_add(9))];
                            flow.expect(&late, &Leaves::Ack(host, blocks), NOTHING);
                        }
                    });
                },
            ),
            case(
                "S14: numbers that the incarnation before never used",
                |flow| {
                    both_beginnings(flow, |flow, before| {
                        let wire =
                            flow.rewritten(&host_syn(before.host.wrapping_sub(50)), REWRITTEN);
                        let offset = wire.wrapping_sub(before.host.wrapping_sub(50));
                        for octets in [
                            SENT + 2,
                            1 << 20,
                            1 << 27,
                            1 << 30,
                            0u32.wrapping_sub(1 << 28),
                        ] {
                            let (host, _) = before.at(octets);
                            let sent = host_data(host, PEER_ISN + 1, b"x");
                            flow.expect(&sent, &Seq(host.wrapping_add(offset)), NOTHING);
                        }
                    });
                },
            ),
        ],
    );
}

#[test]
fn a_peer_that_still_holds_the_old_connection() {
    play(
        &both_families(),
        &[
            case(
                "S14: its ACK or FIN, and the host's reset at exactly what it expects (12, 40)",
                |flow| {
                    both_beginnings(flow, |flow, before| {
                        let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                        let offset = wire.wrapping_sub(1000);
                        for octets in [0, 1, 999, 1001] {
                            let (_, expected) = before.at(octets);
                            let host = expected.wrapping_sub(offset);
                            for late in [
                                peer_ack(PEER_ISN + 2, expected),
                                peer_fin(PEER_ISN + 1, expected),
                                peer_data(PEER_ISN + 1, expected, b"late"),
                            ] {
                                flow.expect(&late, &ack(host), NOTHING);
                                flow.expect(&host_rst(host), &Seq(expected), NOTHING);
                            }
                        }
                        // The peer is rid of the old connection: the SYN comes again, and is heard.
                        flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
                        answered(flow, 1000, wire);
                    });
                },
            ),
            case(
                "S14: the same after the host has rebooted into a living connection (11)",
                |flow| {
                    let wire = flow.translated(1000);
                    let offset = wire.wrapping_sub(1000);
                    flow.expect(&host_syn(77), &Seq(77u32.wrapping_add(offset)), LIVE);
                    let expected = wire.wrapping_add(1);
                    flow.expect(&peer_ack(PEER_ISN + 1, expected), &ack(1001), NOTHING);
                    flow.expect(&host_rst(1001), &Seq(expected), NOTHING);
                    let _ = flow.rewritten(&host_syn(77), REWRITTEN);
                },
            ),
        ],
    );
}
