//! Openings of other forms: SYN-ACKs, simultaneous ones, data and odd flags on a SYN (S1, S2, S9).

use isn_tests::two_worlds::prelude::*;

#[test]
fn a_host_that_is_opened_to() {
    play(
        &both_families(),
        &[
            case(
                "S1: a regressing SYN-ACK is moved ahead; its retransmission equals it",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let peer = PEER_ISN + 70_000_000;
                    flow.expect(&peer_syn(peer), &AS_IT_CAME, NOTHING);
                    let wire = flow.rewritten(&host_syn_ack(1000, peer + 1), REWRITTEN);
                    beyond(flow, wire, 5_000_000, 5_065_535);
                    flow.expect(&host_syn_ack(1000, peer + 1), &Seq(wire), RETRANSMIT);
                    flow.expect(
                        &peer_ack(peer + 1, wire.wrapping_add(1)),
                        &ack(1001),
                        NOTHING,
                    );
                    flow.expect(
                        &host_data(1001, peer + 1, b"banner"),
                        &Seq(wire.wrapping_add(1)),
                        NOTHING,
                    );
                },
            ),
            case(
                "S1: the SYN-ACK of a flow of which nothing is remembered passes",
                |flow| {
                    let unknown = Leaves::Unchanged(PassReason::NoFlow);
                    flow.expect(&peer_syn(PEER_ISN), &unknown, AWAITED);
                    flow.expect(&host_syn_ack(1000, PEER_ISN + 1), &AS_IT_CAME, SAFE_SYN);
                    flow.expect(&peer_ack(PEER_ISN + 1, 1001), &AS_IT_CAME, NOTHING);
                },
            ),
            case(
                "S2: what the peer's SYN says of its window scale holds for the right edge",
                |flow| {
                    let unknown = Leaves::Unchanged(PassReason::NoFlow);
                    flow.expect(&peer_syn(PEER_ISN).window_scale(7), &unknown, AWAITED);
                    flow.expect(
                        &host_syn_ack(1000, PEER_ISN + 1).window_scale(0),
                        &AS_IT_CAME,
                        SAFE_SYN,
                    );
                    flow.expect(&peer_ack(PEER_ISN + 1, 1001), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_rst(1001), &AS_IT_CAME, NOTHING);
                    flow.expect(&peer_syn(PEER_ISN + 9), &AS_IT_CAME, NOTHING);
                    let right_edge = 1001 + (65_535 << 7);
                    let wire = flow.rewritten(&host_syn_ack(right_edge, PEER_ISN + 10), REWRITTEN);
                    beyond(flow, wire, 1001, right_edge);
                },
            ),
            case(
                "S9: simultaneous open: SYN and SYN-ACK of one ISN leave with one offset (8)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.expect(
                        &peer_syn(PEER_ISN).acknowledging(0xdead_beef),
                        &NOTHING_IN_IT,
                        NOTHING,
                    );
                    flow.expect(&host_syn_ack(1000, PEER_ISN + 1), &Seq(wire), RETRANSMIT);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire.wrapping_add(1)),
                        &ack(1001),
                        NOTHING,
                    );
                    flow.expect(
                        &host_data(1001, PEER_ISN + 1, b"x"),
                        &Seq(wire.wrapping_add(1)),
                        NOTHING,
                    );
                },
            ),
        ],
    );
}

#[test]
fn data_on_a_syn_and_odd_flags() {
    play(
        &both_families(),
        &[
            case(
                "S2: the high-water mark counts the data of a SYN (14)",
                |flow| {
                    flow.expect(&host_syn(1000).octets(100), &AS_IT_CAME, FIRST_SYN);
                    let record = flow.record().expect("an entry");
                    flow.require(record.high_water().0 == 1101, parts(&record));
                },
            ),
            case(
                "S9: a SYN-ACK that acknowledges the data of a SYN (7, 14)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000).octets(100), REWRITTEN);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire.wrapping_add(101)),
                        &ack(1101),
                        NOTHING,
                    );
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire.wrapping_add(101)),
                        &ack(1101),
                        NOTHING,
                    );
                    flow.expect(
                        &host_ack(1101, PEER_ISN + 1),
                        &Seq(wire.wrapping_add(101)),
                        NOTHING,
                    );
                },
            ),
            case(
                "S9: data of a SYN that was not taken is sent again behind the ISN (14)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000).octets(100), REWRITTEN);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire.wrapping_add(1)),
                        &ack(1001),
                        NOTHING,
                    );
                    let again = host_data(1001, PEER_ISN + 1, b"").octets(100);
                    flow.expect(&again, &Seq(wire.wrapping_add(1)), NOTHING);
                },
            ),
            case("S1: SYN|RST opens nothing (13)", |flow| {
                flow.expect(&host_syn(1000).with(RST), &NOT_FOLLOWED, NOTHING);
                flow.require(flow.record().is_none(), "an entry was made");
            }),
            case(
                "S9: a SYN of the host keeps its acknowledgment field, whatever it holds (23)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire =
                        flow.rewritten(&host_syn(1000).acknowledging(0xdead_beef), REWRITTEN);
                    beyond(flow, wire, 5_000_000, 5_065_535);
                },
            ),
        ],
    );
}
