//! Adopting: flows that were open before keyed mode, or before its key, keep what they have (S3, S15, S16).

use isn_common::{expiry::Place, upkeep::Task};
use isn_tests::two_worlds::{
    keyed::*,
    prelude::*,
    shown::{WHOLE, both_ways, unreachable},
    state::State,
};

use crate::upkeep::{ESTABLISHED, HISTORY, kernel, key, keys, put, request, silent, state};

/// Seconds for which flows of before are adopted.
const PERIOD: u32 = 600;
const ADOPTION_FULL: &Events = &[(Counter::AdoptionFull, 1)];

/// Keyed mode has come into use: flows of before had no offset.
fn after_nothing(flow: &mut Flow<'_>) {
    let _ = flow.keyed();
    flow.adopt(PERIOD, false);
}

/// Another key has come into use; gives the flow's F by the one before.
fn after_a_key(flow: &mut Flow<'_>) -> u32 {
    let _ = flow.keyed();
    flow.adopt(PERIOD, true);
    f_by(OTHER_KEY, &flow.carrier)
}

#[test]
fn flows_that_had_no_offset() {
    play(
        &both_families(),
        &[
            case(
                "S3, S15: the host's first segment makes an entry that nothing evicts, and passes",
                |flow| {
                    after_nothing(flow);
                    let data = host_data(1001, PEER_ISN + 1, b"x");
                    flow.expect(&data, &NOT_FOLLOWED, ADOPTED_PLAIN);
                    lies_in(flow, "translated");
                    flow.expect(&data, &AS_IT_CAME, NOTHING);
                    flow.wait(PERIOD + 1);
                    flow.lose_memory();
                    flow.expect(&data, &AS_IT_CAME, NOTHING);
                    let answer = peer_ack(PEER_ISN + 1, 1002);
                    flow.expect(&answer, &AS_IT_CAME, NOTHING);
                },
            ),
            case(
                "S3, S15: the peer's segments, resets, errors, and what is signed pass and make none",
                |flow| {
                    after_nothing(flow);
                    let option = [29, 4, 1, 1];
                    for tcp in [
                        peer_data(PEER_ISN + 1, 1001, b"x"),
                        peer_syn_ack(PEER_ISN, 1001),
                        peer_rst(PEER_ISN + 1),
                        host_rst(1001),
                        host_rst(1001).with(SYN),
                        host_data(1001, PEER_ISN + 1, b"x").raw_options(&option),
                    ] {
                        flow.expect(&tcp, &NOT_FOLLOWED, NOTHING);
                    }
                    let closed_port = Leaves::Unchanged(PassReason::ClosedPort);
                    flow.expect(&host_rst_ack(0, 7), &closed_port, NOTHING);
                    let inner = flow.carrier.clone();
                    for shown in both_ways(7) {
                        let [came, _] = shown.errors(&inner, unreachable(&inner), WHOLE);
                        flow.expect_error_untouched(&inner, &came, PassReason::Icmp);
                    }
                    let data = host_data(1001, PEER_ISN + 1, b"").octets(99);
                    let short = flow.carrier.first_fragment(&data, 16);
                    flow.expect_untouched(Outbound, &short, PassReason::ShortFragment, NOTHING);
                    lies_in(flow, "none");
                },
            ),
            case(
                "S3, S6: a SYN on an adopted flow changes nothing, however long it was silent",
                |flow| {
                    after_nothing(flow);
                    let data = host_data(1001, PEER_ISN + 1, b"x");
                    flow.expect(&data, &NOT_FOLLOWED, ADOPTED_PLAIN);
                    flow.expect(&host_syn(7), &AS_IT_CAME, LIVE);
                    flow.wait(100_000);
                    flow.expect(&host_syn(7), &AS_IT_CAME, LIVE);
                    flow.expect(&host_data(1002, PEER_ISN + 1, b"x"), &AS_IT_CAME, NOTHING);
                },
            ),
            case(
                "S2, S3: the connection after an adopted one has F if that is safe",
                |flow| {
                    after_nothing(flow);
                    let data = host_data(1001, PEER_ISN + 1, b"x");
                    flow.expect(&data, &NOT_FOLLOWED, ADOPTED_PLAIN);
                    flow.expect(&peer_ack(PEER_ISN + 1, 1002), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_rst(1002), &AS_IT_CAME, NOTHING);
                    let f = flow.f();
                    let safe = (1002 + (65_535 << 14) + 1u32).wrapping_sub(f);
                    flow.moved_by(f, &host_syn(safe), SYN_KEYED);
                    lies_in(flow, "translated");
                },
            ),
        ],
    );
}

