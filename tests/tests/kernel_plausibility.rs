//! What a forger can send blindly poisons nothing (S17, S21).

use isn_tests::two_worlds::prelude::*;

fn record(flow: &Flow<'_>) -> Record {
    flow.record().unwrap_or_else(|| flow.fail("no entry"))
}

/// The marks and the phase, which forged segments must not move.
fn marks(flow: &Flow<'_>) -> (u32, u32, Phase) {
    let record = record(flow);
    (
        record.high_water().0,
        record.right_edge().0,
        record.control().phase(),
    )
}

fn unmoved(flow: &Flow<'_>, before: (u32, u32, Phase), what: &str) {
    let after = marks(flow);
    flow.require(
        after == before,
        format!("{what}: high-water mark, right edge and phase {after:?}, before {before:?}"),
    );
}

#[test]
fn forged_segments_of_an_open_connection() {
    play(
        &both_families(),
        &[
            case(
                "S21: a far-ahead segment in the host's name does not move the high-water mark",
                |flow| {
                    let (host, _) = open(flow);
                    let before = marks(flow);
                    for ahead in [65_540, 1 << 20, 1 << 30, (1 << 31) - 1, 1 << 31] {
                        let _ = flow.offer(&host_data(
                            host.wrapping_add(ahead),
                            PEER_ISN + 1,
                            b"forged",
                        ));
                        unmoved(flow, before, "far-ahead data");
                        let _ = flow.offer(&host_fin(host.wrapping_add(ahead), PEER_ISN + 1));
                        unmoved(flow, before, "far-ahead FIN");
                        let _ = flow.offer(&host_rst(host.wrapping_add(ahead)));
                        unmoved(flow, before, "far-ahead RST");
                    }
                },
            ),
            case(
                "S21: a FIN or RST in the host's name, far behind the window, closes nothing",
                |flow| {
                    let (host, _) = open(flow);
                    let before = marks(flow);
                    for behind in [1 << 20, 1 << 24, 1 << 29, 1 << 30, 2 << 30] {
                        let _ = flow.offer(&host_rst(host.wrapping_sub(behind)));
                        unmoved(flow, before, "far-behind RST");
                        let _ = flow.offer(&host_fin(host.wrapping_sub(behind), PEER_ISN + 1));
                        unmoved(flow, before, "far-behind FIN");
                    }
                },
            ),
            case(
                "S21: an acknowledgment of data never sent does not move the right edge",
                |flow| {
                    let (_, wire) = open(flow);
                    let before = marks(flow);
                    for ahead in [1, 65_535, 1 << 20, 1 << 30, (1 << 31) - 1, 1 << 31] {
                        let _ = flow.offer(&peer_ack(PEER_ISN + 1, wire.wrapping_add(ahead)));
                        unmoved(flow, before, "ack of data never sent");
                    }
                },
            ),
            case(
                "S21: a peer's RST or FIN far outside the window closes nothing",
                |flow| {
                    let (_, wire) = open(flow);
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
                            let _ = flow.offer(&tcp);
                            unmoved(flow, before, "a peer's RST or FIN");
                        }
                    }
                },
            ),
            case(
                "S21: after forged segments a SYN still finds the connection open (S6)",
                |flow| {
                    let (host, wire) = open(flow);
                    let _ = flow.offer(&peer_rst(PEER_ISN.wrapping_add(1 << 30)));
                    let _ = flow.offer(&host_rst(host.wrapping_add(1 << 30)));
                    let _ = flow.offer(&peer_fin(PEER_ISN.wrapping_add(1 << 30), wire));
                    let _ = flow.offer(&host_fin(host.wrapping_add(1 << 30), 0));
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
                    let before = marks(flow);
                    for sequence in [0, PEER_ISN, 0x4444_4444, u32::MAX] {
                        flow.expect(
                            &peer_syn(sequence).window_scale(14),
                            &NOTHING_IN_IT,
                            NOTHING,
                        );
                        let _ = flow.offer(&peer_syn_ack(sequence, wire).window_scale(14));
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
                    let (_, wire) = open(flow);
                    let before = marks(flow);
                    for isn in [0, 1 << 20, 1 << 30, 1 << 31, u32::MAX] {
                        let _ = flow.offer(&host_syn(isn).octets(100));
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

#[test]
fn forged_segments_of_a_half_open_connection() {
    play(
        &both_families(),
        &[
            case(
                "S21: a RST|ACK that acknowledges another number refuses nothing",
                |flow| {
                    let wire = half_open(flow);
                    for ahead in [0, 2, 1 << 20, 1 << 31, u32::MAX] {
                        let _ = flow.offer(&peer_rst_ack(0, wire.wrapping_add(ahead)));
                    }
                    let _ = flow.offer(&peer_rst(0));
                    let _ = flow.offer(&peer_rst(0x4444_4444));
                    flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
                },
            ),
            case(
                "S21: a SYN-ACK that acknowledges another number answers nothing",
                |flow| {
                    let wire = half_open(flow);
                    for ahead in [0, 2, 1 << 20, 1 << 31, u32::MAX] {
                        let _ = flow.offer(
                            &peer_syn_ack(0x4444_4444, wire.wrapping_add(ahead)).window_scale(14),
                        );
                    }
                    flow.expect(&host_syn(2000), &Seq(wire), REWRITTEN);
                    flow.handshake(2000, wire);
                },
            ),
            case(
                "S21: far-ahead segments before the answer do not move the high-water mark",
                |flow| {
                    let wire = half_open(flow);
                    let before = marks(flow);
                    for ahead in [1 << 20, 1 << 30, 1 << 31] {
                        let _ = flow.offer(&host_data(1001 + ahead, 7, b"forged"));
                        let _ = flow.offer(&host_fin(1001 + ahead, 7));
                        let _ = flow.offer(&host_rst(1001 + ahead));
                        unmoved(flow, before, "a far-ahead segment");
                    }
                    flow.handshake(1000, wire);
                },
            ),
        ],
    );
}

fn open(flow: &mut Flow<'_>) -> (u32, u32) {
    let wire = flow.translated(1000);
    (1001, wire.wrapping_add(1))
}

fn half_open(flow: &mut Flow<'_>) -> u32 {
    flow.closed_connection(5_000_000, 5_065_535);
    flow.rewritten(&host_syn(1000), REWRITTEN)
}
