//! ICMP and ICMPv6 errors about translated flows: their readers find the numbers that they know (S12; RFC 792, RFC 4443).

use isn_tests::two_worlds::prelude::*;

/// A quoted segment: as the error shows it on its way in, and as it must on its way out.
struct Shown {
    came: Tcp,
    leaves: Tcp,
}

impl Shown {
    /// The error about it, with so many octets of it.
    fn errors(&self, inner: &Carrier, kind: (u8, [u8; 4]), octets: usize) -> [Icmp; 2] {
        let direction = match self.came.direction {
            Outbound => Inbound,
            Inbound => Outbound,
        };
        [&self.came, &self.leaves]
            .map(|tcp| Icmp::new(direction, kind.0, inner.quote(tcp, octets)).rest(kind.1))
    }
}

/// A segment of each end of a connection whose host stands at 1001: what an error to the host shows, and one to the peer.
fn both_ways(wire: u32) -> [Shown; 2] {
    [
        Shown {
            came: host_data(wire, PEER_ISN + 1, b"").octets(99),
            leaves: host_data(1001, PEER_ISN + 1, b"").octets(99),
        },
        Shown {
            came: peer_data(PEER_ISN + 1, 1001, b"").octets(99),
            leaves: peer_data(PEER_ISN + 1, wire, b"").octets(99),
        },
    ]
}

/// Every type of error, with octets that are no length of a quote where the type has none there.
fn kinds(carrier: &Carrier) -> Vec<(u8, [u8; 4])> {
    if carrier.key4().is_some() {
        vec![
            (3, [0, 0, 0x05, 0x78]),
            (4, [9, 8, 7, 6]),
            (5, [203, 7, 113, 1]),
            (11, [0; 4]),
            (12, [0xff, 0, 0, 0]),
        ]
    } else {
        vec![
            (1, [0; 4]),
            (2, [9, 8, 7, 6]),
            (3, [0; 4]),
            (4, [9, 8, 7, 6]),
        ]
    }
}

/// The first of them: destination unreachable.
fn unreachable(carrier: &Carrier) -> (u8, [u8; 4]) {
    kinds(carrier)[0]
}

fn open(flow: &mut Flow<'_>) -> u32 {
    flow.translated(1000).wrapping_add(1)
}

const WHOLE: usize = 1000;

#[test]
fn every_type_in_every_frame() {
    play(
        &all_carriers(),
        &[case(
            "S12: errors of every type, from the other end and from a router (47, 50, 51, 54)",
            |flow| {
                let wire = open(flow);
                let inner = flow.carrier.clone();
                for shown in both_ways(wire) {
                    for kind in kinds(&inner) {
                        for octets in [8, WHOLE] {
                            let [came, leaves] = shown.errors(&inner, kind, octets);
                            if octets == 8 && came.direction == Outbound {
                                continue;
                            }
                            let router = inner.clone().of_router(came.direction);
                            for outer in [&inner, &router] {
                                flow.expect_error(outer, &came, &leaves);
                            }
                        }
                    }
                }
                flow.expect(&host_data(1001, PEER_ISN + 1, b"x"), &Seq(wire), NOTHING);
            },
        )],
    );
}

#[test]
fn quotes_of_every_length() {
    play(
        &both_families(),
        &[
            case(
                "S12: an error to the host needs 8 octets, and one to the peer as many as tell the acknowledgment (47, 49, 50, 52)",
                |flow| {
                    let wire = open(flow);
                    let inner = flow.carrier.clone();
                    for shown in both_ways(wire) {
                        for octets in (0..=40).chain([118, 119, WHOLE]) {
                            let kind = unreachable(&inner);
                            let [came, leaves] = shown.errors(&inner, kind, octets);
                            let needed = if came.direction == Inbound { 8 } else { 14 };
                            if octets < needed {
                                flow.expect_error_untouched(&inner, &came, PassReason::Icmp);
                            } else {
                                flow.expect_error(&inner, &came, &leaves);
                            }
                        }
                    }
                },
            ),
            case(
                "S12: with the quoted checksum, the checksum of the error stays the same (48)",
                |flow| {
                    let wire = open(flow);
                    let inner = flow.carrier.clone();
                    let checksum = inner.tcp_at() + 2..inner.tcp_at() + 4;
                    for shown in both_ways(wire) {
                        for octets in [14, 16, 17, 18, 19, 20, 33, WHOLE] {
                            let [came, leaves] = shown.errors(&inner, unreachable(&inner), octets);
                            let before = inner.icmp_frame(&came);
                            let after = flow.expect_error(&inner, &came, &leaves);
                            let same = before[checksum.clone()] == after[checksum.clone()];
                            flow.require(
                                same == (octets >= 18),
                                format!("quote of {octets} octets: the same checksum: {same}"),
                            );
                        }
                    }
                },
            ),
            case(
                "S12: quotes that end within the network header, or before it (52)",
                |flow| {
                    let wire = open(flow);
                    let inner = flow.carrier.clone();
                    for shown in both_ways(wire) {
                        let [came, _] = shown.errors(&inner, unreachable(&inner), 8);
                        for octets in 0..came.quote.tcp_at + 8 {
                            let mut cut = came.clone();
                            cut.quote.octets.truncate(octets);
                            flow.expect_error_untouched(&inner, &cut, PassReason::Icmp);
                        }
                    }
                },
            ),
        ],
    );
}

