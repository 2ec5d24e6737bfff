//! No sequence number and no offset is a marker for anything, 0 included (S2, S9).

use isn_tests::two_worlds::prelude::*;

#[test]
fn no_number_means_unset() {
    play(
        &both_families(),
        &[
            case("S2: a host whose ISN is always 0 (9)", |flow| {
                constant(flow, 0);
            }),
            case("S2: a host whose ISN is always 2^32 - 1 (9)", |flow| {
                constant(flow, u32::MAX);
            }),
            case("S2: a host whose ISN is always 6510 (9)", |flow| {
                constant(flow, 6510);
            }),
            case(
                "S9: offsets of 1, 2^31 and 2^32 - 1 are ordinary ones",
                |flow| {
                    for (port, offset) in (4000..).zip(EDGES.into_iter().filter(|edge| *edge != 0))
                    {
                        flow.carrier = flow.carrier.clone().from_port(port);
                        flow.translated_to(7000, offset.wrapping_add(7000));
                        let wire = offset.wrapping_add(7001);
                        flow.expect(&host_data(7001, PEER_ISN + 1, b"abc"), &Seq(wire), NOTHING);
                        flow.expect(
                            &peer_ack(PEER_ISN + 1, wire.wrapping_add(3)),
                            &ack(7004),
                            NOTHING,
                        );
                    }
                },
            ),
            case(
                "S9: wire and host ISNs at the edges of the number space (27)",
                |flow| {
                    let mut port = 5000;
                    for host in EDGES {
                        for wire in EDGES.into_iter().filter(|wire| *wire != host) {
                            port += 1;
                            flow.carrier = flow.carrier.clone().from_port(port);
                            flow.translated_to(host, wire);
                            let (host, wire) = (host.wrapping_add(1), wire.wrapping_add(1));
                            flow.expect(
                                &host_data(host, PEER_ISN + 1, b"").octets(100),
                                &Seq(wire),
                                NOTHING,
                            );
                            let (host, wire) = (host.wrapping_add(100), wire.wrapping_add(100));
                            flow.expect(&peer_ack(PEER_ISN + 1, wire), &ack(host), NOTHING);
                        }
                    }
                },
            ),
        ],
    );
}

/// Three connections in a row that all start at `isn`, each closed by both sides.
fn constant(flow: &mut Flow<'_>, isn: u32) {
    flow.closed_connection(isn.wrapping_add(1002), isn.wrapping_add(1002));
    let mut before = isn;
    for _ in 0..2 {
        let wire = flow.rewritten(&host_syn(isn), REWRITTEN);
        beyond(flow, wire, before.wrapping_add(1), before.wrapping_add(1));
        flow.expect(&host_syn(isn), &Seq(wire), RETRANSMIT);
        flow.handshake(isn, wire);
        flow.expect(
            &host_fin(isn.wrapping_add(1), PEER_ISN + 1),
            &Seq(wire.wrapping_add(1)),
            NOTHING,
        );
        let end = wire.wrapping_add(2);
        flow.expect(
            &peer_fin(PEER_ISN + 1, end),
            &ack(isn.wrapping_add(2)),
            NOTHING,
        );
        flow.expect(
            &host_ack(isn.wrapping_add(2), PEER_ISN + 2),
            &Seq(end),
            NOTHING,
        );
        before = wire;
    }
}
