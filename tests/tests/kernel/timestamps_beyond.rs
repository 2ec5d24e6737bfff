//! Errors, fragments and late segments of a flow with a timestamp offset (PAWS, S12 to S14, S16; RFC 7323 section 3).

use isn_tests::two_worlds::{
    before::LATE,
    prelude::*,
    shown::{Shown, WHOLE, unreachable},
    stamps::{END, LATEST, NEW_PEER, Open, PEER_CLOCK, both_kinds, stamped},
};

#[test]
fn errors_and_fragments() {
    play(
        &both_families(),
        &[
            case(
                "PAWS, S12: quotes of every length: a timestamp that is quoted whole is put back (47, 50, 76)",
                |flow| {
                    both_kinds(flow, |flow, open| {
                        for octets in 8..=40 {
                            quoted(flow, open, octets);
                        }
                        quoted(flow, open, WHOLE);
                    });
                },
            ),
            case(
                "PAWS, S13: a tiny first fragment of it is dropped (65, 76)",
                |flow| {
                    both_kinds(flow, |flow, open| {
                        for tcp in [
                            stamped(host_data(open.host, NEW_PEER + 1, b""), 1, 2).octets(64),
                            stamped(peer_data(NEW_PEER + 1, open.wire, b""), 1, 2).octets(64),
                        ] {
                            for octets in [8, 16, 24] {
                                let frame = flow.carrier.first_fragment(&tcp, octets);
                                let stepped = flow.offer_octets(tcp.direction, &frame);
                                let dropped = Verdict::Drop(DropReason::Untranslatable);
                                flow.require(
                                    stepped.counted == expected(dropped, NOTHING),
                                    format!("{:?} of {octets} octets", stepped.verdict),
                                );
                            }
                        }
                    });
                },
            ),
            case(
                "PAWS, S14: late segments of the connection before keep its timestamps (39, 76)",
                |flow| {
                    both_kinds(flow, |flow, _| {
                        let late =
                            stamped(host_data(END - 900, PEER_ISN + 1, b"late"), LATEST - 400, 7);
                        let _ = flow.becomes(&late, &late, LATE);
                    });
                },
            ),
            case(
                "PAWS, S16: idle for days, and still translated (44, 76)",
                |flow| {
                    both_kinds(flow, |flow, open| {
                        flow.wait(300_000);
                        let sent =
                            |sequence, value| stamped(host_ack(sequence, NEW_PEER + 1), value, 9);
                        let _ = flow.becomes(
                            &sent(open.host, 9),
                            &sent(open.wire, open.clock(9)),
                            NOTHING,
                        );
                    });
                },
            ),
        ],
    );
}

/// An error about each end with so many octets of a segment with timestamps.
fn quoted(flow: &mut Flow<'_>, open: Open, octets: usize) {
    // The option ends with octet 32.
    let is_whole = octets >= 32;
    let clock = |whole: u32, cut: u32| if is_whole { whole } else { cut };
    let host = |sequence, value| stamped(host_data(sequence, NEW_PEER + 1, b"x"), value, 7);
    let peer = |ack, echo| stamped(peer_data(NEW_PEER + 1, ack, b"x"), PEER_CLOCK, echo);
    let (far, near) = (open.clock(4000), 4000);
    let inner = flow.carrier.clone();
    for shown in [
        Shown {
            came: host(open.wire, far),
            leaves: host(open.host, clock(near, far)),
        },
        Shown {
            came: peer(open.host, near),
            leaves: peer(open.wire, clock(far, near)),
        },
    ] {
        let [came, leaves] = shown.errors(&inner, unreachable(&inner), octets);
        let nothing = came.quote == leaves.quote;
        let shows = came.direction == Inbound || octets >= 14;
        if shows && !nothing {
            flow.expect_error(&inner, &came, &leaves);
        }
    }
}
