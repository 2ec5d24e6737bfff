//! Fragments and ICMP errors of keyed flows whose entry is lost, and flows that nothing is remembered of (S3, S12, S13).

use isn_tests::two_worlds::{
    keyed::*,
    prelude::*,
    shown::{WHOLE, both_ways, kinds, unreachable},
};

use crate::keyed_lost::{lost, unknown};

#[test]
fn fragments_and_addresses() {
    play(
        &both_families(),
        &[
            case(
                "S3, S13: a first fragment that is too short is dropped, either way (65)",
                |flow| {
                    let f = lost(flow);
                    let wire = f.wrapping_add(1001);
                    for tcp in [
                        host_data(1001, PEER_ISN + 1, b"").octets(99),
                        peer_data(PEER_ISN + 1, wire, b"").octets(99),
                    ] {
                        for octets in [8, 16] {
                            let came = flow.carrier.first_fragment(&tcp, octets);
                            let stepped = flow.offer_octets(tcp.direction, &came);
                            let dropped = Verdict::Drop(DropReason::Untranslatable);
                            let unlike = unlike(dropped, RECOMPUTED, &stepped.counted);
                            flow.require(unlike.is_none(), unlike.unwrap_or_default());
                        }
                    }
                    unknown(flow, "a fragment");
                },
            ),
            case(
                "S3, S13: a first fragment with the whole header is translated (65)",
                |flow| {
                    let f = lost(flow);
                    let data = host_data(1001, PEER_ISN + 1, b"").octets(99);
                    let came = flow.carrier.first_fragment(&data, 64);
                    let stepped = flow.offer_octets(Outbound, &came);
                    flow.require(
                        stepped.verdict == Verdict::TranslatedOut,
                        format!("{:?}", stepped.verdict),
                    );
                    let tcp_at = came.len() - 64;
                    let sequence = f.wrapping_add(1001).to_be_bytes();
                    let moved = stepped.frame[tcp_at + 4..tcp_at + 8] == sequence;
                    flow.require(moved, format!("{:02x?}", stepped.frame));
                },
            ),
            case(
                "S3: between addresses that no endpoint can have, nothing is remembered (68)",
                |flow| {
                    let _ = flow.keyed();
                    match &mut flow.carrier.network {
                        Network::V4 { peer, .. } => *peer = [224, 0, 0, 5],
                        Network::V6 { peer, .. } => *peer = [0xff; 16],
                    }
                    let f = flow.f();
                    flow.moved_by(f, &host_data(1001, PEER_ISN + 1, b"x"), RECOMPUTED);
                    unknown(flow, "an odd address");
                },
            ),
        ],
    );
}

#[test]
fn errors_about_what_is_lost() {
    play(
        &all_carriers(),
        &[case(
            "S3, S12: quotes are put back by F, either way (47, 50, 51)",
            |flow| {
                let wire = lost(flow).wrapping_add(1001);
                let inner = flow.carrier.clone();
                for shown in both_ways(wire) {
                    for kind in kinds(&inner) {
                        let [came, leaves] = shown.errors(&inner, kind, WHOLE);
                        let router = inner.clone().of_router(came.direction);
                        for outer in [&inner, &router] {
                            flow.expect_error_counting(outer, &came, &leaves, RECOMPUTED);
                        }
                    }
                }
                let [shown, _] = both_ways(wire);
                let [came, leaves] = shown.errors(&inner, unreachable(&inner), 8);
                flow.expect_error_counting(&inner, &came, &leaves, RECOMPUTED);
            },
        )],
    );
    play(
        &both_families(),
        &[case(
            "S3, S12: a quote that shows no number of the flow's stays (50, 52)",
            |flow| {
                let _ = lost(flow);
                let inner = flow.carrier.clone();
                let (kind, word) = unreachable(&inner);
                let reset = host_rst_ack(0, PEER_ISN + 1);
                let none = peer_rst_ack(PEER_ISN + 1, 0);
                let begun = peer_syn(PEER_ISN);
                for about in [reset, none, begun] {
                    let way = about.direction.opposite();
                    let error = Icmp::new(way, kind, inner.quote(&about, WHOLE)).rest(word);
                    flow.expect_error_untouched(&inner, &error, PassReason::Icmp);
                }
            },
        )],
    );
}
