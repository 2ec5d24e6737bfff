//! Keyed mode beside other rules, rules that change, and keys that do (S1, S3).

use isn_tests::two_worlds::{keyed::*, prelude::*};

/// The flow's ports: the peer's is the service's if the host opens.
fn between(flow: &mut Flow<'_>, host: u16, peer: u16) {
    flow.carrier = flow.carrier.clone().from_port(host).to_port(peer);
}

/// The flow is keyed, whoever opens it, and in its middle.
fn is_keyed(flow: &mut Flow<'_>) {
    let f = flow.f();
    flow.lose();
    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
    flow.lose();
    flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, AWAITED);
    flow.moved_by(f, &host_syn_ack(1000, PEER_ISN + 1), SYN_KEYED);
    flow.lose();
    let answer = peer_data(PEER_ISN + 1, f.wrapping_add(1001), b"x");
    flow.moved_by(f, &answer, RECOMPUTED);
    flow.moved_by(f, &host_data(1001, PEER_ISN + 2, b"x"), REMEMBERED);
}

/// The flow is not: its segments pass where nothing is known.
fn is_not_keyed(flow: &mut Flow<'_>) {
    flow.lose();
    let data = [
        peer_data(PEER_ISN + 1, 1001, b"x"),
        host_data(1001, PEER_ISN + 2, b"x"),
    ];
    for tcp in &data {
        flow.expect(tcp, &NOT_FOLLOWED, NOTHING);
    }
}

#[test]
fn rules_for_ports() {
    play(
        &both_families(),
        &[
            case(
                "S1, S3: a port that an earlier rule takes out is out, whichever end has it",
                |flow| {
                    let _ = flow.keyed();
                    flow.policy(&policy(&[
                        Rule::new(80, 80, Mode::Observe),
                        Rule::new(443, 443, Mode::Monotonic),
                        Rule::new(0, u16::MAX, Mode::Keyed),
                    ]));
                    between(flow, 1025, 81);
                    is_keyed(flow);
                    for (host, peer) in [(1025, 80), (80, 1025), (1025, 443), (443, 1025)] {
                        between(flow, host, peer);
                        is_not_keyed(flow);
                        flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                        flow.lose();
                        flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, AWAITED);
                        let answer = host_syn_ack(1000, PEER_ISN + 1);
                        flow.expect(&answer, &AS_IT_CAME, SAFE_SYN);
                    }
                },
            ),
            case(
                "S1, S3, S4: where the service's rule is keyed and the other port's comes first, that one applies",
                |flow| {
                    let _ = flow.keyed();
                    flow.policy(&policy(&[
                        Rule::new(1025, 1025, Mode::Observe),
                        Rule::new(80, 80, Mode::Keyed),
                    ]));
                    flow.closed_connection(5_000_000, 5_065_535);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, OBSERVED);
                },
            ),
            case(
                "S1, S3: a port that is taken out is not guarded, whichever end has it",
                |flow| {
                    let _ = flow.keyed();
                    flow.policy(&policy(&[
                        Rule::exempt(80, 80),
                        Rule::new(0, u16::MAX, Mode::Keyed),
                    ]));
                    let unguarded = Leaves::Unchanged(PassReason::NotGuarded);
                    for (host, peer) in [(1025, 80), (80, 1025)] {
                        between(flow, host, peer);
                        is_not_keyed(flow);
                        flow.expect(&host_syn(1000), &unguarded, NOTHING);
                        flow.lose();
                    }
                    between(flow, 1025, 81);
                    is_keyed(flow);
                },
            ),
            case(
                "S1, S3: a keyed port is keyed whichever end has it, though nothing guards the other",
                |flow| {
                    let _ = flow.keyed();
                    flow.policy(&policy(&[
                        Rule::new(102, 102, Mode::Keyed),
                        Rule::new(0, 1023, Mode::Monotonic),
                    ]));
                    for (host, peer) in [(4000, 102), (102, 4000), (102, 80), (80, 102)] {
                        between(flow, host, peer);
                        is_keyed(flow);
                    }
                    between(flow, 4000, 80);
                    is_not_keyed(flow);
                    flow.closed_connection(5_000_000, 5_065_535);
                    let _ = flow.rewritten(&host_syn(1000), REWRITTEN);
                    between(flow, 4000, 5000);
                    let unguarded = Leaves::Unchanged(PassReason::NotGuarded);
                    flow.expect(&host_syn(1000), &unguarded, NOTHING);
                    is_not_keyed(flow);
                },
            ),
        ],
    );
}

