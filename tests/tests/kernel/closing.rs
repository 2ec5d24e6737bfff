//! Ends of connections: FINs, half-closed connections, and what comes late (S6, S9).

use isn_tests::two_worlds::prelude::*;

#[test]
fn fins_are_translated_and_close() {
    play(
        &all_carriers(),
        &[
            case(
                "S9: the host closes first, every FIN sent twice (41)",
                |flow| {
                    let (host, wire) = open(flow);
                    let (after, wire_after) = (host + 1, wire.wrapping_add(1));
                    flow.expect(&host_fin(host, PEER_ISN + 1), &Seq(wire), NOTHING);
                    flow.expect(&host_fin(host, PEER_ISN + 1), &Seq(wire), NOTHING);
                    flow.expect(&peer_ack(PEER_ISN + 1, wire_after), &ack(after), NOTHING);
                    flow.expect(&peer_fin(PEER_ISN + 1, wire_after), &ack(after), NOTHING);
                    flow.expect(&peer_fin(PEER_ISN + 1, wire_after), &ack(after), NOTHING);
                    flow.expect(&host_ack(after, PEER_ISN + 2), &Seq(wire_after), NOTHING);
                    new_incarnation(flow);
                },
            ),
            case(
                "S9: the peer closes first, with data on its FIN (41)",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.expect(
                        &peer_fin(PEER_ISN + 1, wire).payload(b"bye"),
                        &ack(host),
                        NOTHING,
                    );
                    flow.expect(&host_ack(host, PEER_ISN + 5), &Seq(wire), NOTHING);
                    flow.expect(
                        &host_fin(host, PEER_ISN + 5).payload(b"bye"),
                        &Seq(wire),
                        NOTHING,
                    );
                    flow.expect(
                        &peer_ack(PEER_ISN + 5, wire.wrapping_add(4)),
                        &ack(host + 4),
                        NOTHING,
                    );
                    new_incarnation(flow);
                },
            ),
            case("S9: both close at once (41)", |flow| {
                let (host, wire) = open(flow);
                flow.expect(&host_fin(host, PEER_ISN + 1), &Seq(wire), NOTHING);
                flow.expect(&peer_fin(PEER_ISN + 1, wire), &ack(host), NOTHING);
                flow.expect(
                    &host_ack(host + 1, PEER_ISN + 2),
                    &Seq(wire.wrapping_add(1)),
                    NOTHING,
                );
                flow.expect(
                    &peer_ack(PEER_ISN + 2, wire.wrapping_add(1)),
                    &ack(host + 1),
                    NOTHING,
                );
                new_incarnation(flow);
            }),
        ],
    );
}

#[test]
fn half_closed_and_late() {
    play(
        &both_families(),
        &[
            case(
                "S9: half-closed by the host for hours, then data of the peer (41)",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.expect(&host_fin(host, PEER_ISN + 1), &Seq(wire), NOTHING);
                    flow.wait(20_000);
                    flow.expect(
                        &peer_data(PEER_ISN + 1, wire.wrapping_add(1), b"late"),
                        &ack(host + 1),
                        NOTHING,
                    );
                    flow.expect(
                        &host_ack(host + 1, PEER_ISN + 5),
                        &Seq(wire.wrapping_add(1)),
                        NOTHING,
                    );
                    flow.expect(&host_syn(host), &Seq(wire), LIVE);
                },
            ),
            case(
                "S9: half-closed by the peer for hours, then data of the host (41)",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.expect(&peer_fin(PEER_ISN + 1, wire), &ack(host), NOTHING);
                    flow.wait(20_000);
                    flow.expect(&host_data(host, PEER_ISN + 2, b"late"), &Seq(wire), NOTHING);
                    flow.expect(
                        &peer_ack(PEER_ISN + 2, wire.wrapping_add(4)),
                        &ack(host + 4),
                        NOTHING,
                    );
                    flow.expect(&host_syn(host), &Seq(wire), LIVE);
                },
            ),
        ],
    );
}

