//! ICMP and ICMPv6 errors of every form: headers around and within the quote, and extensions behind it (S12, S13; RFC 4884).

use isn_tests::{
    packet_builder::{
        extension::{DESTINATION, Extension, HOP_BY_HOP, ROUTING},
        fragment::MORE_FRAGMENTS,
    },
    two_worlds::{
        about::{errors, is_v4, translated, untouched},
        prelude::*,
        shown::WHOLE,
    },
};

fn open(flow: &mut Flow<'_>) -> u32 {
    flow.translated(1000).wrapping_add(1)
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
