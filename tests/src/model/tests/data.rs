//! What is translated of segments, and what is not (S9 to S11).

use super::bench::{Bench, THEIRS, direction};
use crate::packet_builder::{
    CWR, Carrier, ECE, Tcp, URG,
    extension::{Extension, HOP_BY_HOP},
    host_ack, host_data, peer_ack, peer_data, peer_syn,
};

const OFFSET: u32 = 0x1234_5677;
const INT: u32 = 1_001;
const EXT: u32 = INT.wrapping_add(OFFSET);

/// Open with an odd offset, whose octets are all different.
fn open(carrier: Carrier) -> Bench {
    let mut bench = Bench::over(carrier);
    let isn = INT - 1;
    let ext = isn.wrapping_add(OFFSET);
    bench
        .incarnation(ext.wrapping_sub(100_000), 10)
        .reopened(isn, ext);
    bench
}

#[test]
fn over_every_carrier_62_64_66() {
    let carriers = [
        Carrier::v4(),
        Carrier::v6(),
        Carrier::v4().tagged(0x8100, 5),
        Carrier::v6().tagged(0x88a8, 6).tagged(0x8100, 7),
        Carrier::v4().ip_options(&[1, 1, 1, 1, 1, 1, 1, 0]),
        Carrier::v6().extension(Extension::padded(HOP_BY_HOP, 2)),
        Carrier::v4().trailer(&[0xaa; 6]),
    ];
    for carrier in carriers {
        let mut bench = open(carrier);
        let judged = bench.becomes(
            &host_data(INT, THEIRS, b"odd"),
            &host_data(EXT, THEIRS, b"odd"),
        );
        assert_eq!(judged.outcome.counter(), "packets_translated_out");
        bench.becomes(&peer_ack(THEIRS, EXT + 3), &peer_ack(THEIRS, INT + 3));
        assert_eq!(bench.flow().high, EXT + 3);
    }
}

#[test]
fn sack_at_every_alignment_30_31() {
    let blocks = [(EXT, EXT + 9), (EXT + 20, EXT + 30), (u32::MAX, 7)];
    let back: Vec<_> = blocks
        .iter()
        .map(|(left, right)| (left.wrapping_sub(OFFSET), right.wrapping_sub(OFFSET)))
        .collect();
    for nops in 0..4 {
        for count in 0..=3 {
            let mut bench = open(Carrier::v4());
            let with = |blocks: &[(u32, u32)], ack| {
                peer_ack(THEIRS, ack)
                    .nops(nops)
                    .timestamps(5, 6)
                    .sack(&blocks[..count])
            };
            if nops + 12 + 8 * count > 40 {
                continue;
            }
            let judged = bench.becomes(&with(&blocks, EXT), &with(&back, INT));
            assert_eq!(
                judged.expects("sack_edges_translated"),
                Some(2 * count as u64)
            );
            // The host's own stay.
            let own = |seq| host_ack(seq, THEIRS).nops(nops).sack(&blocks);
            bench.becomes(&own(INT), &own(EXT));
        }
    }
}

#[test]
fn behind_an_end_or_a_malformed_option_nothing_is_translated() {
    let mut bench = open(Carrier::v4());
    for wall in [&[0, 0][..], &[2, 0], &[2, 1], &[9, 39]] {
        let with = |ack| {
            peer_ack(THEIRS, ack)
                .raw_options(wall)
                .sack(&[(EXT, EXT + 1)])
        };
        let judged = bench.becomes(&with(EXT), &with(INT));
        assert_eq!(judged.expects("sack_edges_translated"), Some(0));
    }
}

#[test]
fn nothing_else_changes_35_36() {
    let mut bench = open(Carrier::v4());
    let odd = |seq| {
        let mut segment = host_data(seq, THEIRS, b"!").with(URG | ECE | CWR).window(3);
        (segment.reserved, segment.urgent) = (0xf, 1);
        segment.raw_options(&[254, 6, 1, 2, 3, 4]).timestamps(1, 2)
    };
    bench.becomes(&odd(INT), &odd(EXT));
    bench.never(&odd(INT), &odd(EXT).window(4));
    let reserved = |seq| Tcp {
        reserved: 1,
        ..odd(seq)
    };
    bench.never(&odd(INT), &reserved(EXT));
}

#[test]
fn wrong_checksums_stay_wrong_58() {
    for error in [0, 1, 0x8000, 0xfffe] {
        let mut bench = open(Carrier::v6());
        let data = host_data(INT, THEIRS, b"abc").bad_checksum(error);
        bench.becomes(&data, &host_data(EXT, THEIRS, b"abc").bad_checksum(error));
        let other = error ^ 0x0100;
        bench.never(&data, &host_data(EXT, THEIRS, b"abc").bad_checksum(other));
    }
}

#[test]
fn numbers_wrap_27_28() {
    let mut bench = open(Carrier::v4());
    // Four rounds through all numbers.
    let (mut int, mut ext) = (INT, EXT);
    for _ in 0..(4u64 << 32) / 1_000_000_000 {
        let step = 1_000_000_000;
        bench
            .model
            .flows
            .values_mut()
            .for_each(|flow| flow.edge = ext.wrapping_add(step));
        int = int.wrapping_add(step - 8);
        ext = ext.wrapping_add(step - 8);
        bench.becomes(
            &host_data(int, THEIRS, &[1; 8]),
            &host_data(ext, THEIRS, &[1; 8]),
        );
        (int, ext) = (int.wrapping_add(8), ext.wrapping_add(8));
        assert_eq!(bench.flow().high, ext);
        bench.becomes(&peer_ack(THEIRS, ext), &peer_ack(THEIRS, int));
    }
}

#[test]
fn keepalives_and_probes_33_34() {
    let mut bench = open(Carrier::v4());
    let high = bench.flow().high;
    for data in [&b""[..], b"?"] {
        bench.becomes(
            &host_data(INT - 1, THEIRS, data),
            &host_data(EXT - 1, THEIRS, data),
        );
        bench.becomes(&peer_ack(THEIRS, EXT), &peer_ack(THEIRS, INT));
        assert_eq!(bench.flow().high, high);
    }
    bench.becomes(
        &host_data(INT, THEIRS, &[1; 1000]),
        &host_data(EXT, THEIRS, &[1; 1000]),
    );
    let edge = bench.flow().edge;
    assert_eq!(edge, EXT + 65_535);
    // A window of nothing, and one octet of a probe beyond the right edge.
    let (int, ext) = (edge.wrapping_sub(OFFSET), edge);
    let fill = |at: u32| host_data(at - 60_000, THEIRS, b"").octets(60_000);
    bench.becomes(&fill(int), &fill(ext));
    bench.becomes(
        &peer_ack(THEIRS, ext).window(0),
        &peer_ack(THEIRS, int).window(0),
    );
    bench.becomes(&host_data(int, THEIRS, b"?"), &host_data(ext, THEIRS, b"?"));
    assert_eq!(bench.flow().high, ext + 1);
}

#[test]
fn without_ack_the_field_stays_23() {
    let mut bench = open(Carrier::v4());
    let no_ack = Tcp {
        flags: crate::packet_builder::PSH,
        ..peer_data(THEIRS, EXT, b"x")
    };
    bench.passes(&no_ack, "pass_nothing_to_translate");
    bench.passes(
        &peer_syn(THEIRS).acknowledging(EXT),
        "pass_nothing_to_translate",
    );
    assert_eq!(direction(&no_ack), crate::model::Direction::Inbound);
}
