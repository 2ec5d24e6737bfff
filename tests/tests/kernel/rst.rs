//! Resets: what in them is a number, and what only looks like one (S9; RFC 9293 section 3.10.7.1).

use isn_tests::two_worlds::prelude::*;

const CLOSED_PORT: Leaves = Leaves::Unchanged(PassReason::ClosedPort);

#[test]
fn resets_of_the_peer() {
    play(
        &all_carriers(),
        &[
            case(
                "S9: the peer's port is closed: RST|ACK, seq 0 stays 0 (19)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.expect(&peer_rst_ack(0, wire.wrapping_add(1)), &ack(1001), NOTHING);
                },
            ),
            case(
                "S9: RST|ACK with ack 0 from the peer stays 0 (22)",
                |flow| {
                    let _ = flow.translated(1000);
                    flow.expect(&peer_rst_ack(PEER_ISN + 1, 0), &NOTHING_IN_IT, NOTHING);
                },
            ),
            case(
                "S9: RST without ACK: whatever stands in the ack field stays (21)",
                |flow| {
                    let wire = flow.translated(1000);
                    for garbage in [0, 1, 0xdead_beef, wire] {
                        flow.expect(
                            &peer_rst(PEER_ISN + 1).acknowledging(garbage),
                            &NOTHING_IN_IT,
                            NOTHING,
                        );
                        let sent = host_rst(1001).acknowledging(garbage);
                        flow.expect(&sent, &Seq(wire.wrapping_add(1)), NOTHING);
                    }
                },
            ),
            case("S9: a reset that carries text (24)", |flow| {
                let wire = flow.translated(1000).wrapping_add(1);
                let text = b"connection reset by operator";
                flow.expect(
                    &peer_rst_ack(PEER_ISN + 1, wire).payload(text),
                    &ack(1001),
                    NOTHING,
                );
                flow.expect(
                    &host_rst_ack(1001, PEER_ISN + 1).payload(text),
                    &Seq(wire),
                    NOTHING,
                );
            }),
        ],
    );
}

#[test]
fn resets_of_the_host() {
    play(
        &both_families(),
        &[
            case(
                "S9: closed port: RST|ACK, seq 0 stays 0 on a flow that ended with an offset (20)",
                |flow| {
                    let wire = flow.translated(1000);
                    flow.expect(&host_rst(1001), &Seq(wire.wrapping_add(1)), NOTHING);
                    flow.expect(&peer_syn(PEER_ISN + 5), &NOTHING_IN_IT, NOTHING);
                    flow.expect(&host_rst_ack(0, PEER_ISN + 6), &CLOSED_PORT, NOTHING);
                },
            ),
            case(
                "S9: closed port: the peer's SYN finds a host that has rebooted (20)",
                |flow| {
                    for (port, isn) in
                        (6000..).zip([1000, 5, 0x7fff_0000, 0x8000_0000, 0xffff_0000])
                    {
                        flow.carrier = flow.carrier.clone().from_port(port);
                        let _ = flow.translated(isn);
                        flow.expect(&peer_syn(PEER_ISN + 5), &NOTHING_IN_IT, NOTHING);
                        flow.expect(&host_rst_ack(0, PEER_ISN + 6), &CLOSED_PORT, NOTHING);
                    }
                },
            ),
            case(
                "S9: closed port: the same where the host's numbers had come near 0 (20)",
                |flow| {
                    for (port, isn) in (6000..).zip([0, 1, u32::MAX - 1]) {
                        flow.carrier = flow.carrier.clone().from_port(port);
                        let _ = flow.translated(isn);
                        flow.expect(&peer_syn(PEER_ISN + 5), &NOTHING_IN_IT, NOTHING);
                        flow.expect(&host_rst_ack(0, PEER_ISN + 6), &CLOSED_PORT, NOTHING);
                    }
                },
            ),
            case(
                "S9: a reset with the number 0 that is the host's own is translated, also behind a SYN of the peer",
                |flow| {
                    for (port, crossed) in [(6000, false), (6001, true)] {
                        flow.carrier = flow.carrier.clone().from_port(port);
                        let wire = flow.translated(u32::MAX);
                        if crossed {
                            flow.expect(&peer_syn(PEER_ISN + 5), &NOTHING_IN_IT, NOTHING);
                        }
                        flow.expect(
                            &host_rst_ack(0, PEER_ISN + 1),
                            &Seq(wire.wrapping_add(1)),
                            NOTHING,
                        );
                    }
                },
            ),
            case(
                "S9: an in-window reset of the host, a challenge, and the exact one (25)",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    flow.expect(
                        &host_data(1001, PEER_ISN + 1, b"").octets(100),
                        &Seq(wire),
                        NOTHING,
                    );
                    flow.expect(&host_rst(1001 + 50), &Seq(wire.wrapping_add(50)), NOTHING);
                    flow.expect(
                        &peer_ack(PEER_ISN + 1, wire.wrapping_add(100)),
                        &ack(1101),
                        NOTHING,
                    );
                    flow.expect(&host_rst(1101), &Seq(wire.wrapping_add(100)), NOTHING);
                    let _ = flow.rewritten(&host_syn(1000), REWRITTEN);
                },
            ),
            case(
                "S9: RST|ACK of a host that refuses the peer's SYN-ACK",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire.wrapping_add(1)),
                        &ack(1001),
                        NOTHING,
                    );
                    flow.expect(&host_rst(1001), &Seq(wire.wrapping_add(1)), NOTHING);
                    flow.expect(
                        &host_rst_ack(1001, PEER_ISN + 1),
                        &Seq(wire.wrapping_add(1)),
                        NOTHING,
                    );
                },
            ),
        ],
    );
}
