//! Numbers, control bits and checksums in the quotes of ICMP and ICMPv6 errors (S9, S11, S12; RFC 792, RFC 4443).

use isn_tests::two_worlds::{
    prelude::*,
    shown::{Shown, WHOLE, both_ways, unreachable},
};

fn open(flow: &mut Flow<'_>) -> u32 {
    flow.translated(1000).wrapping_add(1)
}

/// A SACK block that lies a little ahead of a number.
fn block(base: u32) -> Vec<(u32, u32)> {
    vec![(base.wrapping_add(1000), base.wrapping_add(2777))]
}

#[test]
fn numbers_and_control_bits_of_every_kind() {
    play(
        &both_families(),
        &[
            case("S12: numbers that wrap (27)", |flow| {
                let mut port = 7000;
                for wire in EDGES {
                    for host in EDGES.into_iter().filter(|host| *host != wire) {
                        port += 1;
                        flow.carrier = flow.carrier.clone().from_port(port);
                        flow.translated_to(host, wire);
                        let inner = flow.carrier.clone();
                        let numbers = |number: u32| number.wrapping_add(1);
                        for shown in [
                            Shown {
                                came: host_data(numbers(wire), 7, b"abc"),
                                leaves: host_data(numbers(host), 7, b"abc"),
                            },
                            Shown {
                                came: peer_data(7, numbers(host), b"abc").sack(&block(host)),
                                leaves: peer_data(7, numbers(wire), b"abc").sack(&block(wire)),
                            },
                        ] {
                            for octets in [14, WHOLE] {
                                let kind = unreachable(&inner);
                                let [came, leaves] = shown.errors(&inner, kind, octets);
                                flow.expect_error(&inner, &came, &leaves);
                            }
                        }
                    }
                }
            }),
            case("S12: the SYN of a half-open flow", |flow| {
                flow.closed_connection(5_000_000, 5_065_535);
                let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                let inner = flow.carrier.clone();
                let shown = Shown {
                    came: host_syn(wire).window_scale(7),
                    leaves: host_syn(1000).window_scale(7),
                };
                for octets in [8, WHOLE] {
                    let [came, leaves] = shown.errors(&inner, unreachable(&inner), octets);
                    flow.expect_error(&inner, &came, &leaves);
                }
                flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
            }),
            case("S12: what is no acknowledgment stays (21, 23)", |flow| {
                let _ = open(flow);
                let inner = flow.carrier.clone();
                for garbage in [0, 1001, 0xdead_beef] {
                    for tcp in [peer_rst(PEER_ISN + 1), peer_syn(PEER_ISN)] {
                        let shown = Shown {
                            came: tcp.acknowledging(garbage),
                            leaves: peer_rst(0),
                        };
                        let [came, _] = shown.errors(&inner, unreachable(&inner), WHOLE);
                        flow.expect_error_untouched(&inner, &came, PassReason::Icmp);
                    }
                }
            }),
        ],
    );
}

#[test]
fn checksums_that_came_wrong() {
    play(
        &both_families(),
        &[case(
            "S11: a wrong checksum of the error, of the quoted segment, or both: wrong by as much (58)",
            |flow| {
                let wire = open(flow);
                let inner = flow.carrier.clone();
                for error in [1, 0x0100, 0x8000, 0xfffe, 0x5a5a] {
                    for (outer_error, quoted_error) in [(error, 0), (0, error), (error, error)] {
                        for shown in both_ways(wire) {
                            let shown = Shown {
                                came: shown.came.bad_checksum(quoted_error),
                                leaves: shown.leaves.bad_checksum(quoted_error),
                            };
                            for octets in [14, 17, 18, 21, WHOLE] {
                                let kind = unreachable(&inner);
                                let errors = shown.errors(&inner, kind, octets);
                                let [came, leaves] = errors.map(|it| it.bad_checksum(outer_error));
                                flow.expect_error(&inner, &came, &leaves);
                            }
                        }
                    }
                }
            },
        )],
    );
}

#[test]
fn resets_with_numbers_that_stand_for_none() {
    play(
        &both_families(),
        &[
            case(
                "S9, S12: the peer's RST|ACK with ack 0 reached the host as it was (22)",
                |flow| {
                    let _ = open(flow);
                    let inner = flow.carrier.clone();
                    flow.expect(&peer_rst_ack(PEER_ISN + 1, 0), &NOTHING_IN_IT, NOTHING);
                    let quote = inner.quote(&peer_rst_ack(PEER_ISN + 1, 0), WHOLE);
                    let error = Icmp::new(Outbound, unreachable(&inner).0, quote);
                    flow.expect_error_untouched(&inner, &error, PassReason::Icmp);
                },
            ),
            case(
                "S9, S12: the host's RST|ACK with seq 0 reached the peer as it was (20)",
                |flow| {
                    let wire = open(flow);
                    let inner = flow.carrier.clone();
                    flow.expect(&host_rst(1001), &Seq(wire), NOTHING);
                    let reset = host_rst_ack(0, PEER_ISN + 6);
                    let closed_port = Leaves::Unchanged(PassReason::ClosedPort);
                    flow.expect(&reset, &closed_port, NOTHING);
                    let error =
                        Icmp::new(Inbound, unreachable(&inner).0, inner.quote(&reset, WHOLE));
                    flow.expect_error_untouched(&inner, &error, PassReason::Icmp);
                },
            ),
        ],
    );
}
