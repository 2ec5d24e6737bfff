//! ICMP and ICMPv6 errors about translated flows: their readers find the numbers that they know (S12; RFC 792, RFC 4443).

use isn_tests::two_worlds::{
    prelude::*,
    shown::{WHOLE, both_ways, kinds, unreachable},
};

fn open(flow: &mut Flow<'_>) -> u32 {
    flow.translated(1000).wrapping_add(1)
}

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
