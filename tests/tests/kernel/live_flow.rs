//! SYNs of a host whose old connection lives on, at the peer or at both ends: nothing is decided again, and the exact reset ends
//! what is old (S5, S6, S9; RFC 9293 section 3.10.7.4, RFC 5961 section 4).

use isn_tests::two_worlds::prelude::*;

#[test]
fn a_peer_that_still_holds_the_old_connection() {
    play(
        &both_families(),
        &[
            case(
                "S9: TIME-WAIT's acknowledgment, and the host's exact reset (12)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    let offset = wire.wrapping_sub(1000);
                    let held = 5_000_000u32.wrapping_sub(offset);
                    flow.expect(&peer_ack(PEER_ISN + 2, 5_000_000), &ack(held), NOTHING);
                    flow.expect(&host_rst(held), &Seq(5_000_000), NOTHING);
                    flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
                    flow.handshake(1000, wire);
                },
            ),
            case(
                "S9: the same for a SYN that passed as it came (12)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    flow.expect(&host_syn(6_000_000), &AS_IT_CAME, SAFE_SYN);
                    flow.expect(&peer_ack(PEER_ISN + 2, 5_000_000), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_rst(5_000_000), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_syn(6_000_000), &AS_IT_CAME, RETRANSMIT);
                },
            ),
            case(
                "S6: a SYN on an open flow keeps the offset, whatever its ISN (10, 11)",
                |flow| {
                    let wire = flow.translated(1000);
                    let offset = wire.wrapping_sub(1000);
                    for isn in [1000, 0, 77_777, 0x8000_0000, u32::MAX] {
                        flow.expect(&host_syn(isn), &Seq(isn.wrapping_add(offset)), LIVE);
                    }
                    flow.expect(
                        &host_data(1001, PEER_ISN + 1, b"on"),
                        &Seq(wire.wrapping_add(1)),
                        NOTHING,
                    );
                    flow.expect(
                        &peer_ack(PEER_ISN + 1, wire.wrapping_add(3)),
                        &ack(1003),
                        NOTHING,
                    );
                },
            ),
            case(
                "S6: a host that rebooted: challenge, exact reset, and its next SYN opens anew (11)",
                |flow| {
                    let wire = flow.translated(1000);
                    let offset = wire.wrapping_sub(1000);
                    flow.expect(&host_syn(500), &Seq(500u32.wrapping_add(offset)), LIVE);
                    flow.expect(
                        &peer_ack(PEER_ISN + 1, wire.wrapping_add(1)),
                        &ack(1001),
                        NOTHING,
                    );
                    flow.expect(&host_rst(1001), &Seq(wire.wrapping_add(1)), NOTHING);
                    let next = flow.rewritten(&host_syn(500), REWRITTEN);
                    let ahead = next.wrapping_sub(wire.wrapping_add(1));
                    flow.require(
                        65_535 < ahead && ahead < 1 << 31,
                        format!("{next} after {wire}"),
                    );
                    flow.handshake(500, next);
                },
            ),
            case(
                "S6: a host that rebooted, of a flow without an offset (11)",
                |flow| {
                    flow.expect(&host_syn(5_000_000), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(&peer_syn_ack(PEER_ISN, 5_000_001), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_ack(5_000_001, PEER_ISN + 1), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_syn(500), &AS_IT_CAME, LIVE);
                    flow.expect(&peer_ack(PEER_ISN + 1, 5_000_001), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_rst(5_000_001), &AS_IT_CAME, NOTHING);
                    let _ = flow.rewritten(&host_syn(500), REWRITTEN);
                },
            ),
            case(
                "S5: refused, and the same ISN again: a new incarnation (9)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.expect(&peer_rst_ack(0, wire.wrapping_add(1)), &ack(1001), NOTHING);
                    let next = flow.rewritten(&host_syn(1000), REWRITTEN);
                    let ahead = next.wrapping_sub(wire.wrapping_add(1));
                    flow.require(0 < ahead && ahead < 1 << 31, format!("{next} after {wire}"));
                },
            ),
        ],
    );
}
