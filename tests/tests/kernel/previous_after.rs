//! Which incarnation is the previous one, and how long its segments may come (S14).

use isn_tests::two_worlds::{
    before::{Before, NEW_PEER, SENT, answered, both_beginnings},
    prelude::*,
};

/// What makes the next SYN leave without an offset.
type Change = fn(&mut Flow<'_>);

#[test]
fn what_comes_after_an_offset() {
    play(
        &both_families(),
        &[
            case(
                "S14: a safe SYN, offset 0: late segments keep the offset from before",
                |flow| {
                    let before = Before::translated(flow);
                    let isn = before.wire.wrapping_add(0x0100_0000);
                    flow.expect(&host_syn(isn), &AS_IT_CAME, SAFE_SYN);
                    before.late_segments(flow);
                    let next = isn.wrapping_add(1);
                    flow.expect(&peer_syn_ack(NEW_PEER, next), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_ack(next, NEW_PEER + 1), &AS_IT_CAME, NOTHING);
                    before.late_segments(flow);
                    flow.expect(&host_data(next, NEW_PEER + 1, b"new"), &AS_IT_CAME, NOTHING);
                },
            ),
            case(
                "S14: a signed SYN, an exempt host, draining, observing: offset 0, and the same",
                |flow| {
                    let signed = host_syn(50).raw_options(&[19, 18]).raw_options(&[3; 16]);
                    let plain = host_syn(50);
                    let ways: [(Change, &Tcp, &Events); 4] = [
                        (|_| (), &signed, SIGNED),
                        (|flow| flow.policy(&policy(&[])), &plain, NOTHING),
                        (
                            |flow| flow.settings(|settings| settings.draining = 1),
                            &plain,
                            OBSERVED,
                        ),
                        (
                            |flow| flow.policy(&everywhere(Mode::Observe)),
                            &plain,
                            OBSERVED,
                        ),
                    ];
                    for (port, (change, syn, events)) in (6000..).zip(ways) {
                        flow.settings(|settings| settings.draining = 0);
                        flow.policy(&everywhere(Mode::Monotonic));
                        flow.carrier = flow.carrier.clone().from_port(port);
                        let before = Before::translated(flow);
                        change(flow);
                        flow.expect(syn, &AS_IT_CAME, events);
                        before.late_segments(flow);
                    }
                },
            ),
            case(
                "S14: a third incarnation: late segments are those of the second",
                |flow| {
                    let _ = Before::translated(flow);
                    let wire = flow.rewritten(&host_syn(50), REWRITTEN);
                    answered(flow, 50, wire);
                    let second = Before {
                        host: 51,
                        wire: wire.wrapping_add(1),
                    };
                    let sent = host_data(51, NEW_PEER + 1, b"").octets(SENT as usize);
                    flow.expect(&sent, &Seq(second.wire), NOTHING);
                    let (host, wire) = second.at(SENT);
                    flow.expect(&host_rst(host), &Seq(wire), NOTHING);
                    let _ = flow.rewritten(&host_syn(20), REWRITTEN);
                    second.late_segments(flow);
                },
            ),
        ],
    );
}

#[test]
fn how_long_late_segments_come() {
    play(
        &both_families(),
        &[
            case(
                "S14: for two minutes, the lifetime of a segment (RFC 9293 section 3.4.2)",
                |flow| {
                    both_beginnings(flow, |flow, before| {
                        let isn = before.host.wrapping_sub(50);
                        let wire = flow.rewritten(&host_syn(isn), REWRITTEN);
                        answered(flow, isn, wire);
                        flow.wait(119);
                        before.late_segments(flow);
                        flow.wait(2);
                        let (host, _) = before.at(1);
                        let sent = host_data(host, PEER_ISN + 1, b"x");
                        flow.expect(
                            &sent,
                            &Seq(host.wrapping_add(wire.wrapping_sub(isn))),
                            NOTHING,
                        );
                    });
                },
            ),
            case(
                "S14: a SYN that comes again, with the same number and with another one (5, 6)",
                |flow| {
                    both_beginnings(flow, |flow, before| {
                        let isn = before.host.wrapping_sub(50);
                        let wire = flow.rewritten(&host_syn(isn), REWRITTEN);
                        flow.expect(&host_syn(isn), &Seq(wire), RETRANSMIT);
                        before.late_segments(flow);
                        for other in [isn.wrapping_sub(9), isn.wrapping_add(20)] {
                            flow.expect(&host_syn(other), &Seq(wire), REWRITTEN);
                            before.late_segments(flow);
                        }
                        answered(flow, isn.wrapping_add(20), wire);
                        before.late_segments(flow);
                    });
                },
            ),
            case(
                "S14: an unanswered SYN was no incarnation of its own (6)",
                |flow| {
                    let before = Before::plain(flow);
                    let _ = flow.rewritten(&host_syn(1000), REWRITTEN);
                    let _ = flow.rewritten(&host_syn(70_000), REWRITTEN);
                    before.late_segments(flow);
                },
            ),
        ],
    );
}
