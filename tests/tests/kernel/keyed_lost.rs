//! Keyed flows whose entry is lost, or lies in another gateway: what they have follows from the packet (S3).

use isn_tests::{
    packet_builder::extension::{AUTHENTICATION, Extension},
    two_worlds::{keyed::*, prelude::*},
};

/// An open connection whose host stands at 1001, of which nothing is known any more.
pub(crate) fn lost(flow: &mut Flow<'_>) -> u32 {
    let f = flow.keyed();
    flow.keyed_connection(1000);
    flow.lose();
    f
}

/// Nothing is remembered of the flow.
pub(crate) fn unknown(flow: &Flow<'_>, why: &str) {
    flow.require(flow.record().is_none(), format!("{why} made an entry"));
}

#[test]
fn segments_in_mid_flow() {
    play(
        &all_carriers(),
        &[
            case(
                "S3: the host's first segment has F again, and its flow is remembered",
                |flow| {
                    let f = lost(flow);
                    flow.moved_by(f, &host_data(1001, PEER_ISN + 1, b"hello"), REMEMBERED);
                    lies_in(flow, "history");
                    flow.moved_by(f, &host_ack(1006, PEER_ISN + 1), NOTHING);
                    let answer = peer_ack(PEER_ISN + 1, f.wrapping_add(1006));
                    flow.moved_by(f, &answer, NOTHING);
                },
            ),
            case(
                "S3, S9: the peer's segments are translated back, SACK included, and make no entry (30)",
                |flow| {
                    let f = lost(flow);
                    let wire = f.wrapping_add(1001);
                    for octets in [0, 3] {
                        let data = peer_data(PEER_ISN + 1, wire, b"").octets(octets);
                        flow.moved_by(f, &data, RECOMPUTED);
                    }
                    let selective = peer_ack(PEER_ISN + 1, wire).nops(1).sack(&blocks(wire, 3));
                    flow.expect(&selective, &Leaves::Ack(1001, blocks(1001, 3)), RECOMPUTED);
                    flow.moved_by(f, &peer_fin(PEER_ISN + 1, wire), RECOMPUTED);
                    flow.moved_by(f, &peer_rst_ack(PEER_ISN + 2, wire), RECOMPUTED);
                    flow.moved_by(f, &peer_rst(PEER_ISN + 2), RECOMPUTED);
                    unknown(flow, "the peer");
                },
            ),
        ],
    );
}

#[test]
fn numbers_that_stand_for_none_and_ends() {
    const CLOSED_PORT: Leaves = Leaves::Unchanged(PassReason::ClosedPort);
    play(
        &both_families(),
        &[
            case("S3, S9: answers for closed ports stay (19, 20)", |flow| {
                let _ = lost(flow);
                flow.expect(&host_rst_ack(0, PEER_ISN + 1), &CLOSED_PORT, NOTHING);
                flow.expect(&peer_rst_ack(PEER_ISN + 1, 0), &NOTHING_IN_IT, RECOMPUTED);
                unknown(flow, "an answer");
            }),
            case(
                "S3: resets of the host have F and make no entry (21)",
                |flow| {
                    let f = lost(flow);
                    for reset in [
                        host_rst(1001),
                        host_rst(0),
                        host_rst_ack(1001, PEER_ISN + 1),
                        host_rst(1001).with(SYN),
                        host_rst(7).octets(9),
                    ] {
                        flow.moved_by(f, &reset, RECOMPUTED);
                    }
                    unknown(flow, "a reset");
                },
            ),
            case(
                "S3: the host's FIN has F, and its flow is remembered",
                |flow| {
                    let f = lost(flow);
                    flow.moved_by(f, &host_fin(1001, PEER_ISN + 1), REMEMBERED);
                    let control = record(flow).control();
                    flow.require(control.has(Control::HOST_FIN), "no FIN on record");
                    flow.moved_by(f, &host_fin(1001, PEER_ISN + 1), NOTHING);
                    let end = peer_fin(PEER_ISN + 1, f.wrapping_add(1002));
                    flow.moved_by(f, &end, NOTHING);
                },
            ),
            case(
                "S3, S7: what is signed has no offset, either way (15)",
                |flow| {
                    let f = lost(flow);
                    let option = [
                        19, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
                    ];
                    for tcp in [
                        host_data(1001, PEER_ISN + 1, b"x"),
                        host_rst(1001),
                        peer_data(PEER_ISN + 1, f.wrapping_add(1001), b"x"),
                        peer_syn_ack(PEER_ISN, f.wrapping_add(1001)),
                    ] {
                        flow.expect(&tcp.raw_options(&option), &NOT_FOLLOWED, NOTHING);
                    }
                    unknown(flow, "a signed segment");
                },
            ),
            case("S3, S7: what AH signs passes as ever", |flow| {
                let _ = lost(flow);
                if flow.carrier.key6().is_none() {
                    return;
                }
                let plain = flow.carrier.clone();
                flow.carrier = plain.extension(Extension::authentication());
                let octets = flow.carrier.frame(&host_data(1001, PEER_ISN + 1, b"x"));
                flow.require(octets.contains(&AUTHENTICATION), "no AH in it");
                let reason = PassReason::IpAuthentication;
                flow.expect_untouched(Outbound, &octets, reason, NOTHING);
            }),
        ],
    );
}

