//! Numbers and checksums at the ends of their range, and connections longer than the number space (S9, S11).

use isn_tests::two_worlds::prelude::*;

#[test]
fn a_connection_longer_than_the_number_space() {
    play(
        &[Carrier::v4()],
        &[case(
            "S9: 9 GiB through an offset: no drift, and the high-water mark follows (28)",
            |flow| {
                flow.closed_connection(5_000_000, 5_000_000);
                let wire_isn = flow.rewritten(&host_syn(1000).window_scale(14), REWRITTEN);
                let synack = peer_syn_ack(PEER_ISN, wire_isn.wrapping_add(1)).window_scale(14);
                flow.expect(&synack, &ack(1001), NOTHING);
                let (mut host, mut wire) = (1001u32, wire_isn.wrapping_add(1));
                flow.expect(&host_ack(host, PEER_ISN + 1), &Seq(wire), NOTHING);
                // The window lets half a GiB lie between acknowledgment and the last segment of a flight.
                for _ in 0..19 {
                    flow.expect(
                        &peer_ack(PEER_ISN + 1, wire).window(0x8001),
                        &ack(host),
                        NOTHING,
                    );
                    host = host.wrapping_add(1 << 29);
                    wire = wire.wrapping_add(1 << 29);
                    flow.expect(
                        &host_data(host.wrapping_sub(9), PEER_ISN + 1, b"123456789"),
                        &Seq(wire.wrapping_sub(9)),
                        NOTHING,
                    );
                    flow.require(
                        high_water(flow) == wire,
                        "the high-water mark does not follow",
                    );
                }
                flow.expect(&host_rst(host), &Seq(wire), NOTHING);
                let next = flow.rewritten(&host_syn(host), REWRITTEN);
                flow.require(
                    next.wrapping_sub(wire) < 1 << 31,
                    format!("{next} after {wire}"),
                );
            },
        )],
    );
}

#[test]
fn checksums_at_the_ends_of_their_range() {
    play(
        &both_families(),
        &[
            case(
                "S11: checksums of 0000, 0001, fffe and ffff, before and after (57)",
                |flow| {
                    let (host, wire) = open(flow);
                    for wanted in [0x0000, 0x0001, 0xfffe] {
                        let sent = with_checksum(flow, &host_data(host, PEER_ISN + 1, b""), wanted);
                        flow.expect(&sent, &Seq(wire), NOTHING);
                        let received =
                            with_checksum(flow, &peer_data(PEER_ISN + 1, wire, b""), wanted);
                        flow.expect(&received, &ack(host), NOTHING);
                        let mut after = sent.clone();
                        after.sequence = wire;
                        let mut before = with_checksum(flow, &after, wanted);
                        before.sequence = host;
                        flow.expect(&before, &Seq(wire), NOTHING);
                        let mut after = received.clone();
                        after.acknowledgment = host;
                        let mut before = with_checksum(flow, &after, wanted);
                        before.acknowledgment = wire;
                        flow.expect(&before, &ack(host), NOTHING);
                    }
                },
            ),
            case(
                "S11: a sender that writes ffff for 0000 is still believed (57)",
                |flow| {
                    let (host, wire) = open(flow);
                    let sent = with_checksum(flow, &host_data(host, PEER_ISN + 1, b""), 0)
                        .bad_checksum(0xffff);
                    flow.expect(&sent, &Seq(wire), NOTHING);
                    let received = with_checksum(flow, &peer_data(PEER_ISN + 1, wire, b""), 0)
                        .bad_checksum(0xffff);
                    flow.expect(&received, &ack(host), NOTHING);
                },
            ),
        ],
    );
}

/// The segment with two octets of data that give its checksum this value.
fn with_checksum(flow: &Flow<'_>, tcp: &Tcp, wanted: u16) -> Tcp {
    let at = flow.carrier.tcp_at() + 16;
    let found = (0..=u16::MAX)
        .map(|word| tcp.clone().payload(&word.to_be_bytes()))
        .find(|tcp| {
            let frame = flow.carrier.frame(tcp);
            frame[at..at + 2] == wanted.to_be_bytes()
        });
    found.unwrap_or_else(|| flow.fail(format!("no data gives checksum {wanted:#06x}")))
}

fn open(flow: &mut Flow<'_>) -> (u32, u32) {
    let wire = flow.translated(1000);
    (1001, wire.wrapping_add(1))
}

fn high_water(flow: &Flow<'_>) -> u32 {
    flow.translated_record().map_or_else(
        || flow.fail("no translated flow"),
        |record| record.high_water().0,
    )
}
