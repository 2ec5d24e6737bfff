//! ICMP and ICMPv6 messages of every form: what is found in them, and what is left alone (S12, S13; RFC 4884).

use isn_tests::{
    packet_builder::{
        carrier::DOT1Q,
        extension::{AUTHENTICATION, DESTINATION, Extension, HOP_BY_HOP, ROUTING},
        fragment::MORE_FRAGMENTS,
    },
    two_worlds::prelude::*,
};

const WHOLE: usize = 1000;

fn open(flow: &mut Flow<'_>) -> u32 {
    flow.translated(1000).wrapping_add(1)
}

fn is_v4(flow: &Flow<'_>) -> bool {
    flow.carrier.key4().is_some()
}

/// Time exceeded.
fn kind(carrier: &Carrier) -> u8 {
    if carrier.key4().is_some() { 11 } else { 3 }
}

/// Errors about the host's first segment, to the host, and about the peer's, to the peer: as they come and as they leave.
fn errors(inner: &Carrier, wire: u32, octets: usize) -> [[Icmp; 2]; 2] {
    let about = |direction, came: Tcp, leaves: Tcp| {
        [came, leaves].map(|tcp| Icmp::new(direction, kind(inner), inner.quote(&tcp, octets)))
    };
    let host = |sequence| host_data(sequence, PEER_ISN + 1, b"").octets(61);
    let peer = |acknowledgment| peer_data(PEER_ISN + 1, acknowledgment, b"").octets(61);
    [
        about(Inbound, host(wire), host(1001)),
        about(Outbound, peer(1001), peer(wire)),
    ]
}

/// Errors over `outer` that quote datagrams of `inner` are translated.
fn translated(flow: &mut Flow<'_>, outer: &Carrier, inner: &Carrier, wire: u32) {
    for octets in [14, 17, 18, WHOLE] {
        for [came, leaves] in errors(inner, wire, octets) {
            flow.expect_error(outer, &came, &leaves);
        }
    }
    let [[came, leaves], _] = errors(inner, wire, 8);
    flow.expect_error(outer, &came, &leaves);
}

/// Errors over `outer` that quote datagrams of `inner` pass.
fn untouched(flow: &mut Flow<'_>, outer: &Carrier, inner: &Carrier, wire: u32, why: PassReason) {
    for octets in [8, 20, WHOLE] {
        for [came, _] in errors(inner, wire, octets) {
            flow.expect_error_untouched(outer, &came, why);
        }
    }
}

#[test]
fn headers_around_and_within() {
    play(
        &[Carrier::v4()],
        &[
            case(
                "S12: IPv4 options in the quote and before the error (52)",
                |flow| {
                    let wire = open(flow);
                    let plain = flow.carrier.clone();
                    for words in 1..=10 {
                        let with = plain.clone().ip_options(&[1; 40][..4 * words]);
                        translated(flow, &plain, &with, wire);
                        translated(flow, &with, &plain, wire);
                        translated(flow, &with, &with, wire);
                    }
                },
            ),
            case("S12: a quoted first fragment", |flow| {
                let wire = open(flow);
                let plain = flow.carrier.clone();
                let first = plain.clone().fragment(MORE_FRAGMENTS);
                translated(flow, &plain, &first, wire);
            }),
        ],
    );
    play(
        &[Carrier::v6()],
        &[
            case(
                "S12: IPv6 extension headers in the quote and before the error (52)",
                |flow| {
                    let wire = open(flow);
                    let plain = flow.carrier.clone();
                    for chain in chains() {
                        let with = chain.into_iter().fold(plain.clone(), Carrier::extension);
                        translated(flow, &plain, &with, wire);
                        translated(flow, &with, &plain, wire);
                        translated(flow, &with, &with, wire);
                    }
                },
            ),
            case("S12: a quoted first fragment", |flow| {
                let wire = open(flow);
                let plain = flow.carrier.clone();
                let first = plain.clone().extension(Extension::fragment(0, true));
                translated(flow, &plain, &first, wire);
            }),
            case(
                "S13: more extension headers in the quote than are walked (66)",
                |flow| {
                    let wire = open(flow);
                    let plain = flow.carrier.clone();
                    let deep = (0..8).fold(plain.clone(), |carrier, _| {
                        carrier.extension(Extension::padded(DESTINATION, 0))
                    });
                    untouched(flow, &plain, &deep, wire, PassReason::Icmp);
                    untouched(flow, &deep, &plain, wire, PassReason::ExtensionHeaders);
                },
            ),
        ],
    );
}

