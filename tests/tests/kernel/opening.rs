//! Openings: which SYNs are moved ahead, and how far (S1, S2, S15).

use isn_tests::two_worlds::prelude::*;

#[test]
fn a_regressing_syn_is_moved_ahead_over_every_carrier() {
    play(
        &all_carriers(),
        &[
            case(
                "S2: a SYN far below the high-water mark leaves beyond the right edge (1)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    beyond(flow, wire, 5_000_000, 5_065_535);
                    flow.handshake(1000, wire);
                    flow.expect(
                        &host_data(1001, PEER_ISN + 1, b"hello"),
                        &Seq(wire.wrapping_add(1)),
                        NOTHING,
                    );
                    flow.expect(
                        &peer_ack(PEER_ISN + 1, wire.wrapping_add(6)),
                        &ack(1006),
                        NOTHING,
                    );
                },
            ),
            case(
                "S2: a SYN beyond the right edge leaves as it came (2)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    flow.expect(&host_syn(5_065_536), &AS_IT_CAME, SAFE_SYN);
                    flow.expect(&peer_syn_ack(PEER_ISN, 5_065_537), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_ack(5_065_537, PEER_ISN + 1), &AS_IT_CAME, NOTHING);
                },
            ),
            case(
                "S15: segments of a flow that is not known make no entry (79)",
                |flow| {
                    for tcp in [
                        peer_ack(1, 2),
                        host_data(1, 2, b"x"),
                        peer_data(1, 2, b"x"),
                        host_fin(2, 2),
                        peer_fin(2, 2),
                        host_rst(3),
                        peer_rst_ack(3, 2),
                        peer_syn_ack(7, 8),
                    ] {
                        flow.expect(&tcp, &NOT_FOLLOWED, NOTHING);
                    }
                    flow.require(flow.record().is_none(), "an entry was made");
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                },
            ),
        ],
    );
}

#[test]
fn what_is_safe_ends_exactly_where_the_rule_says() {
    play(
        &both_families(),
        &[
            case(
                "S2: safe is from the right edge + 1 to the high-water mark + 2^31 - 1 (2, 3)",
                |flow| {
                    for (port, high_water) in (2000..).zip(EDGES) {
                        for (step, window) in (0..).zip([0, 1, 65_535]) {
                            let at = |ahead: u32| high_water.wrapping_add(ahead);
                            for (index, ahead) in (0..).zip([window + 1, 0x7fff_ffff]) {
                                flow.carrier = flow
                                    .carrier
                                    .clone()
                                    .from_port(port + 100 * (2 * step + index));
                                flow.closed_connection(high_water, at(window));
                                flow.expect(&host_syn(at(ahead)), &AS_IT_CAME, SAFE_SYN);
                            }
                            let unsafe_ones = [0, window, 0x8000_0000, 0x8000_0001, u32::MAX];
                            for (index, ahead) in (0..).zip(unsafe_ones) {
                                flow.carrier = flow
                                    .carrier
                                    .clone()
                                    .from_port(port + 10_000 + 100 * (5 * step + index));
                                flow.closed_connection(high_water, at(window));
                                let wire = flow.rewritten(&host_syn(at(ahead)), REWRITTEN);
                                beyond(flow, wire, high_water, at(window));
                            }
                        }
                    }
                },
            ),
            case(
                "S2: beyond the largest window of all there is still room (78)",
                |flow| {
                    flow.expect(&host_syn(1000).window_scale(2), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, 1001).window_scale(14),
                        &AS_IT_CAME,
                        NOTHING,
                    );
                    flow.expect(&host_ack(1001, PEER_ISN + 1), &AS_IT_CAME, NOTHING);
                    flow.expect(&peer_ack(PEER_ISN + 1, 1001), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_rst(1001), &AS_IT_CAME, NOTHING);
                    let right_edge = 1001 + (65_535 << 14);
                    let wire = flow.rewritten(&host_syn(right_edge), REWRITTEN);
                    beyond(flow, wire, 1001, right_edge);
                },
            ),
        ],
    );
}

#[test]
fn windows_are_scaled_as_both_sides_agreed() {
    play(
        &both_families(),
        &[
            case(
                "S2: the window of a SYN-ACK is not scaled (RFC 7323 section 2.2)",
                |flow| {
                    flow.expect(&host_syn(1000).window_scale(2), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, 1001).window_scale(14).window(100),
                        &AS_IT_CAME,
                        NOTHING,
                    );
                    flow.expect(&host_rst(1001), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_syn(1102), &AS_IT_CAME, SAFE_SYN);
                },
            ),
            case(
                "S2: windows are scaled only if both sides offer it (RFC 7323 section 2.2)",
                |flow| {
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, 1001).window_scale(14).window(9),
                        &AS_IT_CAME,
                        NOTHING,
                    );
                    flow.expect(
                        &peer_ack(PEER_ISN + 1, 1001).window(100),
                        &AS_IT_CAME,
                        NOTHING,
                    );
                    flow.expect(&host_rst(1001), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_syn(1102), &AS_IT_CAME, SAFE_SYN);
                },
            ),
            case(
                "S2: a shift above 14 counts as 14 (RFC 7323 section 2.3)",
                |flow| {
                    flow.expect(&host_syn(1000).window_scale(2), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, 1001).window_scale(15),
                        &AS_IT_CAME,
                        NOTHING,
                    );
                    flow.expect(
                        &peer_ack(PEER_ISN + 1, 1001).window(1),
                        &AS_IT_CAME,
                        NOTHING,
                    );
                    flow.expect(&host_rst(1001), &AS_IT_CAME, NOTHING);
                    // Edge of the SYN-ACK: 1001 + 65,535; of the scaled window: 1001 + 16,384.
                    let wire = flow.rewritten(&host_syn(1001 + 65_535), REWRITTEN);
                    beyond(flow, wire, 1001, 1001 + 65_535);
                },
            ),
            case("S2: the jump differs from flow to flow", |flow| {
                let mut jumps = Vec::new();
                for port in 3000..3008 {
                    flow.carrier = flow.carrier.clone().from_port(port);
                    flow.closed_connection(5_000_000, 5_065_535);
                    jumps.push(flow.rewritten(&host_syn(1000), REWRITTEN));
                }
                jumps.sort_unstable();
                jumps.dedup();
                flow.require(jumps.len() == 8, format!("jumps repeat: {jumps:?}"));
            }),
        ],
    );
}
