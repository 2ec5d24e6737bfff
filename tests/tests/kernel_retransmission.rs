//! SYNs that come again: to the peer they are retransmissions, and must look it (S5, S6).

use isn_tests::two_worlds::prelude::*;

#[test]
fn a_syn_that_comes_again_leaves_as_before() {
    play(
        &both_families(),
        &[
            case("S5: the same SYN after 1, 3, 7 and 60 s (4)", |flow| {
                flow.closed_connection(5_000_000, 5_065_535);
                let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                for seconds in [0, 1, 2, 4, 53] {
                    flow.wait(seconds);
                    flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
                }
                flow.handshake(1000, wire);
            }),
            case("S5: the same safe SYN again", |flow| {
                flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                flow.wait(3);
                flow.expect(&host_syn(1000), &AS_IT_CAME, RETRANSMIT);
            }),
            case(
                "S5: the same SYN with other options and without its data (5)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let full = host_syn(1000)
                        .timestamps(7, 0)
                        .raw_options(&[4, 2])
                        .window_scale(7)
                        .octets(60);
                    let wire = flow.rewritten(&full, REWRITTEN);
                    flow.expect(&host_syn(1000).timestamps(9, 0), &Seq(wire), RETRANSMIT);
                    flow.expect(&host_syn(1000).with(ECE | CWR), &Seq(wire), RETRANSMIT);
                    flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
                    flow.handshake(1000, wire);
                },
            ),
            case(
                "S5: the SYN-ACK was lost behind the gateway: SYN and SYN-ACK come again",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire.wrapping_add(1)),
                        &ack(1001),
                        NOTHING,
                    );
                    let stepped = flow.offer(&host_syn(1000));
                    flow.require(
                        stepped.verdict == Verdict::TranslatedOut,
                        format!("{stepped:?}"),
                    );
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire.wrapping_add(1)),
                        &ack(1001),
                        NOTHING,
                    );
                    flow.expect(
                        &host_ack(1001, PEER_ISN + 1),
                        &Seq(wire.wrapping_add(1)),
                        NOTHING,
                    );
                },
            ),
        ],
    );
}

#[test]
fn an_unanswered_syn_with_another_isn_is_the_same_syn_to_the_peer() {
    play(
        &both_families(),
        &[
            case(
                "S5: a translated SYN, then another ISN: the same wire ISN (6)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    for isn in [2000, 0, u32::MAX, 1000, wire.wrapping_add(1)] {
                        let again = flow.rewritten(&host_syn(isn), REWRITTEN);
                        flow.require(again == wire, format!("{again} after {wire}"));
                        flow.expect(&host_syn(isn), &Seq(wire), RETRANSMIT);
                    }
                    let again = flow.rewritten(&host_syn(2000), REWRITTEN);
                    flow.require(again == wire, format!("{again} after {wire}"));
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire.wrapping_add(1)),
                        &ack(2001),
                        NOTHING,
                    );
                    flow.expect(
                        &host_ack(2001, PEER_ISN + 1),
                        &Seq(wire.wrapping_add(1)),
                        NOTHING,
                    );
                },
            ),
            case(
                "S5: a SYN that passed as it came, then another ISN (6)",
                |flow| {
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(&host_syn(7000), &Seq(1000), REWRITTEN);
                    flow.expect(&host_syn(7000), &Seq(1000), RETRANSMIT);
                    flow.expect(&peer_syn_ack(PEER_ISN, 1001), &ack(7001), NOTHING);
                    flow.expect(&host_data(7001, PEER_ISN + 1, b"x"), &Seq(1001), NOTHING);
                },
            ),
            case(
                "S5: the host happens to choose the wire ISN itself",
                |flow| {
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(&host_syn(7000), &Seq(1000), REWRITTEN);
                    let stepped = flow.offer(&host_syn(1000));
                    flow.require(
                        stepped.verdict == Verdict::Pass(PassReason::OffsetZero),
                        format!("{stepped:?}"),
                    );
                    flow.expect(&peer_syn_ack(PEER_ISN, 1001), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_data(1001, PEER_ISN + 1, b"x"), &AS_IT_CAME, NOTHING);
                },
            ),
            case(
                "S5: the longer of two SYNs with data counts for the high-water mark",
                |flow| {
                    flow.expect(&host_syn(1000).octets(500), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, RETRANSMIT);
                    let record = flow.record().expect("an entry");
                    flow.require(record.high_water().0 == 1501, parts(&record));
                },
            ),
            case(
                "S5: a SYN that comes again with data counts with its data",
                |flow| {
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(&host_syn(1000).octets(500), &AS_IT_CAME, RETRANSMIT);
                    let record = flow.record().expect("an entry");
                    flow.require(record.high_water().0 == 1501, parts(&record));
                },
            ),
            case(
                "S5: another ISN without the data of the first: the peer may hold that data",
                |flow| {
                    flow.expect(&host_syn(1000).octets(500), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(&host_syn(7000), &Seq(1000), REWRITTEN);
                    let record = flow.record().expect("an entry");
                    flow.require(record.high_water().0 == 1501, parts(&record));
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