#[test]
fn flows_of_the_key_before() {
    play(
        &both_families(),
        &[
            case(
                "S3: the host's first segment has F by the key before, and its entry keeps it",
                |flow| {
                    let old = after_a_key(flow);
                    flow.moved_by(old, &host_data(1001, PEER_ISN + 1, b"x"), ADOPTED);
                    lies_in(flow, "translated");
                    flow.wait(PERIOD + 1);
                    flow.lose_memory();
                    flow.moved_by(old, &host_data(1002, PEER_ISN + 1, b"x"), NOTHING);
                    let answer = peer_ack(PEER_ISN + 1, old.wrapping_add(1003));
                    flow.moved_by(old, &answer, NOTHING);
                },
            ),
            case(
                "S3, S12: the peer's segments, resets and errors have it too, and make no entry",
                |flow| {
                    let old = after_a_key(flow);
                    let wire = old.wrapping_add(1001);
                    let selective = peer_ack(PEER_ISN + 1, wire).nops(2).sack(&blocks(wire, 1));
                    flow.expect(&selective, &Leaves::Ack(1001, blocks(1001, 1)), RECOMPUTED);
                    flow.moved_by(old, &host_rst(1001), RECOMPUTED);
                    let inner = flow.carrier.clone();
                    for shown in both_ways(wire) {
                        let [came, leaves] = shown.errors(&inner, unreachable(&inner), WHOLE);
                        flow.expect_error_counting(&inner, &came, &leaves, RECOMPUTED);
                    }
                    lies_in(flow, "none");
                },
            ),
            case(
                "S3: when the time is over, what nobody knows has F by the current key",
                |flow| {
                    let old = after_a_key(flow);
                    let f = flow.f();
                    flow.wait(PERIOD - 1);
                    let answer = |by: u32| peer_ack(PEER_ISN + 1, by.wrapping_add(1001));
                    flow.moved_by(old, &answer(old), RECOMPUTED);
                    flow.wait(2);
                    flow.moved_by(f, &answer(f), RECOMPUTED);
                    flow.moved_by(f, &host_data(1001, PEER_ISN + 1, b"x"), REMEMBERED);
                },
            ),
            case(
                "S3: an adopted FIN counts, and a connection closed so ends",
                |flow| {
                    let old = after_a_key(flow);
                    flow.moved_by(old, &host_fin(1001, PEER_ISN + 1), ADOPTED);
                    let control = record(flow).control();
                    flow.require(control.has(Control::HOST_FIN), parts(&record(flow)));
                    flow.require(control.has(Control::KEYED | Control::OWN), "not its own");
                },
            ),
        ],
    );
}

#[test]
fn new_connections_meanwhile() {
    const AMONG_TRANSLATED: &Events = &[(Counter::Promoted, 1), (Counter::HistoryInserted, 0)];
    play(
        &both_families(),
        &[
            case(
                "S3: they have F by the current key, and an entry that nothing evicts",
                |flow| {
                    let _ = after_a_key(flow);
                    let f = flow.f();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    let answer = peer_syn_ack(PEER_ISN, f.wrapping_add(1001));
                    flow.moved_by(f, &answer, NOTHING);
                    let end = host_ack(1001, PEER_ISN + 1);
                    flow.moved_by(f, &end, AMONG_TRANSLATED);
                    lies_in(flow, "translated");
                    flow.lose_memory();
                    flow.moved_by(f, &host_data(1001, PEER_ISN + 1, b"x"), NOTHING);
                },
            ),
            case("S3: those that the peer opens, too", |flow| {
                after_nothing(flow);
                let f = flow.f();
                flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, AWAITED);
                flow.moved_by(f, &host_syn_ack(1000, PEER_ISN + 1), SYN_KEYED);
                let end = peer_ack(PEER_ISN + 1, f.wrapping_add(1001));
                flow.moved_by(f, &end, AMONG_TRANSLATED);
                lies_in(flow, "translated");
            }),
        ],
    );
}

/// Another flow takes the only place.
fn fill(flow: &mut Flow<'_>) {
    let carrier = flow.carrier.clone();
    flow.carrier = carrier.clone().from_port(6000);
    let taken = flow.offer(&host_data(1001, PEER_ISN + 1, b"x"));
    let adopted = taken.counted[Counter::FlowsAdopted.index()];
    flow.require(adopted == 1, "the first flow was not adopted");
    flow.carrier = carrier;
}

#[test]
fn no_room_to_adopt() {
    let room = Room {
        translated: 1,
        half_open: 8192,
        history: 8192,
    };
    play_with(
        room,
        &both_families(),
        &[
            case(
                "S3, S18: a flow without an offset passes all the same, and is counted each time",
                |flow| {
                    after_nothing(flow);
                    fill(flow);
                    for _ in 0..2 {
                        let data = host_data(1001, PEER_ISN + 1, b"x");
                        flow.expect(&data, &NOT_FOLLOWED, ADOPTION_FULL);
                    }
                    lies_in(flow, "none");
                },
            ),
            case(
                "S3, S18: a flow of the key before is translated all the same",
                |flow| {
                    let old = after_a_key(flow);
                    fill(flow);
                    for _ in 0..2 {
                        let data = host_data(1001, PEER_ISN + 1, b"x");
                        flow.moved_by(old, &data, NOT_ADOPTED);
                    }
                    lies_in(flow, "none");
                },
            ),
            case("S3, S18: a new connection goes into the history", |flow| {
                let _ = after_a_key(flow);
                fill(flow);
                flow.keyed_connection(1000);
                lies_in(flow, "history");
            }),
        ],
    );
}

#[test]
fn what_has_a_translation_of_its_own_stays_though_that_be_nothing() {
    let mut kernel = kernel();
    let mut before = State::default();
    let own = ESTABLISHED | Control::KEYED | Control::OWN;
    let keyed = ESTABLISHED | Control::KEYED;
    let idle = default_settings().limits.idle;
    for (port, record) in [
        (1, silent(own, 0, 3 * HISTORY)),
        (2, silent(own, 0, idle + 1)),
        (3, silent(own | Control::HOST_RST, 0, 3 * HISTORY)),
        (4, silent(keyed, 5, 3 * HISTORY)),
        (5, silent(ESTABLISHED, 0, 3 * HISTORY)),
    ] {
        before.translated_v4.insert(key(port), record);
    }
    put(&mut kernel, &before);
    let expire = request(Task::Expire, Place::Translated, &keys(1..=5));
    assert_eq!(kernel.upkeep(&expire).expect("a run"), 3);
    let left = state(&mut kernel).translated_v4;
    let mut ports: Vec<u16> = left
        .keys()
        .map(|key| u16::from_be_bytes(key.host_port))
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [1, 4], "S3, S16: open, own or translated");
}
