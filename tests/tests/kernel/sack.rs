//! Selective acknowledgments: every edge, at every alignment (S9, S11; RFC 2018, RFC 2883).

use isn_tests::two_worlds::prelude::*;

#[test]
fn every_alignment_and_number_of_blocks() {
    play(
        &all_carriers(),
        &[
            case(
                "S9: 1 to 4 blocks behind 0 to 3 NOPs, alone and with data (30)",
                |flow| {
                    let (host, wire) = (1001, flow.translated(1000).wrapping_add(1));
                    for count in 1..=4 {
                        for nops in 0..=3 {
                            for octets in [0, 1, 2, 7] {
                                let received = peer_ack(PEER_ISN + 1, wire)
                                    .nops(nops)
                                    .sack(&blocks(wire, count))
                                    .octets(octets);
                                flow.expect(
                                    &received,
                                    &Leaves::Ack(host, blocks(host, count)),
                                    NOTHING,
                                );
                            }
                        }
                    }
                },
            ),
            case("S9: 1 to 3 blocks behind timestamps (30)", |flow| {
                let (host, wire) = (1001, flow.translated(1000).wrapping_add(1));
                for count in 1..=3 {
                    for nops in 0..=4 {
                        let received = peer_ack(PEER_ISN + 1, wire)
                            .nops(nops)
                            .timestamps(77, 88)
                            .sack(&blocks(wire, count));
                        flow.expect(&received, &Leaves::Ack(host, blocks(host, count)), NOTHING);
                        let linux = peer_ack(PEER_ISN + 1, wire).nops(2).timestamps(77, 88);
                        let linux = linux.nops(nops.min(2)).sack(&blocks(wire, count));
                        flow.expect(&linux, &Leaves::Ack(host, blocks(host, count)), NOTHING);
                    }
                }
            }),
        ],
    );
}

#[test]
fn edges_anywhere_in_the_number_space() {
    play(
        &both_families(),
        &[
            case(
                "S9: blocks that straddle 2^32 before and after, at both alignments (31)",
                |flow| {
                    let mut port = 7000;
                    for wire in EDGES {
                        for host in EDGES.into_iter().filter(|host| *host != wire) {
                            port += 1;
                            flow.carrier = flow.carrier.clone().from_port(port);
                            flow.translated_to(host, wire);
                            let sent = |base: u32| {
                                vec![
                                    (base.wrapping_sub(2), base.wrapping_add(3)),
                                    (base, u32::MAX),
                                ]
                            };
                            let by = host.wrapping_sub(wire);
                            let wanted: Vec<_> = sent(wire)
                                .iter()
                                .map(|(a, b)| (a.wrapping_add(by), b.wrapping_add(by)))
                                .collect();
                            for nops in 0..=1 {
                                let received = peer_ack(PEER_ISN + 1, wire.wrapping_add(1))
                                    .nops(nops)
                                    .sack(&sent(wire));
                                flow.expect(
                                    &received,
                                    &Leaves::Ack(host.wrapping_add(1), wanted.clone()),
                                    NOTHING,
                                );
                            }
                        }
                    }
                },
            ),
            case(
                "S9: D-SACK, below the acknowledgment and inside another block (31)",
                |flow| {
                    let (host, wire) = (1001u32, flow.translated(1000).wrapping_add(1));
                    let with = |base: u32, list: &[(i32, i32)]| -> Vec<(u32, u32)> {
                        list.iter()
                            .map(|(a, b)| {
                                (base.wrapping_add_signed(*a), base.wrapping_add_signed(*b))
                            })
                            .collect()
                    };
                    for list in [
                        &[(-500, -100)][..],
                        &[(100, 200), (100, 900)],
                        &[(-9, -1), (5, 6)],
                    ] {
                        let received = peer_ack(PEER_ISN + 1, wire).nops(2).sack(&with(wire, list));
                        flow.expect(&received, &Leaves::Ack(host, with(host, list)), NOTHING);
                    }
                },
            ),
        ],
    );
}

#[test]
fn where_the_option_stands() {
    play(
        &both_families(),
        &[
            case(
                "S9: behind any number of NOPs, up to the last octet of the header (30)",
                |flow| {
                    let (host, wire) = (1001, flow.translated(1000).wrapping_add(1));
                    for nops in 0..=30 {
                        let received = peer_ack(PEER_ISN + 1, wire)
                            .nops(nops)
                            .sack(&blocks(wire, 1));
                        flow.expect(&received, &Leaves::Ack(host, blocks(host, 1)), NOTHING);
                    }
                },
            ),
            case("S9: behind 15 options of 2 octets", |flow| {
                let (host, wire) = (1001, flow.translated(1000).wrapping_add(1));
                let received = peer_ack(PEER_ISN + 1, wire)
                    .raw_options(&[4, 2].repeat(15))
                    .sack(&blocks(wire, 1));
                flow.expect(&received, &Leaves::Ack(host, blocks(host, 1)), NOTHING);
            }),
            case("S9: behind options that nobody knows", |flow| {
                let (host, wire) = (1001, flow.translated(1000).wrapping_add(1));
                for unknown in [
                    &[200, 2][..],
                    &[200, 3, 5],
                    &[99, 12, 5, 10, 1, 2, 3, 4, 5, 6, 7, 8],
                ] {
                    let received = peer_ack(PEER_ISN + 1, wire)
                        .raw_options(unknown)
                        .sack(&blocks(wire, 2));
                    flow.expect(&received, &Leaves::Ack(host, blocks(host, 2)), NOTHING);
                }
            }),
            case("S9: before other options", |flow| {
                let (host, wire) = (1001, flow.translated(1000).wrapping_add(1));
                for nops in 0..=1 {
                    let received = peer_ack(PEER_ISN + 1, wire)
                        .nops(nops)
                        .sack(&blocks(wire, 2))
                        .timestamps(1, 2);
                    flow.expect(&received, &Leaves::Ack(host, blocks(host, 2)), NOTHING);
                }
            }),
            case(
                "S9: what stands behind the end of the list is no option",
                |flow| {
                    let (host, wire) = (1001, flow.translated(1000).wrapping_add(1));
                    let received = peer_ack(PEER_ISN + 1, wire)
                        .raw_options(&[0])
                        .sack(&blocks(wire, 1));
                    flow.expect(&received, &ack(host), NOTHING);
                },
            ),
        ],
    );
}