#[test]
fn handshakes() {
    play(
        &both_families(),
        &[
            case(
                "S3: a SYN-ACK of the peer after the half-open entry is lost",
                |flow| {
                    let f = flow.keyed();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    flow.lose_memory();
                    let answer = peer_syn_ack(PEER_ISN, f.wrapping_add(1001));
                    flow.moved_by(f, &answer, RECOMPUTED);
                    flow.moved_by(f, &host_ack(1001, PEER_ISN + 1), REMEMBERED);
                    flow.moved_by(f, &host_data(1001, PEER_ISN + 1, b"x"), NOTHING);
                },
            ),
            case(
                "S3: the host's SYN-ACK was lost on the way, and its entry too",
                |flow| {
                    let f = flow.keyed();
                    flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, AWAITED);
                    flow.moved_by(f, &host_syn_ack(1000, PEER_ISN + 1), SYN_KEYED);
                    flow.lose();
                    flow.moved_by(f, &host_syn_ack(1000, PEER_ISN + 1), FIRST_KEYED);
                    let answer = peer_ack(PEER_ISN + 1, f.wrapping_add(1001));
                    flow.moved_by(f, &answer, NOTHING);
                    lies_in(flow, "history");
                },
            ),
            case("S3: a SYN of the peer makes an entry as ever", |flow| {
                let f = lost(flow);
                flow.expect(&peer_syn(PEER_ISN + 9), &NOT_FOLLOWED, AWAITED);
                flow.moved_by(f, &host_syn_ack(7, PEER_ISN + 10), SYN_KEYED);
            }),
            case(
                "S2, S3: no window of a flow remembered in its middle counts for smaller than it is",
                |flow| {
                    let f = lost(flow);
                    flow.moved_by(f, &host_data(1001, PEER_ISN + 1, b"hello"), REMEMBERED);
                    let end = f.wrapping_add(1006);
                    let (found, known) = (record(flow), [end, end, PEER_ISN + 1]);
                    let numbers = [found.high_water(), found.right_edge(), found.peer_next()];
                    flow.require(numbers.map(|it| it.0) == known, parts(&found));
                    flow.moved_by(f, &peer_ack(PEER_ISN + 1, end).window(9), NOTHING);
                    flow.moved_by(f, &host_rst(1006), NOTHING);
                    let edge = end.wrapping_add(9 << 14);
                    let wire = flow.rewritten(&host_syn(edge.wrapping_sub(f)), REWRITTEN);
                    beyond(flow, wire, end, edge);
                },
            ),
        ],
    );
}

/// A packet of the host whose flow is not remembered, for want of a share.
const UNREMEMBERED: &Events = &[
    (Counter::KeyedRecomputed, 1),
    (Counter::MemoryShareExceeded, 1),
    (Counter::HistoryInserted, 0),
];

#[test]
fn shares_and_circles() {
    play(
        &both_families(),
        &[
            case(
                "S3, S17: beyond the host's share of the history a flow is translated and not remembered",
                |flow| {
                    let f = lost(flow);
                    flow.settings(|settings| settings.limits.history_share = 0);
                    for _ in 0..3 {
                        let data = host_data(1001, PEER_ISN + 1, b"x");
                        flow.moved_by(f, &data, UNREMEMBERED);
                    }
                    unknown(flow, "no share");
                },
            ),
            case(
                "S3, S17: acknowledgments in circles are interrupted before anything is computed",
                |flow| {
                    let f = lost(flow);
                    flow.settings(|settings| settings.limits.history_share = 0);
                    let own = host_ack(1001, PEER_ISN + 1);
                    let other = peer_ack(PEER_ISN + 1, 9_001_001);
                    for _ in 0..16 {
                        flow.moved_by(f, &own, UNREMEMBERED);
                        flow.moved_by(f, &other, RECOMPUTED);
                    }
                    flow.moved_by(f, &own, UNREMEMBERED);
                    let storm = Leaves::Dropped(DropReason::AckStorm);
                    flow.expect(&other, &storm, NOTHING);
                    flow.expect(&own, &storm, NOTHING);
                    flow.moved_by(f, &host_data(1001, PEER_ISN + 1, b"x"), UNREMEMBERED);
                },
            ),
        ],
    );
}