#[test]
fn late_segments_and_resets() {
    play(
        &both_families(),
        &[
            case(
                "S9: after both FINs, late segments of both sides are still translated (42)",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.expect(&host_fin(host, PEER_ISN + 1), &Seq(wire), NOTHING);
                    flow.expect(
                        &peer_fin(PEER_ISN + 1, wire.wrapping_add(1)),
                        &ack(host + 1),
                        NOTHING,
                    );
                    flow.wait(60);
                    flow.expect(
                        &peer_fin(PEER_ISN + 1, wire.wrapping_add(1)),
                        &ack(host + 1),
                        NOTHING,
                    );
                    flow.expect(
                        &host_ack(host + 1, PEER_ISN + 2),
                        &Seq(wire.wrapping_add(1)),
                        NOTHING,
                    );
                    flow.expect(&host_fin(host, PEER_ISN + 1), &Seq(wire), NOTHING);
                },
            ),
            case(
                "S9: a host's RST closes, and what comes late is still translated (26)",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.expect(&host_rst(host), &Seq(wire), NOTHING);
                    flow.wait(120);
                    flow.expect(&peer_data(PEER_ISN + 1, wire, b"late"), &ack(host), NOTHING);
                    flow.expect(&host_rst(host), &Seq(wire), NOTHING);
                    new_incarnation(flow);
                },
            ),
            case(
                "S9: a peer's RST closes, and what comes late is still translated (26)",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.expect(&peer_rst(PEER_ISN + 1), &NOTHING_IN_IT, NOTHING);
                    flow.expect(&host_data(host, PEER_ISN + 1, b"late"), &Seq(wire), NOTHING);
                    flow.expect(&peer_rst(PEER_ISN + 1), &NOTHING_IN_IT, NOTHING);
                    new_incarnation(flow);
                },
            ),
            case(
                "S2: data sent before the FIN counts for what follows",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.expect(
                        &host_data(host, PEER_ISN + 1, b"").octets(1400),
                        &Seq(wire),
                        NOTHING,
                    );
                    let end = wire.wrapping_add(1400);
                    flow.expect(&host_fin(host + 1400, PEER_ISN + 1), &Seq(end), NOTHING);
                    flow.expect(
                        &peer_fin(PEER_ISN + 1, end.wrapping_add(1)).window(500),
                        &ack(host + 1401),
                        NOTHING,
                    );
                    let record = flow.translated_record().expect("a translated flow");
                    flow.require(record.high_water().0 == end.wrapping_add(1), parts(&record));
                    new_incarnation(flow);
                },
            ),
            case(
                "S2: a FIN that the peer never acknowledged counts too",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.expect(&host_fin(host, PEER_ISN + 1), &Seq(wire), NOTHING);
                    flow.expect(&peer_rst(PEER_ISN + 1), &NOTHING_IN_IT, NOTHING);
                    let record = flow.translated_record().expect("a translated flow");
                    flow.require(
                        record.high_water().0 == wire.wrapping_add(1),
                        parts(&record),
                    );
                    new_incarnation(flow);
                },
            ),
        ],
    );
}

fn open(flow: &mut Flow<'_>) -> (u32, u32) {
    let wire = flow.translated(1000);
    (1001, wire.wrapping_add(1))
}

/// The connection is over: a SYN is moved ahead of all it had, and the new one works.
fn new_incarnation(flow: &mut Flow<'_>) {
    let before = flow.translated_record().expect("a translated flow");
    let wire = flow.rewritten(&host_syn(300), REWRITTEN);
    let ahead = wire.wrapping_sub(before.high_water().0);
    let window = before.right_edge().0.wrapping_sub(before.high_water().0);
    let window = if window < 1 << 31 { window } else { 0 };
    flow.require(
        window < ahead && ahead < 1 << 31,
        format!("{wire} after {}", parts(&before)),
    );
    flow.handshake(300, wire);
}
