//! Closed ports, the host's and the peer's, on flows of every kind: numbers that stand for none stay (S9; RFC 9293 section
//! 3.10.7.1).

use isn_tests::two_worlds::prelude::*;

const CLOSED_PORT: Leaves = Leaves::Unchanged(PassReason::ClosedPort);
const PEER: u32 = 0x5900_0000;

/// How a connection ends whose next number on the wire is this.
type End = fn(u32) -> Vec<(Tcp, Leaves)>;

#[test]
fn the_hosts_port_is_closed() {
    play(
        &all_carriers(),
        &[
            case(
                "S9: of a flow that is not known, or of which only the peer's SYN is: as it came (20)",
                |flow| {
                    let refusal = host_rst_ack(0, PEER + 1);
                    flow.expect(&refusal, &NOT_FOLLOWED, NOTHING);
                    flow.expect(&peer_syn(PEER), &NOT_FOLLOWED, AWAITED);
                    flow.expect(&refusal, &AS_IT_CAME, NOTHING);
                    flow.require(flow.translated_record().is_none(), "a reset made an offset");
                },
            ),
            case(
                "S9: of a flow that was open without an offset: as it came (20)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    flow.expect(&peer_syn(PEER), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_rst_ack(0, PEER + 1), &AS_IT_CAME, NOTHING);
                    let _ = flow.rewritten(&host_syn(1000), REWRITTEN);
                },
            ),
            case(
                "S9: of a flow that ended with an offset, by FINs, a reset of either end, or a refusal (20)",
                |flow| {
                    let ends: [End; 4] = [
                        |wire| {
                            vec![
                                (host_fin(1001, PEER_ISN + 1), Seq(wire)),
                                (peer_fin(PEER_ISN + 1, wire.wrapping_add(1)), ack(1002)),
                            ]
                        },
                        |wire| vec![(host_rst(1001), Seq(wire))],
                        |_| vec![(peer_rst(PEER_ISN + 1), NOTHING_IN_IT)],
                        |wire| vec![(peer_rst_ack(PEER_ISN + 1, wire), ack(1001))],
                    ];
                    for (port, end) in (6000..).zip(ends) {
                        flow.carrier = flow.carrier.clone().from_port(port);
                        let wire = flow.translated(1000).wrapping_add(1);
                        for (tcp, leaves) in end(wire) {
                            flow.expect(&tcp, &leaves, NOTHING);
                        }
                        for again in 0..3 {
                            flow.expect(&peer_syn(PEER + again), &NOTHING_IN_IT, NOTHING);
                            let refusal = host_rst_ack(0, PEER + again + 1);
                            flow.expect(&refusal, &CLOSED_PORT, NOTHING);
                        }
                        let _ = flow.rewritten(&host_syn(300), REWRITTEN);
                    }
                },
            ),
            case(
                "S9: a refusal while the host waits for an answer to its own SYN (20)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.expect(&host_rst_ack(0, PEER + 1), &CLOSED_PORT, NOTHING);
                    flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
                    flow.handshake(1000, wire);
                },
            ),
        ],
    );
}

#[test]
fn the_peers_port_is_closed() {
    play(
        &both_families(),
        &[
            case(
                "S9: a SYN that passed as it came is refused as it came (19, 22)",
                |flow| {
                    for (port, refusal) in
                        (6000..).zip([peer_rst_ack(0, 1001), peer_rst_ack(0, 0), peer_rst(1001)])
                    {
                        flow.carrier = flow.carrier.clone().from_port(port);
                        flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                        flow.expect(&refusal, &AS_IT_CAME, NOTHING);
                    }
                },
            ),
            case(
                "S9: data on the SYN: the refusal acknowledges it too (14, 19)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000).octets(100), REWRITTEN);
                    let refusal = peer_rst_ack(0, wire.wrapping_add(101));
                    flow.expect(&refusal, &ack(1101), NOTHING);
                },
            ),
            case(
                "S9: RST with ACK and ack 0, whatever its sequence number, half-open and open (22)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    for sequence in [0, 1, PEER_ISN, u32::MAX] {
                        flow.expect(&peer_rst_ack(sequence, 0), &NOTHING_IN_IT, NOTHING);
                    }
                    // It acknowledges nothing, so it refuses nothing.
                    flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
                    flow.handshake(1000, wire);
                    for sequence in [0, 1, PEER_ISN + 1, u32::MAX] {
                        flow.expect(&peer_rst_ack(sequence, 0), &NOTHING_IN_IT, NOTHING);
                    }
                },
            ),
            case(
                "S9: ack 0 without RST is an acknowledgment like any (27)",
                |flow| {
                    let wire = flow.translated(1000);
                    let zero = 1000u32.wrapping_sub(wire);
                    flow.expect(&peer_ack(PEER_ISN + 1, 0), &ack(zero), NOTHING);
                    let with_blocks = peer_ack(PEER_ISN + 1, 0).nops(2).sack(&[(0, 0)]);
                    let leaves = Leaves::Ack(zero, vec![(zero, zero)]);
                    flow.expect(&with_blocks, &leaves, NOTHING);
                },
            ),
        ],
    );
}
