//! Which table a flow lies in, and with what right: handshakes, memory, and what nothing evicts (S16 to S18).

use isn_tests::two_worlds::prelude::*;

/// Overwrites what lies among the half-open flows, as a flood does.
fn overwrite_half_open(flow: &mut Flow<'_>) {
    let mut state = flow.worlds.state().clone();
    state.half_open_v4.clear();
    state.half_open_v6.clear();
    flow.worlds.put(state).expect("the maps can be written");
}

const INTO_HISTORY: &Events = &[(Counter::Promoted, 1), (Counter::HistoryInserted, 1)];
const AMONG_TRANSLATED: &Events = &[(Counter::Promoted, 1), (Counter::HistoryInserted, 0)];
const STAYS: &Events = &[(Counter::Promoted, 0)];

#[test]
fn the_end_of_a_handshake_moves_the_entry() {
    play(
        &both_families(),
        &[
            case(
                "S17: the host opens: its acknowledgment completes the handshake",
                |flow| {
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(&peer_syn_ack(PEER_ISN, 1001), &AS_IT_CAME, STAYS);
                    lies_in(flow, "half-open");
                    flow.expect(&host_ack(1001, PEER_ISN + 1), &AS_IT_CAME, INTO_HISTORY);
                    lies_in(flow, "history");
                    flow.expect(&host_ack(1001, PEER_ISN + 1), &AS_IT_CAME, STAYS);
                },
            ),
            case(
                "S17: the peer opens: its acknowledgment completes the handshake",
                |flow| {
                    flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, AWAITED);
                    flow.expect(&host_syn_ack(1000, PEER_ISN + 1), &AS_IT_CAME, SAFE_SYN);
                    lies_in(flow, "half-open");
                    flow.expect(&peer_ack(PEER_ISN + 1, 1001), &AS_IT_CAME, INTO_HISTORY);
                    lies_in(flow, "history");
                },
            ),
            case(
                "S16: with an offset it goes where nothing evicts it",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN).wrapping_add(1);
                    lies_in(flow, "half-open");
                    flow.expect(&peer_syn_ack(PEER_ISN, wire), &ack(1001), STAYS);
                    lies_in(flow, "half-open");
                    flow.expect(&host_ack(1001, PEER_ISN + 1), &Seq(wire), AMONG_TRANSLATED);
                    lies_in(flow, "translated");
                },
            ),
            case(
                "S16: whatever comes after stays there, with an offset or without",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    flow.expect(&host_rst(1001), &Seq(wire), NOTHING);
                    flow.expect(&host_syn(wire.wrapping_add(100_000)), &AS_IT_CAME, SAFE_SYN);
                    lies_in(flow, "translated");
                },
            ),
            case(
                "S17: nothing but the end of the handshake moves it",
                |flow| {
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                    for tcp in [
                        peer_syn_ack(PEER_ISN, 999),
                        peer_ack(PEER_ISN + 1, 1002),
                        peer_rst(PEER_ISN + 1),
                        peer_syn_ack(PEER_ISN, 1001),
                        peer_data(PEER_ISN + 1, 1001, b"x"),
                    ] {
                        flow.expect(&tcp, &AS_IT_CAME, STAYS);
                    }
                    flow.expect(&host_rst(1001), &AS_IT_CAME, STAYS);
                    lies_in(flow, "half-open");
                },
            ),
        ],
    );
}

#[test]
fn what_was_overwritten() {
    play(
        &both_families(),
        &[
            case(
                "S13, S17: a handshake with an offset, overwritten: dropped until its SYN comes again, the same number then",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    overwrite_half_open(flow);
                    let dropped = Leaves::Dropped(DropReason::Untranslatable);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire.wrapping_add(1)),
                        &dropped,
                        NOTHING,
                    );
                    flow.expect(&host_ack(1001, PEER_ISN + 1), &dropped, NOTHING);
                    let again = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.require(again == wire, format!("wire ISN {again}, before {wire}"));
                    flow.handshake(1000, wire);
                    lies_in(flow, "translated");
                },
            ),
            case(
                "S8, S13: what is overwritten and forgotten passes",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    overwrite_half_open(flow);
                    flow.wait(241);
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire.wrapping_add(1)),
                        &AS_IT_CAME,
                        NOTHING,
                    );
                },
            ),
            case(
                "S17: a first SYN, overwritten: the flow is not followed, and its next SYN is a first one",
                |flow| {
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                    overwrite_half_open(flow);
                    flow.expect(&peer_syn_ack(PEER_ISN, 1001), &NOT_FOLLOWED, NOTHING);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                },
            ),
            case(
                "S16: what has an offset and is open is not touched by it",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    overwrite_half_open(flow);
                    flow.expect(&host_data(1001, PEER_ISN + 1, b"live"), &Seq(wire), NOTHING);
                },
            ),
        ],
    );
}

