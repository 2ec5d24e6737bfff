//! Segments of the previous incarnation that arrive after the new SYN: they stay below the new connection's window (S14).

use isn_tests::two_worlds::prelude::*;

/// A late segment.
const LATE: &Events = &[(Counter::PreviousIncarnation, 1)];
/// The peer's ISN in the new incarnation, far from the one before.
const NEW_PEER: u32 = 0x5900_0000;
/// Octets of the host in the incarnation before.
const SENT: u32 = 3000;

/// What was before: a connection that is over.
struct Before {
    /// The host's first octet, as the host says it.
    host: u32,
    /// The same on the wire.
    wire: u32,
}

impl Before {
    /// Without an offset.
    fn plain(flow: &mut Flow<'_>) -> Self {
        flow.closed_connection(5_000_000, 5_065_535);
        let first = 5_000_000 - 1001;
        Self {
            host: first,
            wire: first,
        }
    }

    /// With one: `SENT` octets, closed by both ends.
    fn translated(flow: &mut Flow<'_>) -> Self {
        let wire = flow.translated(9000).wrapping_add(1);
        let before = Self { host: 9001, wire };
        let sent = host_data(9001, PEER_ISN + 1, b"").octets(SENT as usize);
        flow.expect(&sent, &Seq(wire), NOTHING);
        let (host, wire) = before.at(SENT);
        flow.expect(&host_fin(host, PEER_ISN + 1), &Seq(wire), NOTHING);
        let answer = peer_fin(PEER_ISN + 1, wire.wrapping_add(1));
        flow.expect(&answer, &ack(host + 1), NOTHING);
        flow.expect(
            &host_ack(host + 1, PEER_ISN + 2),
            &Seq(wire.wrapping_add(1)),
            NOTHING,
        );
        before
    }

    /// A number of the host and its place on the wire, so many octets behind the first.
    const fn at(&self, octets: u32) -> (u32, u32) {
        (
            self.host.wrapping_add(octets),
            self.wire.wrapping_add(octets),
        )
    }

    /// How a segment leaves with this number on the wire: as it came if that is the host's.
    fn leaves(&self, wire: u32) -> Leaves {
        if self.host == self.wire {
            AS_IT_CAME
        } else {
            Seq(wire)
        }
    }

    /// Late segments of every kind leave with the offset of this incarnation, and the flow does not notice.
    fn late_segments(&self, flow: &mut Flow<'_>) {
        let known = flow.record();
        for octets in [0, 1, 400, 1000] {
            let (host, wire) = self.at(octets);
            for tcp in [
                host_ack(host, PEER_ISN + 1),
                host_data(host, PEER_ISN + 1, b"x"),
                host_fin(host, PEER_ISN + 1),
                host_rst_ack(host, PEER_ISN + 1),
            ] {
                flow.expect(&tcp, &self.leaves(wire), LATE);
            }
        }
        let (host, wire) = self.at(0);
        let sent = host_data(host, PEER_ISN + 1, b"").octets(1000);
        flow.expect(&sent, &self.leaves(wire), LATE);
        flow.require(flow.record() == known, "a late segment changed the flow");
    }
}

/// The new incarnation answers, and is open.
fn answered(flow: &mut Flow<'_>, host_isn: u32, wire_isn: u32) {
    let (host, wire) = (host_isn.wrapping_add(1), wire_isn.wrapping_add(1));
    flow.expect(&peer_syn_ack(NEW_PEER, wire), &ack(host), NOTHING);
    flow.expect(&host_ack(host, NEW_PEER + 1), &Seq(wire), NOTHING);
}

/// Which incarnation was before, by name.
type Beginning = (&'static str, fn(&mut Flow<'_>) -> Before);

const BEGINNINGS: [Beginning; 2] = [
    ("without an offset", Before::plain),
    ("with an offset", Before::translated),
];

/// The same case behind both beginnings, each on its own port.
fn both_beginnings(flow: &mut Flow<'_>, play: impl Fn(&mut Flow<'_>, &Before)) {
    for (port, (_, begin)) in (6000..).zip(BEGINNINGS) {
        flow.carrier = flow.carrier.clone().from_port(port);
        let before = begin(flow);
        play(flow, &before);
    }
}

#[test]
fn late_segments_stay_below_the_new_window() {
    play(
        &all_carriers(),
        &[case("S14: while half-open, and when open (39)", |flow| {
            both_beginnings(flow, |flow, before| {
                // So that the late numbers would lie within the new window.
                let isn = before.host.wrapping_sub(50);
                let wire = flow.rewritten(&host_syn(isn), REWRITTEN);
                let (_, end) = before.at(SENT);
                flow.require(
                    wire.wrapping_sub(end) < 1 << 31,
                    "the old numbers do not lie below the new ones",
                );
                before.late_segments(flow);
                answered(flow, isn, wire);
                before.late_segments(flow);
                let sent = host_data(isn.wrapping_add(1), NEW_PEER + 1, b"").octets(20);
                flow.expect(&sent, &Seq(wire.wrapping_add(1)), NOTHING);
                before.late_segments(flow);
            });
        })],
    );
}