#[test]
fn rules_that_change() {
    play(
        &both_families(),
        &[
            case(
                "S1, S3: a connection keeps its F when its rule goes, and the next one has none",
                |flow| {
                    let f = flow.keyed();
                    flow.keyed_connection(5_000_000);
                    flow.policy(&everywhere(Mode::Monotonic));
                    flow.moved_by(f, &host_data(5_000_001, PEER_ISN + 1, b"x"), NOTHING);
                    flow.moved_by(f, &host_rst(5_000_002), NOTHING);
                    let safe = 5_100_000u32.wrapping_add(f);
                    flow.expect(&host_syn(safe), &AS_IT_CAME, SAFE_SYN);
                },
            ),
            case(
                "S2, S3: after a connection without an offset, the first keyed one is held against it",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    flow.carrier = flow.carrier.clone().from_port(6000);
                    flow.closed_connection(5_000_000, 5_065_535);
                    let f = flow.keyed();
                    let unsafe_one = 5_065_535u32.wrapping_sub(f);
                    let wire = flow.rewritten(&host_syn(unsafe_one), REWRITTEN);
                    beyond(flow, wire, 5_000_000, 5_065_535);
                    flow.carrier = flow.carrier.clone().from_port(1025);
                    let f = flow.f();
                    flow.moved_by(f, &host_syn(5_065_536u32.wrapping_sub(f)), SYN_KEYED);
                },
            ),
            case(
                "S1, S3: a host that is not guarded any more gets no offset",
                |flow| {
                    let f = flow.keyed();
                    flow.keyed_connection(1000);
                    flow.moved_by(f, &host_rst(1001), NOTHING);
                    flow.policy(&policy(&[]));
                    flow.expect(&host_syn(7), &AS_IT_CAME, NOTHING);
                },
            ),
        ],
    );
}

/// The key of the next generation comes into use, which is [`OTHER_KEY`].
fn rotate(flow: &mut Flow<'_>) {
    flow.settings(|settings| settings.keyed.generation += 1);
}

#[test]
fn keys_that_change() {
    const AMONG_TRANSLATED: &Events = &[(Counter::Promoted, 1), (Counter::HistoryInserted, 0)];
    const INTO_HISTORY: &Events = &[(Counter::Promoted, 1), (Counter::HistoryInserted, 1)];
    play(
        &both_families(),
        &[
            case(
                "S3: the next SYN has F by the next key, held against what was before",
                |flow| {
                    let _ = flow.keyed();
                    flow.closed_keyed_connection(5_000_000);
                    rotate(flow);
                    let next = f_by(OTHER_KEY, &flow.carrier);
                    let unsafe_one = 5_065_535u32.wrapping_sub(next);
                    let wire = flow.rewritten(&host_syn(unsafe_one), REWRITTEN);
                    beyond(flow, wire, 5_000_000, 5_065_535);
                    flow.carrier = flow.carrier.clone().from_port(6000);
                    let next = f_by(OTHER_KEY, &flow.carrier);
                    flow.moved_by(next, &host_syn(1000), FIRST_KEYED);
                },
            ),
            case(
                "S3: a handshake that began with the key before ends among the translated ones",
                |flow| {
                    let f = flow.keyed();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    let answer = peer_syn_ack(PEER_ISN, f.wrapping_add(1001));
                    flow.moved_by(f, &answer, NOTHING);
                    rotate(flow);
                    let end = host_ack(1001, PEER_ISN + 1);
                    flow.moved_by(f, &end, AMONG_TRANSLATED);
                    lies_in(flow, "translated");
                },
            ),
            case("S3: one that began with this key does not", |flow| {
                let f = flow.keyed();
                flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                let answer = peer_syn_ack(PEER_ISN, f.wrapping_add(1001));
                flow.moved_by(f, &answer, NOTHING);
                let end = host_ack(1001, PEER_ISN + 1);
                flow.moved_by(f, &end, INTO_HISTORY);
            }),
            case(
                "S3, S6: open flows keep what they have, whatever key is in use",
                |flow| {
                    let f = flow.keyed();
                    flow.keyed_connection(1000);
                    rotate(flow);
                    flow.moved_by(f, &host_data(1001, PEER_ISN + 1, b"x"), NOTHING);
                    let answer = peer_ack(PEER_ISN + 1, f.wrapping_add(1002));
                    flow.moved_by(f, &answer, NOTHING);
                    flow.moved_by(f, &host_syn(7), LIVE);
                },
            ),
        ],
    );
}