/// The tests' flow, of another host of the guarded prefix.
fn of_another_host(carrier: &Carrier) -> Carrier {
    let mut other = carrier.clone();
    match &mut other.network {
        Network::V4 { host, .. } => host[3] ^= 0x40,
        Network::V6 { host, .. } => host[15] ^= 0x40,
    }
    other
}

const UNFAIR: &Events = &[
    (Counter::SynSeen, 1),
    (Counter::TableFull, 1),
    (Counter::ShareExceeded, 1),
];
const UNREMEMBERED: &Events = &[
    (Counter::SynSeen, 1),
    (Counter::SynSafe, 1),
    (Counter::MemoryShareExceeded, 1),
    (Counter::HalfOpenInserted, 0),
];

#[test]
fn no_host_takes_all_room() {
    let room = Room {
        translated: 6,
        half_open: 8192,
        history: 8192,
    };
    play_with(
        room,
        &both_families(),
        &[
            case(
                "S16, S18: a host has at most four times the room that is left, and another finds some",
                |flow| {
                    let mine = flow.carrier.clone();
                    for port in 1..=5 {
                        flow.carrier = mine.clone().from_port(port);
                        let _ = flow.translated(1000);
                    }
                    flow.carrier = mine.clone().from_port(6);
                    flow.closed_connection(5_000_000, 5_065_535);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, UNFAIR);
                    flow.carrier = of_another_host(&mine);
                    let _ = flow.translated(1000);
                    lies_in(flow, "translated");
                    flow.carrier = of_another_host(&mine).from_port(6);
                    flow.closed_connection(5_000_000, 5_065_535);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FULL);
                },
            ),
            case(
                "S17: a host that has used up its share of handshakes is not remembered, another is",
                |flow| {
                    flow.settings(|settings| settings.limits.half_open_share = 2);
                    let mine = flow.carrier.clone();
                    for port in [1, 2] {
                        flow.carrier = mine.clone().from_port(port);
                        flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                    }
                    flow.carrier = mine.clone().from_port(3);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, UNREMEMBERED);
                    lies_in(flow, "none");
                    flow.expect(&peer_syn_ack(PEER_ISN, 1001), &NOT_FOLLOWED, NOTHING);
                    flow.carrier = of_another_host(&mine);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                },
            ),
            case(
                "S17: SYNs of peers count for the share of the host that they flood",
                |flow| {
                    flow.settings(|settings| settings.limits.half_open_share = 1);
                    let mine = flow.carrier.clone();
                    flow.carrier = mine.clone().from_port(1);
                    flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, AWAITED);
                    flow.carrier = mine.from_port(2);
                    let events = &[
                        (Counter::MemoryShareExceeded, 1),
                        (Counter::HalfOpenInserted, 0),
                    ];
                    flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, events);
                },
            ),
            case("S17: a SYN that needs an offset needs no share", |flow| {
                flow.closed_connection(5_000_000, 5_065_535);
                flow.settings(|settings| settings.limits.half_open_share = 0);
                let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                flow.handshake(1000, wire);
                lies_in(flow, "translated");
            }),
            case(
                "S17: without a share of the history a flow stays where it can be overwritten, and is followed",
                |flow| {
                    flow.settings(|settings| settings.limits.history_share = 0);
                    flow.expect(&host_syn(5_000_000), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(&peer_syn_ack(PEER_ISN, 5_000_001), &AS_IT_CAME, STAYS);
                    let refused = &[(Counter::MemoryShareExceeded, 1), (Counter::Promoted, 0)];
                    flow.expect(&host_ack(5_000_001, PEER_ISN + 1), &AS_IT_CAME, refused);
                    flow.expect(&host_ack(5_000_001, PEER_ISN + 1), &AS_IT_CAME, STAYS);
                    lies_in(flow, "half-open");
                    flow.expect(&host_rst(5_000_001), &AS_IT_CAME, STAYS);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.handshake(1000, wire);
                    lies_in(flow, "translated");
                },
            ),
        ],
    );
}
