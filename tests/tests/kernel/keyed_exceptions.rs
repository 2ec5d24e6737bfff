//! Keyed mode: who gets no offset, and who finds no room for one of its own (S3, S7, S18, S20).

use isn_tests::two_worlds::{keyed::*, prelude::*};

use crate::keyed::{moved_ahead, regressing};

/// One that is signed, with TCP-AO.
fn signed(tcp: Tcp) -> Tcp {
    tcp.raw_options(&[&[29, 16, 1, 2], &[7; 12][..]].concat())
}

const FIRST_SIGNED: &Events = &[
    (Counter::SynSeen, 1),
    (Counter::BypassTcpAuth, 1),
    (Counter::HalfOpenInserted, 1),
];
const ONE_WAY: &Events = &[(Counter::SynSeen, 1), (Counter::BypassOneWay, 1)];
/// The first SYN of a flow while draining.
pub(crate) const FIRST_DRAINING: &Events = &[
    (Counter::SynSeen, 1),
    (Counter::SynWouldRewrite, 1),
    (Counter::HalfOpenInserted, 1),
];

/// The handshake of a SYN that left as it came.
fn plain_handshake(flow: &mut Flow<'_>, isn: u32) {
    let next = isn.wrapping_add(1);
    flow.expect(&peer_syn_ack(PEER_ISN, next), &AS_IT_CAME, NOTHING);
    flow.expect(&host_ack(next, PEER_ISN + 1), &AS_IT_CAME, NOTHING);
}

#[test]
fn what_gets_no_offset() {
    play(
        &both_families(),
        &[
            case(
                "S3, S7: a signed connection, whose segments say so themselves (15)",
                |flow| {
                    let _ = flow.keyed();
                    flow.expect(&signed(host_syn(1000)), &AS_IT_CAME, FIRST_SIGNED);
                    let answer = signed(peer_syn_ack(PEER_ISN, 1001));
                    flow.expect(&answer, &AS_IT_CAME, NOTHING);
                    let end = signed(host_ack(1001, PEER_ISN + 1));
                    flow.expect(&end, &AS_IT_CAME, NOTHING);
                    lies_in(flow, "history");
                    flow.lose();
                    flow.expect(&end, &NOT_FOLLOWED, NOTHING);
                    let data = signed(peer_data(PEER_ISN + 1, 1001, b"x"));
                    flow.expect(&data, &NOT_FOLLOWED, NOTHING);
                },
            ),
            case(
                "S3, S7: a SYN-ACK that answers a signed SYN, and a signed SYN that regresses (15)",
                |flow| {
                    let _ = flow.keyed();
                    flow.expect(&signed(peer_syn(PEER_ISN)), &NOT_FOLLOWED, AWAITED);
                    flow.expect(&host_syn_ack(1000, PEER_ISN + 1), &AS_IT_CAME, SIGNED);
                    flow.carrier = flow.carrier.clone().from_port(6000);
                    flow.closed_keyed_connection(5_000_000);
                    flow.expect(&signed(host_syn(1000)), &AS_IT_CAME, SIGNED);
                },
            ),
            case(
                "S3, S7: a candidate that is unsafe after a connection seen one way (18)",
                |flow| {
                    let f = flow.keyed();
                    let isn = 5_000_000u32.wrapping_sub(f);
                    flow.moved_by(f, &host_syn(isn), FIRST_KEYED);
                    let next = isn.wrapping_add(1);
                    flow.moved_by(f, &host_ack(next, PEER_ISN + 1), NOTHING);
                    flow.moved_by(f, &host_fin(next, PEER_ISN + 1), NOTHING);
                    let unsafe_one = isn.wrapping_sub(1);
                    flow.expect(&host_syn(unsafe_one), &AS_IT_CAME, ONE_WAY);
                    plain_handshake(flow, unsafe_one);
                    // Nothing but its entry says that it has no offset.
                    lies_in(flow, "translated");
                },
            ),
            case(
                "S3, S20: while draining, a SYN leaves as it came, and its entry must say so",
                |flow| {
                    let f = flow.keyed();
                    flow.closed_keyed_connection(5_000_000);
                    flow.settings(|settings| settings.draining = 1);
                    let safe = 5_100_000u32.wrapping_sub(f);
                    flow.expect(&host_syn(safe), &AS_IT_CAME, DRAINING);
                    plain_handshake(flow, safe);
                    lies_in(flow, "translated");
                    flow.carrier = flow.carrier.clone().from_port(6000);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_DRAINING);
                    flow.expect(&host_syn(7), &AS_IT_CAME, DRAINING);
                    plain_handshake(flow, 7);
                    lies_in(flow, "translated");
                    flow.carrier = flow.carrier.clone().from_port(6001);
                    flow.expect(&peer_syn(PEER_ISN), &NOT_FOLLOWED, AWAITED);
                    flow.expect(&host_syn_ack(1000, PEER_ISN + 1), &AS_IT_CAME, DRAINING);
                },
            ),
            case(
                "S13, S17, S20: a handshake that has no offset by its entry alone, overwritten: dropped until its SYN comes again",
                |flow| {
                    let f = flow.keyed();
                    flow.closed_keyed_connection(5_000_000);
                    flow.settings(|settings| settings.draining = 1);
                    let isn = 5_100_000u32.wrapping_sub(f);
                    flow.expect(&host_syn(isn), &AS_IT_CAME, DRAINING);
                    flow.lose_handshakes();
                    let dropped = Leaves::Dropped(DropReason::Untranslatable);
                    let answer = peer_syn_ack(PEER_ISN, isn.wrapping_add(1));
                    flow.expect(&answer, &dropped, NOTHING);
                    flow.expect(&host_syn(isn), &AS_IT_CAME, DRAINING);
                    plain_handshake(flow, isn);
                    lies_in(flow, "translated");
                },
            ),
            case(
                "S5, S20: a half-open connection that has F keeps its wire ISN while draining",
                |flow| {
                    let f = flow.keyed();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    flow.settings(|settings| settings.draining = 1);
                    flow.expect(&host_syn(7), &Seq(f.wrapping_add(1000)), REWRITTEN);
                },
            ),
        ],
    );
}

