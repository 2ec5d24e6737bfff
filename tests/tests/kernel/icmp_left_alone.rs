//! ICMP and ICMPv6 that quotes nothing to translate, or is no error at all: it passes and is counted (S12, S13).

use isn_tests::{
    packet_builder::{
        carrier::DOT1Q,
        extension::{AUTHENTICATION, Extension},
        fragment::MORE_FRAGMENTS,
    },
    two_worlds::{
        about::{errors, is_v4, untouched},
        prelude::*,
        shown::WHOLE,
    },
};

fn open(flow: &mut Flow<'_>) -> u32 {
    flow.translated(1000).wrapping_add(1)
}

#[test]
fn quotes_that_are_left_alone() {
    play(
        &both_families(),
        &[
            case("S12: a quoted later fragment (52)", |flow| {
                let wire = open(flow);
                let plain = flow.carrier.clone();
                for offset in [8, 1480] {
                    let later = if is_v4(flow) {
                        plain.clone().fragment(offset / 8)
                    } else {
                        plain.clone().extension(Extension::fragment(offset, false))
                    };
                    untouched(flow, &plain, &later, wire, PassReason::Icmp);
                }
            }),
            case("S12: quotes of anything but TCP (52)", |flow| {
                let wire = open(flow);
                let plain = flow.carrier.clone();
                let protocol_at = if is_v4(flow) { 9 } else { 6 };
                for protocol in [17, 1, 58, 50, AUTHENTICATION, 132, 4, 41, 47, 59] {
                    for [came, _] in errors(&plain, wire, WHOLE) {
                        let mut other = came.clone();
                        other.quote.octets[protocol_at] = protocol;
                        flow.expect_error_untouched(&plain, &other, PassReason::Icmp);
                    }
                }
            }),
            case(
                "S12: quotes of another version of IP, or with an impossible header",
                |flow| {
                    let wire = open(flow);
                    let plain = flow.carrier.clone();
                    for first in [0x00, 0x44, 0x46, 0x54, 0x65, 0xf5] {
                        for [came, _] in errors(&plain, wire, 20) {
                            let mut other = came.clone();
                            let same = other.quote.octets[0] >> 4 == first >> 4;
                            if is_v4(flow) && first == 0x46 || !is_v4(flow) && same {
                                continue;
                            }
                            other.quote.octets[0] = first;
                            flow.expect_error_untouched(&plain, &other, PassReason::Icmp);
                        }
                    }
                },
            ),
        ],
    );
}

#[test]
fn flows_that_are_not_meant() {
    play(
        &both_families(),
        &[
            case(
                "S12: no such flow, on this VLAN, with these ports, or the other way round (53)",
                |flow| {
                    let wire = open(flow);
                    let plain = flow.carrier.clone();
                    let tagged = plain.clone().tagged(DOT1Q, 9);
                    untouched(flow, &tagged, &plain, wire, PassReason::Icmp);
                    for inner in [plain.clone().from_port(9), plain.clone().to_port(9)] {
                        untouched(flow, &plain, &inner, wire, PassReason::Icmp);
                    }
                    for [came, _] in errors(&plain, wire, WHOLE) {
                        let direction = match came.direction {
                            Outbound => Inbound,
                            Inbound => Outbound,
                        };
                        let turned = Icmp { direction, ..came };
                        flow.expect_error_untouched(&plain, &turned, PassReason::Icmp);
                    }
                },
            ),
            case(
                "S12: a flow that is followed with offset 0, in either table (53)",
                |flow| {
                    let plain = flow.carrier.clone();
                    untouched(flow, &plain, &plain, 1001, PassReason::Icmp);
                    flow.closed_connection(5_000_000, 5_065_535);
                    untouched(flow, &plain, &plain, 5_000_000, PassReason::Icmp);
                    flow.carrier = plain.from_port(4000);
                    let plain = flow.carrier.clone();
                    let wire = open(flow);
                    flow.expect(&host_rst(1001), &Seq(wire), NOTHING);
                    flow.expect(
                        &host_syn(wire.wrapping_add(0x0100_0000)),
                        &AS_IT_CAME,
                        SAFE_SYN,
                    );
                    untouched(flow, &plain, &plain, wire, PassReason::Icmp);
                },
            ),
        ],
    );
}

#[test]
fn messages_that_are_no_errors() {
    play(
        &both_families(),
        &[case(
            "S13: echo, neighbour discovery and the rest, even with a quote in them (51)",
            |flow| {
                let wire = open(flow);
                let plain = flow.carrier.clone();
                let errors_of_family: &[u8] = if is_v4(flow) {
                    &[3, 4, 5, 11, 12]
                } else {
                    &[1, 2, 3, 4]
                };
                for kind in (0..=255).filter(|kind| !errors_of_family.contains(kind)) {
                    for [came, _] in errors(&plain, wire, WHOLE) {
                        let other = Icmp { kind, ..came };
                        flow.expect_error_untouched(&plain, &other, PassReason::Icmp);
                    }
                }
            },
        )],
    );
}

#[test]
fn errors_in_fragments() {
    play(
        &both_families(),
        &[case(
            "S13: an error that is a fragment itself (55)",
            |flow| {
                let wire = open(flow);
                let plain = flow.carrier.clone();
                for (offset, more, why) in [
                    (0, true, PassReason::IcmpFragment),
                    (8, true, PassReason::Fragment),
                    (1480, false, PassReason::Fragment),
                ] {
                    let piece = if is_v4(flow) {
                        let flags = if more { MORE_FRAGMENTS } else { 0 };
                        plain.clone().fragment(flags | (offset / 8))
                    } else {
                        plain.clone().extension(Extension::fragment(offset, more))
                    };
                    untouched(flow, &piece, &plain, wire, why);
                }
            },
        )],
    );
}
