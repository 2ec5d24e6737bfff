//! Acknowledgments that go round in circles after an offset was lost are interrupted, and nothing else is (RFC 5961 section 7).

use isn_tests::two_worlds::prelude::*;

const STORM: Leaves = Leaves::Dropped(DropReason::AckStorm);
/// A loop is told after so many of either side.
const PAIRS: u32 = 16;

/// So many pairs of the same two acknowledgments pass.
fn goes_round(flow: &mut Flow<'_>, pairs: u32) {
    for _ in 0..pairs {
        flow.expect(&host_ack(1001, 500), &NOT_FOLLOWED, NOTHING);
        flow.expect(&peer_ack(500, 9_001_001), &NOT_FOLLOWED, NOTHING);
    }
}

#[test]
fn circling_acknowledgments() {
    play(
        &both_families(),
        &[
            case(
                "S17: two acknowledgments that take turns are interrupted",
                |flow| {
                    goes_round(flow, PAIRS);
                    flow.expect(&host_ack(1001, 500), &NOT_FOLLOWED, NOTHING);
                    flow.expect(&peer_ack(500, 9_001_001), &STORM, NOTHING);
                    flow.expect(&host_ack(1001, 500), &STORM, NOTHING);
                },
            ),
            case(
                "S17: data, resets and SYNs of such a connection pass",
                |flow| {
                    goes_round(flow, PAIRS);
                    flow.expect(&host_ack(1001, 500), &NOT_FOLLOWED, NOTHING);
                    for tcp in [
                        peer_data(500, 9_001_001, b"x"),
                        peer_rst(500),
                        peer_fin(500, 9_001_001),
                        host_data(1001, 500, b"x"),
                        host_rst_ack(1001, 500),
                        host_fin(1001, 500),
                    ] {
                        flow.expect(&tcp, &NOT_FOLLOWED, NOTHING);
                    }
                },
            ),
            case("S17: an acknowledgment that moves on ends it", |flow| {
                goes_round(flow, PAIRS);
                flow.expect(&host_ack(1001, 501), &NOT_FOLLOWED, NOTHING);
                goes_round(flow, PAIRS);
            }),
            case(
                "S17: duplicates of one side (RFC 5681) are no storm",
                |flow| {
                    for _ in 0..200 {
                        flow.expect(&host_ack(1001, 500), &NOT_FOLLOWED, NOTHING);
                    }
                    for nth in 0..200 {
                        flow.expect(&peer_ack(500, 9_001_001), &NOT_FOLLOWED, NOTHING);
                        flow.expect(&host_ack(1001, 500 + nth), &NOT_FOLLOWED, NOTHING);
                    }
                },
            ),
            case(
                "S13: of a host that is not guarded nothing is interrupted",
                |flow| {
                    flow.policy(&policy(&[]));
                    goes_round(flow, 4 * PAIRS);
                },
            ),
            case("S9: a flow that is known needs no such guess", |flow| {
                let wire = flow.translated(1000).wrapping_add(1);
                for _ in 0..4 * PAIRS {
                    flow.expect(&host_ack(1001, PEER_ISN + 1), &Seq(wire), NOTHING);
                    flow.expect(&peer_ack(PEER_ISN + 1, wire), &ack(1001), NOTHING);
                }
            }),
        ],
    );
}
