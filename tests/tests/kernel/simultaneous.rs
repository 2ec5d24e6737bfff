//! Both ends open at once: one ISN of the host, one offset, in every order of the segments (S1, S5, S9; RFC 9293 section 3.5).

use isn_tests::two_worlds::prelude::*;

/// The peer's SYN and SYN-ACK carry this number.
const PEER: u32 = 0x5900_0000;

/// A SYN of the host that was moved ahead; its ISN was 1000.
fn crossing(flow: &mut Flow<'_>) -> u32 {
    flow.closed_connection(5_000_000, 5_065_535);
    flow.rewritten(&host_syn(1000), REWRITTEN)
}

/// Data both ways, translated.
fn open(flow: &mut Flow<'_>, wire: u32) {
    let sent = host_data(1001, PEER + 1, b"host");
    flow.expect(&sent, &Seq(wire.wrapping_add(1)), NOTHING);
    let received = peer_data(PEER + 1, wire.wrapping_add(5), b"peer");
    flow.expect(&received, &ack(1005), NOTHING);
    flow.expect(&host_syn(1000), &Seq(wire), LIVE);
}

#[test]
fn both_syns_cross() {
    play(
        &all_carriers(),
        &[
            case(
                "S5: the host's SYN-ACK leaves first: to the peer it is the SYN again (8)",
                |flow| {
                    let wire = crossing(flow);
                    flow.expect(&peer_syn(PEER), &NOTHING_IN_IT, NOTHING);
                    flow.expect(&host_syn_ack(1000, PEER + 1), &Seq(wire), RETRANSMIT);
                    let answer = peer_syn_ack(PEER, wire.wrapping_add(1));
                    flow.expect(&answer, &ack(1001), NOTHING);
                    open(flow, wire);
                },
            ),
            case(
                "S6: the peer's SYN-ACK comes first: the host's belongs to an open connection (8)",
                |flow| {
                    let wire = crossing(flow);
                    flow.expect(&peer_syn(PEER), &NOTHING_IN_IT, NOTHING);
                    let answer = peer_syn_ack(PEER, wire.wrapping_add(1));
                    flow.expect(&answer, &ack(1001), NOTHING);
                    flow.expect(&host_syn_ack(1000, PEER + 1), &Seq(wire), LIVE);
                    flow.expect(&answer, &ack(1001), NOTHING);
                    open(flow, wire);
                },
            ),
            case(
                "S5: every segment of it twice, and a SYN-ACK that was acknowledged by an ACK alone (4, 8)",
                |flow| {
                    let wire = crossing(flow);
                    flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
                    for _ in 0..2 {
                        flow.expect(&peer_syn(PEER), &NOTHING_IN_IT, NOTHING);
                        flow.expect(&host_syn_ack(1000, PEER + 1), &Seq(wire), RETRANSMIT);
                    }
                    let acknowledgment = peer_ack(PEER + 1, wire.wrapping_add(1));
                    flow.expect(&acknowledgment, &ack(1001), NOTHING);
                    open(flow, wire);
                },
            ),
        ],
    );
}

#[test]
fn who_comes_first() {
    play(
        &both_families(),
        &[
            case(
                "S2: the peer's SYN is seen before the host's, on a flow that is remembered (8)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    flow.expect(&peer_syn(PEER), &AS_IT_CAME, NOTHING);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.expect(&host_syn_ack(1000, PEER + 1), &Seq(wire), RETRANSMIT);
                    let answer = peer_syn_ack(PEER, wire.wrapping_add(1));
                    flow.expect(&answer, &ack(1001), NOTHING);
                    open(flow, wire);
                },
            ),
            case(
                "S2: nothing is remembered: both sides' segments pass as they came (2, 8)",
                |flow| {
                    flow.expect(&peer_syn(PEER), &NOT_FOLLOWED, AWAITED);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, SAFE_SYN);
                    flow.expect(&host_syn_ack(1000, PEER + 1), &AS_IT_CAME, RETRANSMIT);
                    flow.expect(&peer_syn_ack(PEER, 1001), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_ack(1001, PEER + 1), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, LIVE);
                },
            ),
            case(
                "S5: a host that answers with another ISN than that of its SYN (6, 8)",
                |flow| {
                    let wire = crossing(flow);
                    flow.expect(&peer_syn(PEER), &NOTHING_IN_IT, NOTHING);
                    let answer = host_syn_ack(7000, PEER + 1);
                    flow.expect(&answer, &Seq(wire), REWRITTEN);
                    let received = peer_ack(PEER + 1, wire.wrapping_add(1));
                    flow.expect(&received, &ack(7001), NOTHING);
                },
            ),
            case(
                "S9: the peer's SYN carries data, a number in its unused field, or both (8, 23)",
                |flow| {
                    let wire = crossing(flow);
                    for garbage in [0, 1, wire, wire.wrapping_add(1), u32::MAX] {
                        for octets in [0, 100] {
                            let syn = peer_syn(PEER).acknowledging(garbage).octets(octets);
                            flow.expect(&syn, &NOTHING_IN_IT, NOTHING);
                        }
                    }
                    flow.expect(&host_syn_ack(1000, PEER + 1), &Seq(wire), RETRANSMIT);
                },
            ),
        ],
    );
}
