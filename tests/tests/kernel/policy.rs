//! Whom the policy guards and how: prefixes, ports, observing, draining (S1, S4, S20).

use isn_tests::two_worlds::prelude::*;

const NOT_GUARDED: Leaves = Leaves::Unchanged(PassReason::NotGuarded);

#[test]
fn observing_changes_nothing() {
    play(
        &all_carriers(),
        &[
            case("S4: an unsafe SYN is counted and passes", |flow| {
                flow.policy(&everywhere(Mode::Observe));
                flow.closed_connection(5_000_000, 5_065_535);
                flow.expect(&host_syn(1000), &AS_IT_CAME, OBSERVED);
                flow.expect(&host_syn(1000), &AS_IT_CAME, RETRANSMIT);
                flow.expect(&peer_syn_ack(PEER_ISN, 1001), &AS_IT_CAME, NOTHING);
                flow.expect(&host_data(1001, PEER_ISN + 1, b"x"), &AS_IT_CAME, NOTHING);
                flow.expect(
                    &peer_ack(PEER_ISN + 1, 1002).sack(&[(1, 2)]),
                    &AS_IT_CAME,
                    NOTHING,
                );
                flow.require(
                    flow.translated_record().is_none(),
                    "observing made a translated flow",
                );
            }),
            case("S4: a safe SYN", |flow| {
                flow.policy(&everywhere(Mode::Observe));
                flow.closed_connection(5_000_000, 5_065_535);
                flow.expect(&host_syn(5_065_536), &AS_IT_CAME, SAFE_SYN);
            }),
            case("S4, S5: an unanswered SYN with another ISN", |flow| {
                flow.policy(&everywhere(Mode::Observe));
                flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                flow.expect(&host_syn(2000), &AS_IT_CAME, OBSERVED);
                flow.expect(&peer_syn_ack(PEER_ISN, 2001), &AS_IT_CAME, NOTHING);
            }),
        ],
    );
}

#[test]
fn prefixes_and_ports() {
    play(
        &both_families(),
        &[
            case("S1: a host that is not guarded", |flow| {
                flow.policy(&policy(&[]));
                flow.expect(&host_syn(1000), &NOT_GUARDED, NOTHING);
                flow.expect(&peer_syn(7), &NOT_FOLLOWED, NOTHING);
                flow.expect(&host_syn_ack(1000, 8), &NOT_GUARDED, NOTHING);
                flow.expect(&host_data(1001, 8, b"x"), &NOT_FOLLOWED, NOTHING);
                flow.require(flow.record().is_none(), "an entry was made");
            }),
            case(
                "S1: the port of the service is the peer's where the host opens",
                |flow| {
                    flow.policy(&policy(&[Rule::new(80, 80, Mode::Monotonic)]));
                    flow.carrier = flow.carrier.clone().from_port(1025).to_port(80);
                    flow.closed_connection(5_000_000, 5_065_535);
                    let _ = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.carrier = flow.carrier.clone().from_port(80).to_port(81);
                    flow.expect(&host_syn(1000), &NOT_GUARDED, NOTHING);
                },
            ),
            case(
                "S1: the port of the service is the host's where it is opened to",
                |flow| {
                    flow.policy(&policy(&[Rule::new(80, 80, Mode::Monotonic)]));
                    flow.carrier = flow.carrier.clone().from_port(80).to_port(3000);
                    flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, AWAITED);
                    flow.expect(&host_syn_ack(1000, PEER_ISN + 1), &AS_IT_CAME, SAFE_SYN);
                    flow.carrier = flow.carrier.clone().from_port(81).to_port(80);
                    flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, NOTHING);
                    flow.expect(&host_syn_ack(1000, PEER_ISN + 1), &NOT_GUARDED, NOTHING);
                },
            ),
            case("S1: ports that are taken out are not guarded", |flow| {
                flow.policy(&policy(&[
                    Rule::exempt(80, 80),
                    Rule::new(0, u16::MAX, Mode::Monotonic),
                ]));
                flow.expect(&host_syn(1000), &NOT_GUARDED, NOTHING);
                flow.expect(&peer_syn_ack(PEER_ISN, 1001), &NOT_FOLLOWED, NOTHING);
                flow.carrier = flow.carrier.clone().to_port(443);
                flow.closed_connection(5_000_000, 5_065_535);
                let _ = flow.rewritten(&host_syn(1000), REWRITTEN);
            }),
            case("S1: the first rule that covers the port applies", |flow| {
                flow.policy(&policy(&[
                    Rule::new(80, 80, Mode::Observe),
                    Rule::new(0, u16::MAX, Mode::Monotonic),
                ]));
                flow.closed_connection(5_000_000, 5_065_535);
                flow.expect(&host_syn(1000), &AS_IT_CAME, OBSERVED);
                flow.carrier = flow.carrier.clone().to_port(443);
                flow.closed_connection(5_000_000, 5_065_535);
                let _ = flow.rewritten(&host_syn(1000), REWRITTEN);
            }),
        ],
    );
}

