//! Genuine segments count, although others were not seen (S21).

use isn_tests::two_worlds::prelude::*;

#[test]
fn genuine_segments_count_although_something_was_missed() {
    play(
        &both_families(),
        &[
            case(
                "S21: a FIN within the host's large window closes, though 4 MiB before it were not seen",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow
                        .rewritten(&host_syn(1000).window_scale(14), REWRITTEN)
                        .wrapping_add(1);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire).window_scale(7),
                        &ack(1001),
                        NOTHING,
                    );
                    flow.expect(&host_ack(1001, PEER_ISN + 1), &Seq(wire), NOTHING);
                    let later = PEER_ISN + 1 + (4 << 20);
                    flow.expect(&peer_data(later, wire, b"far on"), &ack(1001), NOTHING);
                    flow.expect(&host_ack(1001, later + 6), &Seq(wire), NOTHING);
                    flow.expect(&peer_fin(later + 6, wire), &ack(1001), NOTHING);
                    flow.expect(&host_fin(1001, later + 7), &Seq(wire), NOTHING);
                    flow.expect(
                        &peer_ack(later + 7, wire.wrapping_add(1)),
                        &ack(1002),
                        NOTHING,
                    );
                    let _ = flow.rewritten(&host_syn(500), REWRITTEN);
                },
            ),
            case(
                "S21: a reset at the host's last acknowledgment closes, though 4 MiB before it were not seen",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow
                        .rewritten(&host_syn(1000).window_scale(14), REWRITTEN)
                        .wrapping_add(1);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire).window_scale(7),
                        &ack(1001),
                        NOTHING,
                    );
                    let later = PEER_ISN + 1 + (4 << 20);
                    flow.expect(&host_ack(1001, later), &Seq(wire), NOTHING);
                    flow.expect(&peer_rst(later), &NOTHING_IN_IT, NOTHING);
                    let _ = flow.rewritten(&host_syn(500), REWRITTEN);
                },
            ),
            case(
                "S21: the high-water mark follows a host that fills a window of 1 GiB",
                |flow| {
                    flow.expect(&host_syn(1000).window_scale(0), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, 1001).window_scale(14),
                        &AS_IT_CAME,
                        NOTHING,
                    );
                    flow.expect(&host_ack(1001, PEER_ISN + 1), &AS_IT_CAME, NOTHING);
                    flow.expect(&peer_ack(PEER_ISN + 1, 1001), &AS_IT_CAME, NOTHING);
                    let edge = 1001 + (65_535 << 14);
                    flow.expect(
                        &host_data(edge - 9, PEER_ISN + 1, b"123456789"),
                        &AS_IT_CAME,
                        NOTHING,
                    );
                    let record = flow.record().expect("an entry");
                    flow.require(record.high_water().0 == edge, parts(&record));
                },
            ),
        ],
    );
}
