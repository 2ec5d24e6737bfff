//! Keyed mode: how connections open (S3; RFC 6528). The offsets are computed here, by another SipHash than the data plane's.

use isn_tests::two_worlds::{keyed::*, prelude::*};

use crate::keyed_exceptions::FIRST_DRAINING;

#[test]
fn a_whole_connection_over_every_carrier() {
    play(
        &all_carriers(),
        &[
            case(
                "S3: the host opens: every number moves by F, in which the VLAN has no part",
                |flow| {
                    let f = flow.keyed();
                    flow.keyed_connection(1000);
                    lies_in(flow, "history");
                    let wire = f.wrapping_add(1001);
                    flow.moved_by(f, &host_data(1001, PEER_ISN + 1, b"hello"), NOTHING);
                    let received = peer_ack(PEER_ISN + 1, wire).nops(1).sack(&blocks(wire, 2));
                    flow.expect(&received, &Leaves::Ack(1001, blocks(1001, 2)), NOTHING);
                    let answer = peer_data(PEER_ISN + 1, wire.wrapping_add(5), b"world");
                    flow.moved_by(f, &answer, NOTHING);
                    flow.moved_by(f, &host_fin(1006, PEER_ISN + 6), NOTHING);
                    flow.moved_by(f, &peer_fin(PEER_ISN + 6, wire.wrapping_add(6)), NOTHING);
                },
            ),
            case("S3: the peer opens: the SYN-ACK moves by F", |flow| {
                let f = flow.keyed();
                flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, AWAITED);
                flow.moved_by(f, &host_syn_ack(1000, PEER_ISN + 1), SYN_KEYED);
                let wire = f.wrapping_add(1001);
                flow.moved_by(f, &peer_ack(PEER_ISN + 1, wire), NOTHING);
                lies_in(flow, "history");
                flow.moved_by(f, &peer_data(PEER_ISN + 1, wire, b"x"), NOTHING);
            }),
        ],
    );
}

/// An ISN whose candidate lies below the high-water mark of [`Flow::closed_keyed_connection`] at 5,000,000.
pub(crate) fn regressing(flow: &Flow<'_>) -> u32 {
    4_999_000u32.wrapping_sub(flow.f())
}

/// A SYN with that ISN, which leaves beyond the right edge; the ISN, and that on the wire.
pub(crate) fn moved_ahead(flow: &mut Flow<'_>) -> (u32, u32) {
    let isn = regressing(flow);
    let wire = flow.rewritten(&host_syn(isn), REWRITTEN);
    beyond(flow, wire, 5_000_000, 5_065_535);
    (isn, wire)
}

#[test]
fn the_candidate_is_held_against_what_was_before() {
    play(
        &both_families(),
        &[
            case(
                "S2, S3: safe is host ISN + F from the right edge + 1 to the high-water mark + 2^31 - 1",
                |flow| {
                    let _ = flow.keyed();
                    for (port, high_water) in (2000..).zip(EDGES) {
                        let at = |ahead: u32| high_water.wrapping_add(ahead);
                        for (index, ahead) in (0..).zip([65_536, 0x7fff_ffff]) {
                            flow.carrier = flow.carrier.clone().from_port(port + 100 * index);
                            flow.closed_keyed_connection(high_water);
                            let f = flow.f();
                            flow.moved_by(f, &host_syn(at(ahead).wrapping_sub(f)), SYN_KEYED);
                            lies_in(flow, "history");
                        }
                        let unsafe_ones = [0, 65_535, 0x8000_0000, 0x8000_0001, u32::MAX];
                        for (index, ahead) in (0..).zip(unsafe_ones) {
                            flow.carrier =
                                flow.carrier.clone().from_port(port + 10_000 + 100 * index);
                            flow.closed_keyed_connection(high_water);
                            let isn = at(ahead).wrapping_sub(flow.f());
                            let wire = flow.rewritten(&host_syn(isn), REWRITTEN);
                            beyond(flow, wire, high_water, at(65_535));
                        }
                    }
                },
            ),
            case(
                "S2, S3: what was moved ahead is known by its entry alone, and nothing evicts that",
                |flow| {
                    let f = flow.keyed();
                    flow.closed_keyed_connection(5_000_000);
                    let (isn, wire) = moved_ahead(flow);
                    let (host, next) = (isn.wrapping_add(1), wire.wrapping_add(1));
                    flow.keyed_handshake(isn, wire.wrapping_sub(isn));
                    lies_in(flow, "translated");
                    flow.lose_memory();
                    flow.expect(&host_data(host, PEER_ISN + 1, b"x"), &Seq(next), NOTHING);
                    flow.expect(&peer_ack(PEER_ISN + 1, next), &ack(host), NOTHING);
                    let end = host_rst(host.wrapping_add(1));
                    flow.expect(&end, &Seq(next.wrapping_add(1)), NOTHING);
                    // The next one has F again, if that is safe, and keeps its place.
                    let safe = next.wrapping_add(100_000).wrapping_sub(f);
                    flow.moved_by(f, &host_syn(safe), SYN_KEYED);
                    lies_in(flow, "translated");
                },
            ),
        ],
    );
}

