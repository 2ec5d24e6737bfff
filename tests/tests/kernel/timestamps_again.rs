//! Timestamps of SYNs that come again: to the peer they are retransmissions, and must look it (PAWS, S5; RFC 7323 section 5).

use isn_tests::two_worlds::{
    prelude::*,
    stamps::{BOTH_REPAIRED, EDGE, LATEST, repaired, safe_syn, stamped},
};

#[test]
fn an_unanswered_syn_with_another_isn() {
    play(
        &both_families(),
        &[
            case(
                "PAWS: to the peer it is a retransmission: the latest timestamp again (S5, 6, 76)",
                |flow| {
                    flow.expect(&safe_syn(LATEST), &AS_IT_CAME, FIRST_SYN);
                    let (wire, value) =
                        flow.stamped_syn(&stamped(host_syn(7000), 5, 0), BOTH_REPAIRED);
                    flow.require(
                        (wire, value) == (EDGE + 1, LATEST),
                        format!("wire ISN {wire}, TSval {value}"),
                    );
                },
            ),
            case(
                "PAWS: a newer one stays, and the offset before it stays too (S5, 6, 76)",
                |flow| {
                    flow.expect(&safe_syn(LATEST), &AS_IT_CAME, FIRST_SYN);
                    let (_, value) =
                        flow.stamped_syn(&stamped(host_syn(7000), LATEST + 9, 0), REWRITTEN);
                    flow.require(value == LATEST + 9, format!("TSval {value}"));
                    flow.carrier = flow.carrier.clone().from_port(9);
                    flow.stamped_connection(LATEST);
                    let value = repaired(flow, &safe_syn(5), LATEST);
                    let (wire, next) =
                        flow.stamped_syn(&stamped(host_syn(7000), 1005, 0), REWRITTEN);
                    flow.require(
                        (wire, next) == (EDGE + 1, value.wrapping_add(1000)),
                        format!("wire ISN {wire}, TSval {next} after {value}"),
                    );
                    // Older than the offset before makes it: the latest again.
                    let (wire, last) =
                        flow.stamped_syn(&stamped(host_syn(8000), 905, 0), BOTH_REPAIRED);
                    flow.require(
                        (wire, last) == (EDGE + 1, next),
                        format!("wire ISN {wire}, TSval {last} after {next}"),
                    );
                },
            ),
            case(
                "PAWS: the same SYN again, its clock going on: the same offset (S5, 4, 76)",
                |flow| {
                    flow.stamped_connection(LATEST);
                    let value = repaired(flow, &safe_syn(5), LATEST);
                    for later in [5, 1005, 3005, 2005] {
                        let (_, again) = flow.stamped_syn(&safe_syn(later), RETRANSMIT);
                        flow.require(
                            again.wrapping_sub(value) == later - 5,
                            format!("TSval {again} at {later}, after {value}"),
                        );
                    }
                },
            ),
        ],
    );
}
