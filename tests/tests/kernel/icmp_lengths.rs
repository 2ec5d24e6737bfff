//! Errors of every type with every length of quote, behind every length of header (S12, S13; RFC 792, RFC 1812 section 4.3.2.3,
//! RFC 4443).

use isn_tests::{
    packet_builder::extension::{DESTINATION, Extension, HOP_BY_HOP, ROUTING},
    two_worlds::{
        prelude::*,
        shown::{Shown, WHOLE, both_ways, kinds, unreachable},
    },
};

fn open(flow: &mut Flow<'_>) -> u32 {
    flow.translated(1000).wrapping_add(1)
}

/// A segment of each end with 40 octets of options, timestamps and three SACK blocks, as its quote comes and leaves if so many
/// octets of it are quoted: all of a SACK option or none of it is translated.
fn with_options(wire: u32, octets: usize) -> [Shown; 2] {
    let blocks = |base: u32| {
        let at = |octets: u32| base.wrapping_add(octets);
        [(at(10), at(20)), (at(30), at(u32::MAX)), (at(50), at(60))]
    };
    let options = |tcp: Tcp, base| tcp.nops(1).timestamps(7, 8).nops(3).sack(&blocks(base));
    let edges = if octets >= 60 { wire } else { 1001 };
    let host = |number| options(host_data(number, PEER_ISN + 1, b"four"), PEER_ISN);
    let peer = |number, edges| options(peer_data(PEER_ISN + 1, number, b"four"), edges);
    [
        Shown {
            came: host(wire),
            leaves: host(1001),
        },
        Shown {
            came: peer(1001, 1001),
            leaves: peer(wire, edges),
        },
    ]
}

/// One error about each end: put back if its quote shows the number, and left alone otherwise.
fn about_both(
    flow: &mut Flow<'_>,
    outer: &Carrier,
    inner: &Carrier,
    wire: u32,
    kind: (u8, [u8; 4]),
    octets: usize,
) {
    for shown in with_options(wire, octets) {
        let [came, leaves] = shown.errors(inner, kind, octets);
        let needed = if came.direction == Inbound { 8 } else { 14 };
        if octets < needed {
            flow.expect_error_untouched(outer, &came, PassReason::Icmp);
        } else {
            flow.expect_error(outer, &came, &leaves);
        }
    }
}

#[test]
fn every_type_with_every_length() {
    play(
        &both_families(),
        &[case(
            "S12: errors of every type with 0 to 64 octets of a segment (47, 48, 49, 50, 51, 52)",
            |flow| {
                let wire = open(flow);
                let inner = flow.carrier.clone();
                for kind in kinds(&inner) {
                    for octets in 0..=64 {
                        about_both(flow, &inner, &inner, wire, kind, octets);
                    }
                }
            },
        )],
    );
}

#[test]
fn every_length_of_header() {
    let lengths = || (0..=24).chain([59, 60, WHOLE]);
    play(
        &[Carrier::v4()],
        &[case(
            "S12: quoted IPv4 headers of 5 to 15 words, in an error with as many (52, 64)",
            move |flow| {
                let wire = open(flow);
                let plain = flow.carrier.clone();
                for words in 0..=10 {
                    let with = plain.clone().ip_options(&[1; 40][..4 * words]);
                    for octets in lengths() {
                        about_both(flow, &with, &with, wire, unreachable(&plain), octets);
                    }
                }
            },
        )],
    );
    play(
        &[Carrier::v6()],
        &[case(
            "S12: quoted chains of 0 to 6 extension headers, in an error with as many; a seventh is not walked (52, 66)",
            move |flow| {
                let wire = open(flow);
                let plain = flow.carrier.clone();
                let number = [HOP_BY_HOP, DESTINATION, ROUTING];
                let chain = |count| {
                    (0..count).fold(plain.clone(), |carrier, at: u8| {
                        let kind = number[usize::from(at) % 3];
                        carrier.extension(Extension::padded(kind, at % 2))
                    })
                };
                for count in 0..=6 {
                    for octets in lengths() {
                        let with = chain(count);
                        about_both(flow, &with, &with, wire, unreachable(&plain), octets);
                    }
                }
                for shown in both_ways(wire) {
                    let [came, _] = shown.errors(&chain(7), unreachable(&plain), WHOLE);
                    flow.expect_error_untouched(&plain, &came, PassReason::Icmp);
                    let [came, _] = shown.errors(&plain, unreachable(&plain), WHOLE);
                    flow.expect_error_untouched(&chain(7), &came, PassReason::ExtensionHeaders);
                }
            },
        )],
    );
}

#[test]
fn what_is_not_of_the_quote() {
    play(
        &both_families(),
        &[
            case(
                "S12: octets behind the IP length are no quote, whatever they continue (63)",
                |flow| {
                    let wire = open(flow);
                    let inner = flow.carrier.clone();
                    for octets in 0..=61 {
                        let [host, peer] = with_options(wire, octets);
                        for shown in [host, peer] {
                            let whole = inner.quote(&shown.came, WHOLE).octets;
                            let shows = inner.quote(&shown.came, octets).octets.len();
                            let outer = inner.clone().trailer(&whole[shows..]);
                            let kind = unreachable(&inner);
                            let [came, leaves] = shown.errors(&inner, kind, octets);
                            let needed = if came.direction == Inbound { 8 } else { 14 };
                            if octets < needed {
                                flow.expect_error_untouched(&outer, &came, PassReason::Icmp);
                            } else {
                                flow.expect_error(&outer, &came, &leaves);
                            }
                        }
                    }
                },
            ),
            case("S12: the code of an error does not matter (51)", |flow| {
                let wire = open(flow);
                let inner = flow.carrier.clone();
                for kind in kinds(&inner) {
                    for code in [0, 1, 2, 3, 4, 5, 9, 13, 15, 255] {
                        for shown in both_ways(wire) {
                            let errors = shown.errors(&inner, kind, 24);
                            let [came, leaves] = errors.map(|error| Icmp { code, ..error });
                            flow.expect_error(&inner, &came, &leaves);
                        }
                    }
                }
            }),
        ],
    );
}