#[test]
fn what_was_before_and_what_is_left_of_it() {
    play(
        &both_families(),
        &[
            case(
                "S13, S17: a handshake that was moved ahead, overwritten: dropped until its SYN comes again",
                |flow| {
                    let _ = flow.keyed();
                    flow.closed_keyed_connection(5_000_000);
                    let (isn, wire) = moved_ahead(flow);
                    flow.lose_handshakes();
                    let dropped = Leaves::Dropped(DropReason::Untranslatable);
                    let answer = peer_syn_ack(PEER_ISN, wire.wrapping_add(1));
                    flow.expect(&answer, &dropped, NOTHING);
                    let end = host_ack(isn.wrapping_add(1), PEER_ISN + 1);
                    flow.expect(&end, &dropped, NOTHING);
                    let (_, again) = moved_ahead(flow);
                    flow.require(again == wire, format!("wire ISN {again}, before {wire}"));
                    flow.keyed_handshake(isn, wire.wrapping_sub(isn));
                },
            ),
            case(
                "S14: late segments of the connection before keep its F",
                |flow| {
                    let f = flow.keyed();
                    flow.closed_keyed_connection(5_000_000);
                    let _ = moved_ahead(flow);
                    let late = 5_000_000u32.wrapping_sub(f).wrapping_sub(500);
                    let events = &[(Counter::PreviousIncarnation, 1)];
                    flow.moved_by(f, &host_data(late, PEER_ISN + 1, b"late"), events);
                },
            ),
            case(
                "S3, S14: nothing lived before what the peer's SYN or a forgotten flow announced (39)",
                |flow| {
                    let f = flow.keyed();
                    flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, AWAITED);
                    flow.moved_by(f, &host_syn_ack(100_000, PEER_ISN + 1), SYN_KEYED);
                    let behind = host_data(50_000u32.wrapping_neg(), PEER_ISN + 1, b"x");
                    flow.moved_by(f, &behind, NOTHING);
                    flow.carrier = flow.carrier.clone().from_port(6000);
                    let f = flow.f();
                    flow.settings(|settings| settings.draining = 1);
                    flow.expect(&host_syn(100_000), &AS_IT_CAME, FIRST_DRAINING);
                    flow.settings(|settings| settings.draining = 0);
                    flow.wait(241);
                    flow.moved_by(f, &host_syn(100_000), SYN_KEYED);
                    flow.moved_by(f, &behind, NOTHING);
                },
            ),
            case(
                "S8: a flow of the history that was forgotten begins with F again",
                |flow| {
                    let f = flow.keyed();
                    flow.closed_keyed_connection(5_000_000);
                    flow.wait(241);
                    flow.moved_by(f, &host_syn(1000), SYN_KEYED);
                },
            ),
        ],
    );
}

#[test]
fn a_syn_that_comes_again() {
    const RESENT: &Events = REWRITTEN;
    play(
        &both_families(),
        &[
            case(
                "S3, S5: the same SYN leaves as before, known or not (4)",
                |flow| {
                    let f = flow.keyed();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    flow.moved_by(f, &host_syn(1000), RETRANSMIT);
                    flow.lose();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    flow.keyed_handshake(1000, f);
                },
            ),
            case(
                "S3, S5: another ISN leaves with the wire ISN of the first, and only its entry knows it (6)",
                |flow| {
                    let f = flow.keyed();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    let wire = f.wrapping_add(1000);
                    flow.expect(&host_syn(7), &Seq(wire), RESENT);
                    flow.expect(&host_syn(7), &Seq(wire), RETRANSMIT);
                    flow.keyed_handshake(7, wire.wrapping_sub(7));
                    lies_in(flow, "translated");
                },
            ),
            case(
                "S3, S5: an ISN that has F of the first wire ISN again is no exception any more",
                |flow| {
                    let f = flow.keyed();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    let wire = f.wrapping_add(1000);
                    flow.expect(&host_syn(7), &Seq(wire), RESENT);
                    flow.expect(&host_syn(1000), &Seq(wire), RESENT);
                    flow.keyed_handshake(1000, f);
                    lies_in(flow, "history");
                },
            ),
            case(
                "S3, S6: a SYN on an open flow leaves with its F (10, 11)",
                |flow| {
                    let f = flow.keyed();
                    flow.keyed_connection(1000);
                    for isn in [1000, 7, 0x9000_0000] {
                        flow.moved_by(f, &host_syn(isn), LIVE);
                    }
                    flow.wait(10_000);
                    flow.moved_by(f, &host_syn(7), LIVE);
                },
            ),
        ],
    );
}
