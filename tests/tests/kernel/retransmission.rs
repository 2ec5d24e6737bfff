//! SYNs that come again: to the peer they are retransmissions, and must look it (S5).

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
                    flow.expect(&host_syn(1000), &Seq(wire), LIVE);
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
                    flow.expect(&host_syn(1000), &AS_IT_CAME, REWRITTEN);
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
fn whom_nobody_answers() {
    play(
        &both_families(),
        &[
            case(
                "S5: a SYN of which nine in ten go unanswered, and challenges that are rationed (4, 75)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    let held = 5_000_000u32.wrapping_sub(wire.wrapping_sub(1000));
                    for challenged in [false, false, true, false, false, false, true, false] {
                        flow.wait(60);
                        flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
                        if challenged {
                            flow.expect(&peer_ack(PEER_ISN + 2, 5_000_000), &ack(held), NOTHING);
                            flow.expect(&host_rst(held), &Seq(5_000_000), NOTHING);
                        }
                    }
                    flow.handshake(1000, wire);
                },
            ),
            case(
                "S9: a peer with SYN cookies, which answers each SYN with another number of its own (7, 75)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    let next = wire.wrapping_add(1);
                    for cookie in [0, 0x4444_4444, u32::MAX] {
                        flow.expect(&peer_syn_ack(cookie, next), &ack(1001), NOTHING);
                    }
                    flow.expect(&host_ack(1001, 0x4444_4445), &Seq(next), NOTHING);
                    let data = peer_data(0x4444_4445, next, b"cookie");
                    flow.expect(&data, &ack(1001), NOTHING);
                    flow.expect(&host_data(1001, 0x4444_444b, b"x"), &Seq(next), NOTHING);
                },
            ),
        ],
    );
}