const NO_SHARE: &Events = &[
    (Counter::SynSeen, 1),
    (Counter::SynKeyed, 1),
    (Counter::MemoryShareExceeded, 1),
    (Counter::HalfOpenInserted, 0),
];

/// Fills the table of translated flows with open connections on ports 1 to 4, then port 5 has a connection that is over.
fn fill(flow: &mut Flow<'_>) {
    let _ = flow.keyed();
    for port in 1..=4 {
        flow.carrier = flow.carrier.clone().from_port(port);
        flow.closed_keyed_connection(5_000_000);
        let (isn, wire) = moved_ahead(flow);
        flow.keyed_handshake(isn, wire.wrapping_sub(isn));
        lies_in(flow, "translated");
    }
    flow.carrier = flow.carrier.clone().from_port(5);
    flow.closed_keyed_connection(5_000_000);
}

#[test]
fn no_room() {
    let room = Room {
        translated: 4,
        half_open: 8192,
        history: 8192,
    };
    play_with(
        room,
        &both_families(),
        &[
            case(
                "S3, S18: on_full = pass: what needs an offset of its own gets F (46)",
                |flow| {
                    fill(flow);
                    let f = flow.f();
                    let isn = regressing(flow);
                    flow.moved_by(f, &host_syn(isn), FULL);
                    flow.keyed_handshake(isn, f);
                    lies_in(flow, "history");
                    flow.carrier = flow.carrier.clone().from_port(6);
                    let f = flow.f();
                    flow.moved_by(f, &host_syn(1000), FIRST_KEYED);
                    flow.moved_by(f, &host_syn(7), FULL);
                    flow.keyed_handshake(7, f);
                },
            ),
            case(
                "S3, S18: on_full = drop: it is dropped; what has F needs no room (46)",
                |flow| {
                    flow.settings(|settings| settings.on_full = 1);
                    fill(flow);
                    let dropped = Leaves::Dropped(DropReason::TableFull);
                    flow.expect(&host_syn(regressing(flow)), &dropped, FULL);
                    let f = flow.f();
                    let safe = 5_100_000u32.wrapping_sub(f);
                    flow.moved_by(f, &host_syn(safe), SYN_KEYED);
                    flow.carrier = flow.carrier.clone().from_port(6);
                    flow.keyed_connection(1000);
                },
            ),
            case(
                "S3, S17: a first SYN beyond its host's share leaves with F and is not remembered",
                |flow| {
                    let _ = flow.keyed();
                    flow.settings(|settings| settings.limits.half_open_share = 1);
                    flow.moved_by(flow.f(), &host_syn(1000), FIRST_KEYED);
                    flow.carrier = flow.carrier.clone().from_port(6);
                    let f = flow.f();
                    flow.moved_by(f, &host_syn(1000), NO_SHARE);
                    lies_in(flow, "none");
                    let answer = peer_syn_ack(PEER_ISN, f.wrapping_add(1001));
                    flow.moved_by(f, &answer, RECOMPUTED);
                    flow.moved_by(f, &host_ack(1001, PEER_ISN + 1), REMEMBERED);
                },
            ),
        ],
    );
}