#[test]
fn a_policy_that_changes() {
    play(
        &both_families(),
        &[
            case(
                "S1: a change of policy leaves open connections as they are (84)",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    flow.policy(&policy(&[]));
                    flow.expect(&host_data(1001, PEER_ISN + 1, b"on"), &Seq(wire), NOTHING);
                    flow.expect(
                        &peer_ack(PEER_ISN + 1, wire.wrapping_add(2)),
                        &ack(1003),
                        NOTHING,
                    );
                    flow.expect(&host_rst(1003), &Seq(wire.wrapping_add(2)), NOTHING);
                    // Not of a guarded host any more: it is not counted as a SYN.
                    flow.expect(&host_syn(1000), &AS_IT_CAME, NOTHING);
                    flow.expect(&peer_syn_ack(PEER_ISN, 1001), &AS_IT_CAME, NOTHING);
                },
            ),
            case(
                "S1: a change of policy between SYN and retransmission keeps the wire ISN (S5, 84)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.policy(&policy(&[]));
                    flow.expect(&host_syn(1000), &Seq(wire), NOTHING);
                    flow.handshake(1000, wire);
                },
            ),
        ],
    );
    play(
        &[Carrier::v4()],
        &[case(
            "S1: the longest prefix applies, to one host of a guarded network",
            |flow| {
                let out = policy(&[Rule::exempt(0, u16::MAX)]);
                for rules in [&out, &policy(&[])] {
                    flow.worlds
                        .guard4([192, 0, 2, 10], 32, rules)
                        .expect("the policy can be written");
                    flow.expect(&host_syn(1000), &NOT_GUARDED, NOTHING);
                }
                flow.worlds
                    .guard4([192, 0, 2, 10], 32, &everywhere(Mode::Observe))
                    .expect("the policy can be written");
                flow.closed_connection(5_000_000, 5_065_535);
                flow.expect(&host_syn(1000), &AS_IT_CAME, OBSERVED);
                let Network::V4 { host, .. } = &mut flow.carrier.network else {
                    return;
                };
                host[3] = 11;
                flow.closed_connection(5_000_000, 5_065_535);
                let _ = flow.rewritten(&host_syn(1000), REWRITTEN);
            },
        )],
    );
}

#[test]
fn draining_makes_no_new_offset() {
    play(
        &both_families(),
        &[
            case(
                "S20: while draining an unsafe SYN passes, and open connections go on",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    let open = flow.carrier.clone();
                    flow.settings(|settings| settings.draining = 1);
                    flow.carrier = flow.carrier.clone().from_port(2000);
                    flow.closed_connection(5_000_000, 5_065_535);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, OBSERVED);
                    flow.expect(&peer_syn_ack(PEER_ISN, 1001), &AS_IT_CAME, NOTHING);
                    flow.carrier = open;
                    flow.expect(&host_data(1001, PEER_ISN + 1, b"on"), &Seq(wire), NOTHING);
                    flow.expect(
                        &peer_ack(PEER_ISN + 1, wire.wrapping_add(2)),
                        &ack(1003),
                        NOTHING,
                    );
                },
            ),
            case(
                "S20, S5: a SYN that was translated before draining is translated again",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.settings(|settings| settings.draining = 1);
                    flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
                    flow.handshake(1000, wire);
                },
            ),
            case("S20: draining ends with the settings", |flow| {
                flow.settings(|settings| settings.draining = 1);
                flow.closed_connection(5_000_000, 5_065_535);
                flow.expect(&host_syn(1000), &AS_IT_CAME, OBSERVED);
                flow.expect(&peer_rst_ack(0, 1001), &AS_IT_CAME, NOTHING);
                flow.settings(|settings| settings.draining = 0);
                let _ = flow.rewritten(&host_syn(500), REWRITTEN);
            }),
        ],
    );
}
