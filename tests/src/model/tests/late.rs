//! Segments of the incarnation before (S14; cases 39 and 40).

use super::bench::{Bench, THEIRS};
use crate::packet_builder::{host_ack, host_data, host_rst, host_syn, peer_ack};

/// Two translated incarnations: the first from 50,000 on the host's side, the second from 100.
fn twice() -> Bench {
    let mut bench = Bench::new();
    bench
        .incarnation(5_000_000, 998)
        .reopened(50_000, 5_100_000);
    let (came, left) = (
        host_data(50_001, THEIRS, &[1; 100]),
        host_data(5_100_001, THEIRS, &[1; 100]),
    );
    bench.becomes(&came, &left);
    bench.becomes(&host_rst(50_101), &host_rst(5_100_101));
    bench
}

#[test]
fn a_late_segment_keeps_the_previous_offset_39() {
    let mut bench = twice();
    bench.becomes(&host_syn(100), &host_syn(5_300_000));
    let late = host_data(50_001, THEIRS, &[1; 100]);
    let judged = bench.becomes(&late, &host_data(5_100_001, THEIRS, &[1; 100]));
    assert_eq!(judged.expects("previous_incarnation"), Some(1));
    assert_eq!(bench.flow().high, 5_300_001);
    // The living one goes on.
    bench.becomes(&host_ack(101, 1), &host_ack(5_300_001, 1));
}

#[test]
fn the_exact_reset_belongs_to_the_living_12_40() {
    let mut bench = twice();
    bench.becomes(&host_syn(100), &host_syn(5_300_000));
    // The challenge says 5,100,101; the host's reset, by whose number the previous offset would fit as well, comes back to exactly that.
    let int = 5_100_101u32.wrapping_sub(5_299_900);
    bench.becomes(&peer_ack(THEIRS, 5_100_101), &peer_ack(THEIRS, int));
    let judged = bench.becomes(&host_rst(int), &host_rst(5_100_101));
    assert_eq!(judged.expects("previous_incarnation"), Some(0));
    let data = |seq| host_data(seq, THEIRS, b"");
    bench.becomes(&data(int), &data(int.wrapping_add(5_050_000)));
}

#[test]
fn after_two_minutes_nothing_is_late() {
    let mut bench = twice();
    bench.becomes(&host_syn(100), &host_syn(5_300_000));
    bench.wait(121);
    let came = host_data(50_001, THEIRS, &[1; 100]);
    let judged = bench.becomes(&came, &host_data(5_349_901, THEIRS, &[1; 100]));
    assert_eq!(judged.expects("previous_incarnation"), Some(0));
}

#[test]
fn ahead_with_present_acknowledgments_is_living() {
    let mut bench = twice();
    bench.reopened(100, 5_300_000);
    let (int, ext) = (40_000, 5_339_900);
    bench.becomes(&host_data(int, THEIRS, b"x"), &host_data(ext, THEIRS, b"x"));
    // Acknowledging what the peer never sent: late.
    let far = THEIRS + (1 << 23) + 1;
    bench.becomes(
        &host_data(45_000, far, b"x"),
        &host_data(5_095_000, far, b"x"),
    );
}
