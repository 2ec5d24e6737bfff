//! What a forger can send blindly to a connection that waits for its answer poisons nothing (S21).

use isn_tests::two_worlds::prelude::*;

#[test]
fn forged_segments_of_a_half_open_connection() {
    play(
        &both_families(),
        &[
            case(
                "S21: a RST|ACK that acknowledges another number refuses nothing",
                |flow| {
                    let wire = half_open(flow);
                    let offset = wire.wrapping_sub(1000);
                    for ahead in [0, 2, 1 << 20, 1 << 31, u32::MAX] {
                        flow.moved_by(offset, &peer_rst_ack(0, wire.wrapping_add(ahead)), NOTHING);
                    }
                    flow.moved_by(offset, &peer_rst(0), NOTHING);
                    flow.moved_by(offset, &peer_rst(0x4444_4444), NOTHING);
                    flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
                },
            ),
            case(
                "S21: a SYN-ACK that acknowledges another number answers nothing",
                |flow| {
                    let wire = half_open(flow);
                    let offset = wire.wrapping_sub(1000);
                    for ahead in [0, 2, 1 << 20, 1 << 31, u32::MAX] {
                        flow.moved_by(
                            offset,
                            &peer_syn_ack(0x4444_4444, wire.wrapping_add(ahead)).window_scale(14),
                            NOTHING,
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
                    let offset = wire.wrapping_sub(1000);
                    let before = marks(flow);
                    for ahead in [1 << 20, 1 << 30, 1 << 31] {
                        flow.moved_by(offset, &host_data(1001 + ahead, 7, b"forged"), NOTHING);
                        flow.moved_by(offset, &host_fin(1001 + ahead, 7), NOTHING);
                        flow.moved_by(offset, &host_rst(1001 + ahead), NOTHING);
                        unmoved(flow, before, "a far-ahead segment");
                    }
                    flow.handshake(1000, wire);
                },
            ),
        ],
    );
}

/// Waiting for so long that nothing of the incarnation before is late any more (S14).
fn half_open(flow: &mut Flow<'_>) -> u32 {
    flow.closed_connection(5_000_000, 5_065_535);
    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
    flow.wait(121);
    wire
}