#[test]
fn quoted_sack() {
    play(
        &both_families(),
        &[
            case(
                "S12: every edge in the peer's segment, at every alignment; none of a cut option (50)",
                |flow| {
                    let wire = open(flow);
                    for nops in 0..=5 {
                        for count in 1..=4 {
                            cut_everywhere(flow, wire, nops, count);
                        }
                    }
                },
            ),
            case("S12: two options, the second one cut (50)", |flow| {
                let wire = open(flow);
                let inner = flow.carrier.clone();
                let with = |acknowledgment, first: u32, second: u32| {
                    peer_ack(PEER_ISN + 1, acknowledgment)
                        .nops(1)
                        .sack(&[(first.wrapping_add(5), first.wrapping_add(9))])
                        .timestamps(1, 2)
                        .sack(&[(second.wrapping_add(20), second.wrapping_add(30))])
                };
                for octets in 30..=51 {
                    let first = if octets >= 31 { wire } else { 1001 };
                    let second = if octets >= 51 { wire } else { 1001 };
                    let shown = Shown {
                        came: with(1001, 1001, 1001),
                        leaves: with(wire, first, second),
                    };
                    let [came, leaves] = shown.errors(&inner, unreachable(&inner), octets);
                    flow.expect_error(&inner, &came, &leaves);
                }
            }),
            case(
                "S12: the host's acknowledgment and SACK in an error to the host stay (49)",
                |flow| {
                    let wire = open(flow);
                    let inner = flow.carrier.clone();
                    for nops in 0..=3 {
                        let with = |sequence| {
                            host_ack(sequence, PEER_ISN + 1)
                                .nops(nops)
                                .sack(&blocks(PEER_ISN, 3))
                        };
                        let shown = Shown {
                            came: with(wire),
                            leaves: with(1001),
                        };
                        for octets in [12, 31, 40, WHOLE] {
                            let [came, leaves] = shown.errors(&inner, unreachable(&inner), octets);
                            flow.expect_error(&inner, &came, &leaves);
                        }
                    }
                },
            ),
        ],
    );
}

fn blocks(base: u32, count: u32) -> Vec<(u32, u32)> {
    let at = |octets: u32| base.wrapping_add(octets);
    (0..count)
        .map(|block| (at(1000 + 3001 * block), at(2777 + 3000 * block)))
        .collect()
}

/// An error about a segment with a SACK option, at every length from the fixed header to the whole.
fn cut_everywhere(flow: &mut Flow<'_>, wire: u32, nops: usize, count: u32) {
    let inner = flow.carrier.clone();
    let with = |acknowledgment, base| {
        peer_ack(PEER_ISN + 1, acknowledgment)
            .nops(nops)
            .sack(&blocks(base, count))
            .octets(3)
    };
    let option_end = 20 + nops + 2 + 8 * count as usize;
    for octets in 20..option_end + 6 {
        let base = if octets >= option_end { wire } else { 1001 };
        let shown = Shown {
            came: with(1001, 1001),
            leaves: with(wire, base),
        };
        let [came, leaves] = shown.errors(&inner, unreachable(&inner), octets);
        flow.expect_error(&inner, &came, &leaves);
    }
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
                                came: peer_data(7, numbers(host), b"abc").sack(&blocks(host, 1)),
                                leaves: peer_data(7, numbers(wire), b"abc").sack(&blocks(wire, 1)),
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
