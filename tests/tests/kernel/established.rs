//! Open connections with an offset: every segment translated, and nothing else changed (S9 to S11).

use isn_tests::two_worlds::prelude::*;

#[test]
fn data_and_acknowledgments() {
    play(
        &all_carriers(),
        &[
            case("S9: data and acknowledgments both ways (29)", |flow| {
                let (host, wire) = open(flow);
                flow.expect(
                    &host_data(host, PEER_ISN + 1, b"GET /"),
                    &Seq(wire),
                    NOTHING,
                );
                flow.expect(
                    &peer_ack(PEER_ISN + 1, wire.wrapping_add(5)),
                    &ack(host + 5),
                    NOTHING,
                );
                flow.expect(
                    &peer_data(PEER_ISN + 1, wire.wrapping_add(5), b"200"),
                    &ack(host + 5),
                    NOTHING,
                );
                flow.expect(
                    &host_ack(host + 5, PEER_ISN + 4),
                    &Seq(wire.wrapping_add(5)),
                    NOTHING,
                );
                flow.expect(
                    &host_data(host + 5, PEER_ISN + 4, b"").octets(1),
                    &Seq(wire.wrapping_add(5)),
                    NOTHING,
                );
            }),
            case(
                "S11: a checksum that came wrong leaves wrong by as much (58)",
                |flow| {
                    let (host, wire) = open(flow);
                    for error in [1, 0x0100, 0x8000, 0xfffe, 0x5a5a] {
                        let sent = host_data(host, PEER_ISN + 1, b"x").bad_checksum(error);
                        flow.expect(&sent, &Seq(wire), NOTHING);
                        let received = peer_ack(PEER_ISN + 1, wire).bad_checksum(error);
                        flow.expect(&received, &ack(host), NOTHING);
                    }
                },
            ),
        ],
    );
}

#[test]
fn odd_segments_of_an_open_connection() {
    play(
        &both_families(),
        &[case(
            "S10: urgent pointer, ECN bits, reserved bits and window stay (35, 36)",
            |flow| {
                let (host, wire) = open(flow);
                for flags in [URG, ECE, CWR, ECE | CWR, URG | PSH | ECE | CWR] {
                    for reserved in 0..16 {
                        let mut sent = host_data(host, PEER_ISN + 1, b"u").with(flags).window(3);
                        (sent.urgent, sent.reserved) = (1, reserved);
                        flow.expect(&sent, &Seq(wire), NOTHING);
                        let mut received =
                            peer_data(PEER_ISN + 1, wire, b"u").with(flags).window(3);
                        (received.urgent, received.reserved) = (0xffff, reserved);
                        flow.expect(&received, &ack(host), NOTHING);
                    }
                }
            },
        )],
    );
}

#[test]
fn options_stay() {
    play(
        &both_families(),
        &[case(
            "S10: options other than SACK stay, both ways (16, 36)",
            |flow| {
                let (host, wire) = open(flow);
                for option in [
                    &[2, 4, 5, 180][..],
                    &[8, 10, 1, 2, 3, 4, 5, 6, 7, 8],
                    &[30, 12, 0x20, 5, 1, 2, 3, 4, 5, 6, 7, 8],
                    &[253, 8, 1, 2, 3, 4, 5, 6],
                    &[254, 4, 1, 2, 0, 9, 9, 9],
                    &[4, 2],
                    &[5, 2],
                    &[14, 3, 1],
                    &[28, 4, 1, 1],
                    &[172, 11, 0, 0, 1, 0, 0, 2, 0, 0, 3],
                    &[174, 5, 0, 0, 1],
                    &[34, 10, 1, 2, 3, 4, 5, 6, 7, 8],
                ] {
                    flow.expect(
                        &host_ack(host, PEER_ISN + 1).raw_options(option),
                        &Seq(wire),
                        NOTHING,
                    );
                    flow.expect(
                        &peer_ack(PEER_ISN + 1, wire).raw_options(option),
                        &ack(host),
                        NOTHING,
                    );
                }
            },
        )],
    );
}

#[test]
fn repeated_far_and_late_segments() {
    play(
        &both_families(),
        &[
            case("S9: retransmission with other boundaries (37)", |flow| {
                let (host, wire) = open(flow);
                for (at, length) in [
                    (0, 1000),
                    (0, 300),
                    (300, 300),
                    (600, 400),
                    (100, 900),
                    (999, 1),
                ] {
                    let sent = host_data(host + at, PEER_ISN + 1, b"").octets(length);
                    flow.expect(&sent, &Seq(wire.wrapping_add(at)), NOTHING);
                }
                flow.require(
                    high_water(flow) == wire.wrapping_add(1000),
                    "the high-water mark is off",
                );
            }),
            case(
                "S9: old duplicates and segments far outside the window are translated, not dropped (38)",
                |flow| {
                    let (host, wire) = open(flow);
                    let mark = high_water(flow);
                    let anywhere = [0x8000_0000, 0x7fff_ffff, 0x4000_0000];
                    far(flow, host, wire, &anywhere);
                    // No late segment of the incarnation before can still come (S14).
                    flow.wait(121);
                    let near = [1 << 20, 0u32.wrapping_sub(1 << 20)];
                    far(flow, host, wire, &[&anywhere[..], &near].concat());
                    flow.require(
                        high_water(flow) == mark,
                        "a segment outside the window moved the high-water mark",
                    );
                },
            ),
            case(
                "S9: data without ACK: the sequence number alone, and nothing from the peer",
                |flow| {
                    let (host, wire) = open(flow);
                    flow.expect(
                        &segment(Outbound, PSH, host, 0xdead_beef).octets(9),
                        &Seq(wire),
                        NOTHING,
                    );
                    flow.expect(
                        &segment(Inbound, PSH, PEER_ISN + 1, 0xdead_beef).octets(9),
                        &NOTHING_IN_IT,
                        NOTHING,
                    );
                    let sack = segment(Inbound, PSH, PEER_ISN + 1, 7).sack(&[(1, 2)]);
                    flow.expect(&sack, &NOTHING_IN_IT, NOTHING);
                },
            ),
        ],
    );
}

fn open(flow: &mut Flow<'_>) -> (u32, u32) {
    let wire = flow.translated(1000);
    (1001, wire.wrapping_add(1))
}

/// Segments of both ends that lie this far off.
fn far(flow: &mut Flow<'_>, host: u32, wire: u32, distances: &[u32]) {
    for by in distances {
        let (far_host, far_wire) = (host.wrapping_add(*by), wire.wrapping_add(*by));
        let sent = host_data(far_host, PEER_ISN + 1, b"x");
        flow.expect(&sent, &Seq(far_wire), NOTHING);
        let received = peer_data(PEER_ISN.wrapping_add(*by), far_wire, b"x");
        flow.expect(&received, &ack(far_host), NOTHING);
    }
}

fn high_water(flow: &Flow<'_>) -> u32 {
    flow.translated_record().map_or_else(
        || flow.fail("no translated flow"),
        |record| record.high_water().0,
    )
}
