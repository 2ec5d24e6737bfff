//! There and back: what the peer echoes reaches the host as the host said it, so that inbound(outbound(x)) = x (S10).

use isn_tests::two_worlds::prelude::*;

/// What the host says, and a peer that acknowledges and reports exactly that number.
fn echoed(flow: &mut Flow<'_>, host: u32, wire: u32) {
    let sent = host_data(host, PEER_ISN + 1, b"x");
    let stepped = flow.offer(&sent);
    let number = flow.sequence_in(&stepped.frame);
    flow.require(
        number == wire,
        format!("{host} left as {number}, expected {wire}"),
    );
    for nops in 0..=1 {
        let echo = peer_ack(PEER_ISN + 1, number)
            .nops(nops)
            .sack(&[(number, number), (0, number)]);
        let nothing = host.wrapping_sub(wire);
        let leaves = Leaves::Ack(host, vec![(host, host), (nothing, host)]);
        flow.expect(&echo, &leaves, NOTHING);
    }
}

#[test]
fn every_number_comes_back() {
    play(
        &all_carriers(),
        &[case(
            "S10: numbers all over the space, at an offset that is any (27, 87)",
            |flow| {
                let wire = flow.translated(1000);
                // Nothing of the incarnation before is late any more (S14).
                flow.wait(121);
                for number in EDGES.into_iter().chain((0..32).map(|bit| 1 << bit)) {
                    echoed(flow, number, number.wrapping_add(wire.wrapping_sub(1000)));
                }
            },
        )],
    );
    play(
        &both_families(),
        &[case("S10: at offsets all over the space (9, 87)", |flow| {
            let offsets = EDGES.into_iter().chain((0..32).map(|bit| 1 << bit));
            for (port, offset) in (3000..).zip(offsets.filter(|offset| *offset != 0)) {
                flow.carrier = flow.carrier.clone().from_port(port);
                flow.translated_to(7000, offset.wrapping_add(7000));
                flow.wait(121);
                for number in [7001, 0, u32::MAX, 0x7fff_ffff] {
                    echoed(flow, number, number.wrapping_add(offset));
                }
            }
        })],
    );
}

#[test]
fn a_syn_of_every_sort_changes_nothing_but_its_number() {
    play(
        &all_carriers(),
        &[case(
            "S10: all options of a SYN stay, MPTCP, Fast Open and its data included (5, 14, 16, 36, 87)",
            |flow| {
                let options: [&[u8]; 6] = [
                    &[
                        2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7,
                    ],
                    &[2, 4, 2, 24, 1, 1, 4, 2],
                    // MP_CAPABLE and MP_JOIN (RFC 8684).
                    &[30, 12, 1, 0x81, 1, 2, 3, 4, 5, 6, 7, 8],
                    &[30, 12, 0x10, 3, 9, 9, 9, 9, 7, 7, 7, 7],
                    // Fast Open: a request, and a cookie (RFC 7413).
                    &[34, 2, 1, 1],
                    &[34, 10, 1, 2, 3, 4, 5, 6, 7, 8],
                ];
                for (port, options) in (6000..).zip(options) {
                    for (port, octets) in [(port, 0), (port + 1000, 611)] {
                        flow.carrier = flow.carrier.clone().from_port(port);
                        flow.closed_connection(5_000_000, 5_065_535);
                        let mut syn = host_syn(1000)
                            .with(ECE | CWR)
                            .window(0x1234)
                            .raw_options(options)
                            .octets(octets);
                        (syn.urgent, syn.reserved) = (7, 1);
                        let wire = flow.rewritten(&syn, REWRITTEN);
                        flow.expect(&syn, &Seq(wire), RETRANSMIT);
                        let mut answer = peer_syn_ack(PEER_ISN, wire.wrapping_add(1))
                            .with(ECE)
                            .raw_options(options);
                        answer.reserved = 1;
                        flow.expect(&answer, &ack(1001), NOTHING);
                    }
                }
            },
        )],
    );
}
