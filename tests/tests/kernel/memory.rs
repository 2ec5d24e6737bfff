//! What is remembered of a flow, for how long, and which SYNs are left alone all the same (S2, S7, S8).

use isn_tests::two_worlds::prelude::*;

#[test]
fn memory_ends_at_the_horizon() {
    play(
        &both_families(),
        &[
            case("S8: remembered after 239 s (43)", |flow| {
                flow.closed_connection(5_000_000, 5_065_535);
                flow.wait(239);
                let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                beyond(flow, wire, 5_000_000, 5_065_535);
            }),
            case("S8: forgotten after 241 s (43)", |flow| {
                flow.closed_connection(5_000_000, 5_065_535);
                flow.wait(241);
                flow.expect(&host_syn(1000), &AS_IT_CAME, SAFE_SYN);
                flow.expect(&peer_syn_ack(PEER_ISN, 1001), &AS_IT_CAME, NOTHING);
            }),
            case("S8: any packet of either side renews it (42)", |flow| {
                flow.closed_connection(5_000_000, 5_065_535);
                flow.wait(200);
                flow.expect(&peer_fin(PEER_ISN + 1, 5_000_000), &AS_IT_CAME, NOTHING);
                flow.wait(200);
                flow.expect(&host_ack(5_000_000, PEER_ISN + 2), &AS_IT_CAME, NOTHING);
                flow.wait(200);
                let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                beyond(flow, wire, 5_000_000, 5_065_535);
            }),
            case("S8: the horizon is what the settings say", |flow| {
                flow.settings(|settings| settings.history = Tick::in_seconds(10));
                flow.closed_connection(5_000_000, 5_065_535);
                flow.wait(9);
                let _ = flow.rewritten(&host_syn(1000), REWRITTEN);
                flow.wait(11);
                flow.expect(&host_syn(500), &AS_IT_CAME, SAFE_SYN);
            }),
            case(
                "S8: a translated connection that ended long ago leaves no offset behind",
                |flow| {
                    let wire = flow.translated(1000);
                    flow.expect(&host_rst(1001), &Seq(wire.wrapping_add(1)), NOTHING);
                    flow.wait(241);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, SAFE_SYN);
                    flow.expect(&peer_syn_ack(PEER_ISN, 1001), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_ack(1001, PEER_ISN + 1), &AS_IT_CAME, NOTHING);
                },
            ),
            case(
                "S2: a safe SYN after a translated connection leaves as it came",
                |flow| {
                    let wire = flow.translated(1000);
                    flow.expect(&host_rst(1001), &Seq(wire.wrapping_add(1)), NOTHING);
                    let safe = wire.wrapping_add(1 << 20);
                    flow.expect(&host_syn(safe), &AS_IT_CAME, SAFE_SYN);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, safe.wrapping_add(1)),
                        &AS_IT_CAME,
                        NOTHING,
                    );
                    flow.expect(
                        &host_ack(safe.wrapping_add(1), PEER_ISN + 1),
                        &AS_IT_CAME,
                        NOTHING,
                    );
                },
            ),
            case(
                "S2: after a translated connection the wire numbers count, not the host's",
                |flow| {
                    let wire = flow.translated(1000);
                    flow.expect(&host_rst(1001), &Seq(wire.wrapping_add(1)), NOTHING);
                    let next = flow.rewritten(&host_syn(2000), REWRITTEN);
                    beyond(flow, next, wire.wrapping_add(1), wire.wrapping_add(65_536));
                    flow.handshake(2000, next);
                },
            ),
        ],
    );
}

#[test]
fn signed_and_one_way_connections_are_left_alone() {
    play(
        &both_families(),
        &[
            case("S7: the first SYN of a flow, signed", |flow| {
                let events = &[
                    (Counter::SynSeen, 1),
                    (Counter::BypassTcpAuth, 1),
                    (Counter::HalfOpenInserted, 1),
                ];
                flow.expect(
                    &host_syn(1000).raw_options(&[&[19, 18], &[7; 16][..]].concat()),
                    &AS_IT_CAME,
                    events,
                );
            }),
            case(
                "S7: a connection of which only the host's side was seen, ended by its FIN (18, 74)",
                |flow| {
                    flow.expect(&host_syn(5_000_000), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(&host_ack(5_000_001, PEER_ISN + 1), &AS_IT_CAME, NOTHING);
                    flow.expect(
                        &host_data(5_000_001, PEER_ISN + 1, b"x"),
                        &AS_IT_CAME,
                        NOTHING,
                    );
                    flow.expect(&host_fin(5_000_002, PEER_ISN + 1), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_ack(5_000_003, PEER_ISN + 2), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, ONE_WAY);
                },
            ),
            case(
                "S7: a connection of which only the host's side was seen, ended by its RST (18, 74)",
                |flow| {
                    flow.expect(&host_syn(5_000_000), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(&host_ack(5_000_001, PEER_ISN + 1), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_rst_ack(5_000_001, PEER_ISN + 1), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, ONE_WAY);
                },
            ),
        ],
    );
}

const ONE_WAY: &Events = &[(Counter::SynSeen, 1), (Counter::BypassOneWay, 1)];
