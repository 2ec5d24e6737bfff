//! Segments of a flow with a timestamp offset: every timestamp is translated, wherever it stands (PAWS, S9; RFC 7323 section 3).

use isn_tests::two_worlds::{
    prelude::*,
    stamps::{EDGE, NEW_PEER, Open, PEER_CLOCK, both_kinds, open, stamped},
};

#[test]
fn segments_of_both_ends() {
    play(
        &all_carriers(),
        &[
            case(
                "PAWS: data and acknowledgments both ways, with SACK (76)",
                |flow| {
                    both_kinds(flow, |flow, open| {
                        let data = |sequence, value| {
                            stamped(host_data(sequence, NEW_PEER + 1, b"odd"), value, PEER_CLOCK)
                        };
                        let _ = flow.becomes(
                            &data(open.host, 1500),
                            &data(open.wire, open.clock(1500)),
                            NOTHING,
                        );
                        for blocks in 0..=3 {
                            let answer = |base: u32, echo| {
                                let at = |octets: u32| base.wrapping_add(octets);
                                let list: Vec<_> =
                                    (1..=blocks).map(|n| (at(9 * n), at(9 * n + 5))).collect();
                                let tcp = stamped(peer_ack(NEW_PEER + 1, at(3)), PEER_CLOCK, echo);
                                if list.is_empty() {
                                    tcp
                                } else {
                                    tcp.nops(2).sack(&list)
                                }
                            };
                            let came = answer(open.wire, open.clock(1500));
                            let edges = if open.wire == open.host {
                                0
                            } else {
                                2 * blocks
                            };
                            let moved = [(Counter::SackEdgesTranslated, edges.into())];
                            let _ = flow.becomes(&came, &answer(open.host, 1500), &moved);
                        }
                    });
                },
            ),
            case(
                "PAWS: TSecr 0 stays 0, and TSval 0 is a number (76)",
                |flow| {
                    both_kinds(flow, |flow, open| {
                        let answer =
                            |ack, echo| stamped(peer_ack(NEW_PEER + 1, ack), PEER_CLOCK, echo);
                        let _ = flow.becomes(&answer(open.wire, 0), &answer(open.host, 0), NOTHING);
                        let _ = flow.becomes(
                            &answer(open.wire, open.by),
                            &answer(open.host, 0),
                            NOTHING,
                        );
                        let sent =
                            |sequence, value| stamped(host_ack(sequence, NEW_PEER + 1), value, 0);
                        let _ =
                            flow.becomes(&sent(open.host, 0), &sent(open.wire, open.by), NOTHING);
                    });
                },
            ),
            case(
                "PAWS: no ACK, no echo: the peer's segment stays; the host's TSecr and the peer's TSval always do (76)",
                |flow| {
                    both_kinds(flow, |flow, open| {
                        for flags in [RST, SYN, PSH, 0, FIN] {
                            let came =
                                stamped(segment(Inbound, flags, NEW_PEER + 1, 7), 9, open.clock(1));
                            let _ = flow.becomes(&came, &came, NOTHING);
                        }
                        let sent = |sequence, value| {
                            stamped(host_ack(sequence, NEW_PEER + 1), value, open.clock(77))
                        };
                        let _ = flow.becomes(
                            &sent(open.host, 2000),
                            &sent(open.wire, open.clock(2000)),
                            NOTHING,
                        );
                    });
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
                "PAWS: at every alignment, behind every option, up to four times (76)",
                |flow| {
                    both_kinds(flow, |flow, open| {
                        let before: [&[u8]; 8] = [
                            &[],
                            &[1],
                            &[1; 2],
                            &[1; 3],
                            &[1; 30],
                            &[2, 4, 5, 180],
                            &[200, 3, 8],
                            &[99, 12, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8],
                        ];
                        for before in before {
                            with_options(flow, open, |value, echo| {
                                segment(Outbound, 0, 0, 0)
                                    .raw_options(before)
                                    .timestamps(value, echo)
                                    .options
                            });
                        }
                        for times in 2..=4 {
                            with_options(flow, open, |value, echo| {
                                let one = |tcp: Tcp, _| tcp.timestamps(value, echo);
                                (0..times).fold(segment(Outbound, 0, 0, 0), one).options
                            });
                        }
                    });
                },
            ),
            case(
                "PAWS: behind the end of the list, cut, or of another length, nothing is a timestamp (76)",
                |flow| {
                    both_kinds(flow, |flow, open| {
                        let none: [&[u8]; 7] = [
                            &[0, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 0],
                            &[8, 9, 1, 2, 3, 4, 5, 6, 7, 1, 1, 1],
                            &[8, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1],
                            &[8, 2, 1, 1],
                            &[8, 0, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8],
                            &[1, 1, 8, 10],
                            &[200, 255, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8],
                        ];
                        for options in none {
                            with_options(flow, open, |_, _| options.to_vec());
                        }
                    });
                },
            ),
        ],
    );
}

/// Segments of both ends with options that hold the given timestamps, twice.
fn with_options(flow: &mut Flow<'_>, open: Open, options: impl Fn(u32, u32) -> Vec<u8>) {
    for octets in [0, 1] {
        let sent = |sequence, value| {
            let tcp = host_ack(sequence, NEW_PEER + 1).raw_options(&options(value, 55));
            tcp.octets(octets)
        };
        let _ = flow.becomes(
            &sent(open.host, 3000),
            &sent(open.wire, open.clock(3000)),
            NOTHING,
        );
        let received = |ack, echo| {
            let tcp = peer_ack(NEW_PEER + 1, ack).raw_options(&options(66, echo));
            tcp.octets(octets)
        };
        let came = received(open.wire, open.clock(3000));
        let _ = flow.becomes(&came, &received(open.host, 3000), NOTHING);
    }
}

#[test]
fn where_there_is_nothing_to_change() {
    play(
        &both_families(),
        &[
            case(
                "PAWS, S10, S11: without timestamps nothing changes, whatever the checksum is, 0000 and ffff included (57, 76)",
                |flow| {
                    let open = open(flow, EDGE + 1);
                    for tcp in [
                        host_data(open.host, NEW_PEER + 1, b""),
                        peer_data(NEW_PEER + 1, open.wire, b""),
                    ] {
                        for tcp in with_zero_checksums(flow, &tcp) {
                            let stepped = flow.becomes(&tcp, &tcp, NOTHING);
                            flow.require(
                                stepped.frame == flow.carrier.frame(&tcp),
                                format!("octets changed: {tcp:?}"),
                            );
                        }
                    }
                },
            ),
            case(
                "PAWS, S9: resets with numbers that stand for none stay, timestamps included (20, 22, 76)",
                |flow| {
                    both_kinds(flow, |flow, open| {
                        let none = stamped(peer_rst_ack(NEW_PEER + 1, 0), 7, open.clock(1));
                        flow.expect(&none, &NOTHING_IN_IT, NOTHING);
                        let syn = stamped(peer_syn(NEW_PEER + 9), 7, 0);
                        flow.expect(&syn, &NOTHING_IN_IT, NOTHING);
                        let refusal = stamped(host_rst_ack(0, NEW_PEER + 10), 0, 7);
                        let closed_port = Leaves::Unchanged(PassReason::ClosedPort);
                        flow.expect(&refusal, &closed_port, NOTHING);
                    });
                },
            ),
        ],
    );
}

/// The segment with data that make its checksum 0000, the same with ffff written for it, and with 0001.
fn with_zero_checksums(flow: &Flow<'_>, tcp: &Tcp) -> [Tcp; 3] {
    let at = flow.carrier.tcp_at() + 16;
    let with = |wanted: u16| {
        let candidates = (0..=u16::MAX).map(|word| tcp.clone().payload(&word.to_be_bytes()));
        let fits = |tcp: &Tcp| flow.carrier.frame(tcp)[at..at + 2] == wanted.to_be_bytes();
        candidates
            .into_iter()
            .find(fits)
            .unwrap_or_else(|| flow.fail(format!("no data gives checksum {wanted:#06x}")))
    };
    [with(0), with(0).bad_checksum(0xffff), with(1)]
}