fn chains() -> Vec<Vec<Extension>> {
    vec![
        vec![Extension::padded(HOP_BY_HOP, 0)],
        vec![Extension::padded(DESTINATION, 30)],
        vec![Extension::fragment(0, false)],
        vec![
            Extension::padded(HOP_BY_HOP, 0),
            Extension::padded(DESTINATION, 1),
            Extension::padded(ROUTING, 2),
            Extension::fragment(0, false),
            Extension::padded(DESTINATION, 0),
        ],
    ]
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

#[test]
fn extensions_behind_the_quote() {
    play(
        &both_families(),
        &[
            case(
                "S12: what follows a quote of declared length is not of it (49)",
                |flow| {
                    let wire = open(flow);
                    let plain = flow.carrier.clone();
                    // Octets of TCP, so that the quote is a whole number of words of RFC 4884.
                    for octets in [8, 16, 24, 72, WHOLE] {
                        for errors in errors(&plain, wire, octets) {
                            extended(flow, &plain, errors, octets);
                        }
                    }
                },
            ),
            case(
                "S12: a declared length beyond the message ends with it",
                |flow| {
                    let wire = open(flow);
                    let plain = flow.carrier.clone();
                    for octets in [14, 18, 24, WHOLE] {
                        for errors in errors(&plain, wire, octets) {
                            let [came, leaves] = errors.map(|error| error.rest([0xff, 0xff, 0, 0]));
                            flow.expect_error(&plain, &came, &leaves);
                        }
                    }
                },
            ),
            case(
                "S12: a quote declared too short to show a port number",
                |flow| {
                    let wire = open(flow);
                    let plain = flow.carrier.clone();
                    for words in 1..=if is_v4(flow) { 6 } else { 5 } {
                        for [came, _] in errors(&plain, wire, WHOLE) {
                            let came = came.rest(declared(&plain, words));
                            flow.expect_error_untouched(&plain, &came, PassReason::Icmp);
                        }
                    }
                },
            ),
        ],
    );
}

/// Octets 5 to 8 of an error that declares so many words of quote, of 32 bits in ICMP and of 64 in ICMPv6.
fn declared(carrier: &Carrier, words: usize) -> [u8; 4] {
    let words = u8::try_from(words).expect("a short quote");
    if carrier.key4().is_some() {
        [0, words, 0, 0]
    } else {
        [words, 0, 0, 0]
    }
}

/// The quote is filled up to whole words and to 128 octets if that is asked for, and an extension object follows.
fn extended(flow: &mut Flow<'_>, plain: &Carrier, errors: [Icmp; 2], octets: usize) {
    let unit = if plain.key4().is_some() { 4 } else { 8 };
    let [came, leaves] = errors.map(|mut error| {
        let quote = &mut error.quote.octets;
        let shortest = if octets == WHOLE { 128 } else { 0 };
        let words = quote.len().max(shortest).div_ceil(unit);
        quote.resize(words * unit, 0);
        error
            .rest(declared(plain, words))
            // Version 2, an MPLS label stack (RFC 4950).
            .behind(&[
                0x20, 0, 0x5a, 0xa5, 0, 8, 1, 1, 0xff, 0xff, 0xf1, 0x40, 5, 10, 1, 2,
            ])
    });
    if came.direction == Outbound && octets < 14 {
        flow.expect_error_untouched(plain, &came, PassReason::Icmp);
    } else {
        flow.expect_error(plain, &came, &leaves);
    }
}
