//! TCP in IP fragments: the first one is translated or dropped, never by half (S13; RFC 791, RFC 1858, RFC 8200).

use isn_tests::{
    packet_builder::carrier::{DOT1AD, DOT1Q},
    two_worlds::prelude::*,
};

const DROPPED: Verdict = Verdict::Drop(DropReason::Untranslatable);
const SHORT: PassReason = PassReason::ShortFragment;

/// Plain, tagged, and padded to the shortest Ethernet frame with octets that are no header.
fn carriers() -> Vec<Carrier> {
    let mut carriers = both_families();
    for plain in both_families() {
        carriers.extend([
            plain
                .clone()
                .tagged(DOT1AD, 5)
                .tagged(DOT1Q, 6)
                .named("fragments in QinQ"),
            plain.trailer(&[0xa5; 40]).named("padded fragments"),
        ]);
    }
    carriers
}

fn open(flow: &mut Flow<'_>) -> u32 {
    flow.translated(1000).wrapping_add(1)
}

/// A fragment that must leave with these octets and count as this.
fn sent(
    flow: &mut Flow<'_>,
    direction: Direction,
    came: &[u8],
    wanted: &[u8],
    outcome: Verdict,
    events: &Events,
) {
    let stepped = flow.offer_octets(direction, came);
    flow.require(
        stepped.verdict == outcome,
        format!("{:?}, expected {outcome:?}\n  {came:02x?}", stepped.verdict),
    );
    let dropped = matches!(outcome, Verdict::Drop(_));
    flow.require(
        dropped || stepped.frame == wanted,
        format!("expected {wanted:02x?}\n       got {:02x?}", stepped.frame),
    );
    if let Some(difference) = unlike(outcome, events, &stepped.counted) {
        flow.fail(difference);
    }
}

/// A first fragment that must leave as that of another segment: with the checksum of all fragments together.
fn translated(flow: &mut Flow<'_>, came: &Tcp, leaves: &Tcp, octets: usize, events: &Events) {
    let outcome = match came.direction {
        Outbound => Verdict::TranslatedOut,
        Inbound => Verdict::TranslatedIn,
    };
    let [came_frame, wanted] = [came, leaves].map(|tcp| flow.carrier.first_fragment(tcp, octets));
    sent(flow, came.direction, &came_frame, &wanted, outcome, events);
}

#[test]
fn first_fragments_with_the_whole_header() {
    play(
        &carriers(),
        &[
            case(
                "S11: the checksum covers what is in other fragments (65)",
                |flow| {
                    let wire = open(flow);
                    for octets in [24, 32, 64, 512] {
                        let host = |sequence| host_data(sequence, PEER_ISN + 1, b"").octets(901);
                        let peer = |number| peer_data(PEER_ISN + 1, number, b"").octets(901);
                        translated(flow, &host(1001), &host(wire), octets, NOTHING);
                        translated(flow, &peer(wire), &peer(1001), octets, NOTHING);
                    }
                },
            ),
            case(
                "S9: SACK in a header that fills its fragment (65)",
                |flow| {
                    let wire = open(flow);
                    let with = |base: u32| {
                        let at = |octets: u32| base.wrapping_add(octets);
                        peer_ack(PEER_ISN + 1, base)
                            .nops(1)
                            .sack(&[(at(70), at(90)), (at(120), at(150))])
                            .nops(1)
                            .octets(200)
                    };
                    let moved: &Events = &[(Counter::SackEdgesTranslated, 4)];
                    for octets in [40, 48, 128] {
                        translated(flow, &with(wire), &with(1001), octets, moved);
                    }
                },
            ),
            case(
                "S1: a SYN in a first fragment with its whole header (65)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let syn = host_syn(1000).window_scale(7).nops(1).octets(64);
                    let fragment = flow.carrier.first_fragment(&syn, 32);
                    let stepped = flow.offer_octets(Outbound, &fragment);
                    let at =
                        flow.carrier.first_fragment(&syn, 0).len() - flow.carrier.trailer.len() + 4;
                    let number = &stepped.frame[at..at + 4];
                    let wire = u32::from_be_bytes([number[0], number[1], number[2], number[3]]);
                    flow.require(
                        stepped.verdict == Verdict::TranslatedOut && wire != 1000,
                        format!("{:?}, wire ISN {wire}", stepped.verdict),
                    );
                    let counted = expected(stepped.verdict, REWRITTEN);
                    if let Some(difference) = difference(&counted, &stepped.counted) {
                        flow.fail(difference);
                    }
                    flow.expect(&syn, &Seq(wire), RETRANSMIT);
                },
            ),
        ],
    );
}

