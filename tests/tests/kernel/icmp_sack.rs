//! Selective acknowledgments in the quotes of ICMP and ICMPv6 errors, whole and cut (S12; RFC 2018, RFC 792, RFC 4443).

use isn_tests::two_worlds::{
    prelude::*,
    shown::{Shown, WHOLE, unreachable},
};

fn open(flow: &mut Flow<'_>) -> u32 {
    flow.translated(1000).wrapping_add(1)
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
