//! ICMP errors and their quotes (S12; cases 47 to 55).

use super::bench::{Bench, THEIRS};
use crate::{
    model::{Direction, Judgement},
    packet_builder::{Carrier, Icmp, Tcp, host_data, host_rst_ack, peer_ack, peer_rst_ack},
};

const OFFSET: u32 = 5_099_900;
const INT: u32 = 101;
const EXT: u32 = INT + OFFSET;

fn open(carrier: Carrier) -> Bench {
    let mut bench = Bench::over(carrier);
    bench.incarnation(5_000_000, 998).reopened(100, 5_100_000);
    bench
}

/// An error that quotes `octets` octets of `came`, which must become `left` in the quote.
#[track_caller]
fn quoting(bench: &mut Bench, kind: u8, octets: usize, came: &Tcp, left: &Tcp) -> Judgement {
    let out = came.direction == isn_common::flow::Direction::Outbound;
    let (way, direction) = if out {
        (isn_common::flow::Direction::Inbound, Direction::Inbound)
    } else {
        (isn_common::flow::Direction::Outbound, Direction::Outbound)
    };
    let router = bench.carrier.clone().of_router(way);
    let came = bench.carrier.quote(came, octets);
    let mut left = bench.carrier.quote(left, octets);
    if octets == 17 {
        // Half a checksum stays.
        left.octets[left.tcp_at + 16] = came.octets[came.tcp_at + 16];
    }
    let [came, left] = [came, left]
        .map(|quote| router.icmp_frame(&Icmp::new(way, kind, quote).rest([0, 0, 5, 100])));
    match bench.octets(direction, &came, Some(&left)) {
        Ok(judgement) => judgement,
        Err(disagreement) => panic!("{octets} octets: {disagreement}"),
    }
}

#[test]
fn inbound_errors_at_every_length_47_to_49() {
    for (carrier, kind) in [(Carrier::v4(), 3), (Carrier::v6(), 2)] {
        let mut bench = open(carrier);
        let data = |seq| host_data(seq, THEIRS, b"quoted").sack(&[(1, 2)]);
        for octets in 0..40 {
            let shown = if octets < 8 { EXT } else { INT };
            let judged = quoting(&mut bench, kind, octets, &data(EXT), &data(shown));
            let counter = if octets < 8 {
                "pass_icmp"
            } else {
                "icmp_translated"
            };
            assert_eq!(judged.outcome.counter(), counter);
        }
    }
}

#[test]
fn outbound_errors_50() {
    let mut bench = open(Carrier::v4());
    let host_side = peer_ack(THEIRS, INT).nops(1).sack(&[(INT + 5, INT + 9)]);
    let peer_side = peer_ack(THEIRS, EXT).nops(1).sack(&[(EXT + 5, EXT + 9)]);
    for octets in 8..14 {
        let judged = quoting(&mut bench, 11, octets, &host_side, &host_side);
        assert!(judged.permits("pass_icmp"), "{octets}");
    }
    quoting(&mut bench, 11, 60, &host_side, &peer_side);
    let cut = peer_ack(THEIRS, EXT).nops(1).sack(&[(INT + 5, INT + 9)]);
    // Without its last octet the option is not quoted; the quoted checksum follows what was put back.
    let judged = {
        let way = isn_common::flow::Direction::Outbound;
        let came = bench.carrier.quote(&host_side, 30);
        let mut left = bench.carrier.quote(&cut, 30);
        let sum = left.tcp_at + 16;
        let plain = bench.carrier.quote(&cut, 60);
        left.octets[sum..sum + 2].copy_from_slice(&plain.octets[sum..sum + 2]);
        let [came, left] =
            [came, left].map(|quote| bench.carrier.icmp_frame(&Icmp::new(way, 3, quote)));
        bench
            .octets(Direction::Outbound, &came, Some(&left))
            .expect("the rules")
    };
    assert!(judged.permits("icmp_translated"));
}

#[test]
fn what_stands_for_none_stays() {
    let mut bench = open(Carrier::v4());
    for quoted in [host_rst_ack(0, 5), peer_rst_ack(THEIRS, 0)] {
        let judged = quoting(&mut bench, 3, 40, &quoted, &quoted);
        assert!(judged.permits("pass_icmp"), "{quoted:?}");
    }
}

#[test]
fn other_types_and_flows_51_53() {
    let mut bench = open(Carrier::v4());
    let data = host_data(EXT, THEIRS, b"quoted");
    for kind in [0, 8, 13] {
        assert!(quoting(&mut bench, kind, 28, &data, &data).permits("pass_icmp"));
    }
    for kind in [3, 4, 5, 11, 12] {
        let back = host_data(INT, THEIRS, b"quoted");
        assert!(quoting(&mut bench, kind, 28, &data, &back).permits("icmp_translated"));
    }
    bench.carrier = bench.carrier.clone().to_port(81);
    assert!(quoting(&mut bench, 3, 28, &data, &data).permits("pass_icmp"));
}