#[test]
fn tiny_first_fragments() {
    play(
        &carriers(),
        &[
            case(
                "S13: of a translated flow, both ways: dropped (65)",
                |flow| {
                    let wire = open(flow);
                    let before = flow.worlds.state().clone();
                    for octets in [8, 16] {
                        for tcp in of_both(wire) {
                            let frame = flow.carrier.first_fragment(&tcp, octets);
                            sent(flow, tcp.direction, &frame, &[], DROPPED, NOTHING);
                        }
                    }
                    flow.require(
                        flow.worlds.state() == &before,
                        "a dropped fragment changed a flow",
                    );
                    flow.expect(&host_data(1001, PEER_ISN + 1, b"x"), &Seq(wire), NOTHING);
                },
            ),
            case(
                "S13: a header whose options are cut, of a translated flow: dropped (65)",
                |flow| {
                    let wire = open(flow);
                    for octets in [24, 32] {
                        for tcp in of_both(wire).map(|tcp| tcp.nops(2).timestamps(1, 2).nops(4)) {
                            let frame = flow.carrier.first_fragment(&tcp, octets);
                            sent(flow, tcp.direction, &frame, &[], DROPPED, NOTHING);
                        }
                    }
                },
            ),
            case(
                "S13: of flows that need no translation: they pass (65)",
                |flow| {
                    pass(flow);
                    flow.closed_connection(5_000_000, 5_065_535);
                    pass(flow);
                    flow.carrier = flow.carrier.clone().from_port(4000);
                    let wire = open(flow);
                    flow.expect(&host_rst(1001), &Seq(wire), NOTHING);
                    flow.expect(
                        &host_syn(wire.wrapping_add(0x0100_0000)),
                        &AS_IT_CAME,
                        SAFE_SYN,
                    );
                    pass(flow);
                },
            ),
            case("S1: of a SYN: it decides nothing (65)", |flow| {
                let before = flow.worlds.state().clone();
                for tcp in [host_syn(7).octets(64), peer_syn(7).octets(64)] {
                    for octets in [8, 16] {
                        let frame = flow.carrier.first_fragment(&tcp, octets);
                        flow.expect_untouched(tcp.direction, &frame, SHORT, NOTHING);
                    }
                }
                flow.require(flow.worlds.state() == &before, "half a SYN changed a flow");
            }),
        ],
    );
}

fn of_both(wire: u32) -> [Tcp; 2] {
    [
        host_data(1001, PEER_ISN + 1, b"").octets(100),
        peer_data(PEER_ISN + 1, wire, b"").octets(100),
    ]
}

/// Tiny first fragments of both ends pass.
fn pass(flow: &mut Flow<'_>) {
    for tcp in of_both(0x1234_5678) {
        for octets in [8, 16] {
            let frame = flow.carrier.first_fragment(&tcp, octets);
            flow.expect_untouched(tcp.direction, &frame, SHORT, NOTHING);
        }
        let direction = tcp.direction;
        let frame = flow.carrier.first_fragment(&tcp.nops(20), 32);
        flow.expect_untouched(direction, &frame, SHORT, NOTHING);
    }
}

#[test]
fn later_fragments() {
    play(
        &carriers(),
        &[case(
            "S13: later fragments pass, before the first one or behind it, whatever they hold (65)",
            |flow| {
                let wire = open(flow);
                let mut segments = of_both(wire);
                // Octets that would read as a header.
                for segment in &mut segments {
                    segment.payload.fill(0x50);
                }
                for tcp in segments {
                    let leaves = match tcp.direction {
                        Outbound => Tcp {
                            sequence: wire,
                            ..tcp.clone()
                        },
                        Inbound => Tcp {
                            acknowledgment: 1001,
                            ..tcp.clone()
                        },
                    };
                    let last = flow.carrier.last_fragment(&tcp, 24);
                    flow.expect_untouched(tcp.direction, &last, PassReason::Fragment, NOTHING);
                    translated(flow, &tcp, &leaves, 24, NOTHING);
                    flow.expect_untouched(tcp.direction, &last, PassReason::Fragment, NOTHING);
                    let overlap = flow.carrier.last_fragment(&tcp, 8);
                    flow.expect_untouched(tcp.direction, &overlap, PassReason::Fragment, NOTHING);
                }
            },
        )],
    );
}
