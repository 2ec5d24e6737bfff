//! What a forger can send blindly poisons nothing (S17, S21).

use isn_tests::two_worlds::prelude::*;

#[test]
fn forged_segments_of_an_open_connection() {
    play(
        &both_families(),
        &[
            case(
                "S21: a far-ahead segment in the host's name does not move the high-water mark",
                |flow| {
                    let (host, wire) = open(flow);
                    let offset = wire.wrapping_sub(host);
                    let before = marks(flow);
                    for ahead in [65_540, 1 << 20, 1 << 30, (1 << 31) - 1, 1 << 31] {
                        flow.moved_by(
                            offset,
                            &host_data(host.wrapping_add(ahead), PEER_ISN + 1, b"forged"),
                            NOTHING,
                        );
                        unmoved(flow, before, "far-ahead data");
                        flow.moved_by(
                            offset,
                            &host_fin(host.wrapping_add(ahead), PEER_ISN + 1),
                            NOTHING,
                        );
                        unmoved(flow, before, "far-ahead FIN");
                        flow.moved_by(offset, &host_rst(host.wrapping_add(ahead)), NOTHING);
                        unmoved(flow, before, "far-ahead RST");
                    }
                },
            ),
            case(
                "S21: a FIN or RST in the host's name, far behind the window, closes nothing",
                |flow| {
                    let (host, wire) = open(flow);
                    let offset = wire.wrapping_sub(host);
                    let before = marks(flow);
                    for behind in [1 << 23, 1 << 24, 1 << 29, 1 << 30, 2 << 30] {
                        flow.moved_by(offset, &host_rst(host.wrapping_sub(behind)), NOTHING);
                        unmoved(flow, before, "far-behind RST");
                        flow.moved_by(
                            offset,
                            &host_fin(host.wrapping_sub(behind), PEER_ISN + 1),
                            NOTHING,
                        );
                        unmoved(flow, before, "far-behind FIN");
                    }
                },
            ),
            case(
                "S21: an acknowledgment of data never sent does not move the right edge",
                |flow| {
                    let (host, wire) = open(flow);
                    let offset = wire.wrapping_sub(host);
                    let before = marks(flow);
                    for ahead in [1, 65_535, 1 << 20, 1 << 30, (1 << 31) - 1, 1 << 31] {
                        flow.moved_by(
                            offset,
                            &peer_ack(PEER_ISN + 1, wire.wrapping_add(ahead)),
                            NOTHING,
                        );
                        unmoved(flow, before, "ack of data never sent");
                    }
                },
            ),
            case(
                "S21: a peer's RST or FIN far outside the window closes nothing",
                |flow| {
                    let (host, wire) = open(flow);
                    let offset = wire.wrapping_sub(host);
                    let before = marks(flow);
                    for ahead in [
                        2 << 20,
                        1 << 30,
                        (1 << 31) - 1,
                        1 << 31,
                        u32::MAX - (2 << 20),
                    ] {
                        let at = (PEER_ISN + 1).wrapping_add(ahead);
                        for tcp in [peer_rst(at), peer_rst_ack(at, wire), peer_fin(at, wire)] {
                            flow.moved_by(offset, &tcp, NOTHING);
                            unmoved(flow, before, "a peer's RST or FIN");
                        }
                    }
                },
            ),
            case(
                "S21: after forged segments a SYN still finds the connection open (S6)",
                |flow| {
                    let (host, wire) = open(flow);
                    let offset = wire.wrapping_sub(host);
                    flow.moved_by(offset, &peer_rst(PEER_ISN.wrapping_add(1 << 30)), NOTHING);
                    flow.moved_by(offset, &host_rst(host.wrapping_add(1 << 30)), NOTHING);
                    flow.moved_by(
                        offset,
                        &peer_fin(PEER_ISN.wrapping_add(1 << 30), wire),
                        NOTHING,
                    );
                    flow.moved_by(offset, &host_fin(host.wrapping_add(1 << 30), 0), NOTHING);
                    flow.expect(&host_syn(1000), &Seq(wire.wrapping_sub(1)), LIVE);
                },
            ),
        ],
    );
}

#[test]
fn forged_openings_and_resets_within_the_window() {
    play(
        &both_families(),
        &[
            case(
                "S21: a SYN in the peer's name changes nothing on an open connection (S6)",
                |flow| {
                    let (host, wire) = open(flow);
                    let offset = wire.wrapping_sub(host);
                    let before = marks(flow);
                    for sequence in [0, PEER_ISN, 0x4444_4444, u32::MAX] {
                        flow.expect(
                            &peer_syn(sequence).window_scale(14),
                            &NOTHING_IN_IT,
                            NOTHING,
                        );
                        flow.moved_by(
                            offset,
                            &peer_syn_ack(sequence, wire).window_scale(14),
                            NOTHING,
                        );
                        unmoved(flow, before, "a peer's SYN");
                    }
                    // The peer goes on where it was, and its unscaled window is still unscaled.
                    flow.expect(
                        &peer_data(PEER_ISN + 1, wire, b"on").window(1000),
                        &ack(host),
                        NOTHING,
                    );
                    unmoved(flow, before, "the peer's own data");
                    flow.expect(&peer_rst(PEER_ISN + 3), &NOTHING_IN_IT, NOTHING);
                    flow.require(marks(flow).2 == Phase::Closed, "the peer's own RST closes");
                },
            ),
            case(
                "S21: SYNs in the host's name do not move the high-water mark of an open connection",
                |flow| {
                    let (host, wire) = open(flow);
                    let offset = wire.wrapping_sub(host);
                    let before = marks(flow);
                    for isn in [0, 1 << 20, 1 << 30, 1 << 31, u32::MAX] {
                        flow.moved_by(offset, &host_syn(isn).octets(100), LIVE);
                        unmoved(flow, before, "a host's SYN");
                    }
                    flow.expect(&host_ack(1001, PEER_ISN + 1), &Seq(wire), NOTHING);
                },
            ),
            case(
                "S21: who speaks on after a forged reset in the window was not reset",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.expect(&peer_rst(PEER_ISN + 500), &NOTHING_IN_IT, NOTHING);
                    flow.expect(
                        &host_data(host, PEER_ISN + 1, b"alive"),
                        &Seq(wire),
                        NOTHING,
                    );
                    flow.expect(
                        &peer_data(PEER_ISN + 1, wire.wrapping_add(5), b"too"),
                        &ack(host + 5),
                        NOTHING,
                    );
                    flow.expect(&host_syn(1000), &Seq(wire.wrapping_sub(1)), LIVE);
                },
            ),
        ],
    );
}

/// Open for so long that nothing of the incarnation before is late any more (S14).
fn open(flow: &mut Flow<'_>) -> (u32, u32) {
    let wire = flow.translated(1000);
    flow.wait(121);
    (1001, wire.wrapping_add(1))
}