#[test]
fn what_belongs_to_the_living_incarnation() {
    play(
        &both_families(),
        &[
            case(
                "S14: data, retransmissions, and a gap in the window, acknowledged by what is new",
                |flow| {
                    both_beginnings(flow, |flow, before| {
                        let isn = before.host.wrapping_sub(50);
                        let wire = flow.rewritten(&host_syn(isn), REWRITTEN);
                        answered(flow, isn, wire);
                        for (at, octets) in [
                            (1, 1400),
                            (1, 700),
                            (701, 700),
                            (1401, 1),
                            (2500, 100),
                            (1402, 1098),
                        ] {
                            let sent =
                                host_data(isn.wrapping_add(at), NEW_PEER + 1, b"").octets(octets);
                            flow.expect(&sent, &Seq(wire.wrapping_add(at)), NOTHING);
                        }
                        let probe = host_ack(isn, NEW_PEER + 1);
                        flow.expect(&probe, &Seq(wire), NOTHING);
                    });
                },
            ),
            case(
                "S14: what the peer sends, whatever it acknowledges (40)",
                |flow| {
                    both_beginnings(flow, |flow, before| {
                        let wire = flow.rewritten(&host_syn(77), REWRITTEN);
                        let offset = wire.wrapping_sub(77);
                        for (_, old) in [0, 500, 1000].map(|octets| before.at(octets)) {
                            let late =
                                peer_ack(PEER_ISN + 2, old).sack(&[(old, old.wrapping_add(9))]);
                            let host = old.wrapping_sub(offset);
                            let blocks = vec![(host, host.wrapping_add(9))];
                            flow.expect(&late, &Leaves::Ack(host, blocks), NOTHING);
                        }
                    });
                },
            ),
            case(
                "S14: numbers that the incarnation before never used",
                |flow| {
                    both_beginnings(flow, |flow, before| {
                        let wire =
                            flow.rewritten(&host_syn(before.host.wrapping_sub(50)), REWRITTEN);
                        let offset = wire.wrapping_sub(before.host.wrapping_sub(50));
                        for octets in [
                            SENT + 2,
                            1 << 20,
                            1 << 27,
                            1 << 30,
                            0u32.wrapping_sub(1 << 28),
                        ] {
                            let (host, _) = before.at(octets);
                            let sent = host_data(host, PEER_ISN + 1, b"x");
                            flow.expect(&sent, &Seq(host.wrapping_add(offset)), NOTHING);
                        }
                    });
                },
            ),
        ],
    );
}

#[test]
fn a_peer_that_still_holds_the_old_connection() {
    play(
        &both_families(),
        &[
            case(
                "S14: its ACK or FIN, and the host's reset at exactly what it expects (12, 40)",
                |flow| {
                    both_beginnings(flow, |flow, before| {
                        let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                        let offset = wire.wrapping_sub(1000);
                        for octets in [0, 1, 999, 1001] {
                            let (_, expected) = before.at(octets);
                            let host = expected.wrapping_sub(offset);
                            for late in [
                                peer_ack(PEER_ISN + 2, expected),
                                peer_fin(PEER_ISN + 1, expected),
                                peer_data(PEER_ISN + 1, expected, b"late"),
                            ] {
                                flow.expect(&late, &ack(host), NOTHING);
                                flow.expect(&host_rst(host), &Seq(expected), NOTHING);
                            }
                        }
                        // The peer is rid of the old connection: the SYN comes again, and is heard.
                        flow.expect(&host_syn(1000), &Seq(wire), RETRANSMIT);
                        answered(flow, 1000, wire);
                    });
                },
            ),
            case(
                "S14: the same after the host has rebooted into a living connection (11)",
                |flow| {
                    let wire = flow.translated(1000);
                    let offset = wire.wrapping_sub(1000);
                    flow.expect(&host_syn(77), &Seq(77u32.wrapping_add(offset)), LIVE);
                    let expected = wire.wrapping_add(1);
                    flow.expect(&peer_ack(PEER_ISN + 1, expected), &ack(1001), NOTHING);
                    flow.expect(&host_rst(1001), &Seq(expected), NOTHING);
                    let _ = flow.rewritten(&host_syn(77), REWRITTEN);
                },
            ),
        ],
    );
}

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
