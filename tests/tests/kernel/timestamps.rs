//! When a SYN's timestamp is older than the latest of the incarnation before, which a peer in TIME-WAIT refuses (PAWS; RFC 7323
//! section 5, RFC 6191): it is repaired, by itself.

use isn_tests::two_worlds::{
    prelude::*,
    stamps::{BOTH_REPAIRED, EDGE, END, LATEST, PEER_CLOCK, ahead, repaired, safe_syn, stamped},
};

/// The SYN leaves as it came.
fn untouched(flow: &mut Flow<'_>, syn: &Tcp) {
    let stepped = flow.becomes(syn, syn, SAFE_SYN);
    flow.require(
        stepped.verdict == Verdict::Pass(PassReason::OffsetZero),
        format!("{:?}", stepped.verdict),
    );
}

#[test]
fn what_regresses_is_repaired_and_nothing_else() {
    play(
        &all_carriers(),
        &[
            case(
                "PAWS: a safe SYN with an older timestamp: its sequence number stays (76)",
                |flow| {
                    flow.stamped_connection(LATEST);
                    let value = repaired(flow, &safe_syn(5), LATEST);
                    // A copy of it leaves the same.
                    let again = flow.stamped_syn(&safe_syn(5), RETRANSMIT);
                    flow.require(again == (EDGE + 1, value), format!("again: {again:?}"));
                },
            ),
            case(
                "PAWS: sequence number and timestamp regress: both are repaired (76)",
                |flow| {
                    flow.stamped_connection(LATEST);
                    let (wire, value) =
                        flow.stamped_syn(&stamped(host_syn(1000), 5, 0), BOTH_REPAIRED);
                    let above = wire.wrapping_sub(END);
                    flow.require(
                        EDGE - END < above && above < 1 << 31,
                        format!("wire ISN {wire}"),
                    );
                    ahead(flow, value, LATEST);
                },
            ),
            case(
                "PAWS: only the sequence number regresses: the timestamp stays (76)",
                |flow| {
                    flow.stamped_connection(LATEST);
                    let (wire, value) =
                        flow.stamped_syn(&stamped(host_syn(1000), LATEST + 1, 0), REWRITTEN);
                    flow.require(
                        wire != 1000 && value == LATEST + 1,
                        format!("wire ISN {wire}, TSval {value}"),
                    );
                },
            ),
            case("PAWS: neither regresses: as it came (2, 76)", |flow| {
                flow.stamped_connection(LATEST);
                untouched(flow, &safe_syn(LATEST + 1));
            }),
        ],
    );
}

#[test]
fn what_is_older() {
    play(
        &both_families(),
        &[
            case(
                "PAWS: older is up to 2^31 behind the latest, wherever that lies; equal is not (76)",
                |flow| {
                    let mut port = 3000;
                    for latest in EDGES.into_iter().chain([LATEST]) {
                        for behind in [1, 2, 1000, 1 << 30, (1 << 31) - 1, 1 << 31] {
                            port += 1;
                            flow.carrier = flow.carrier.clone().from_port(port);
                            flow.stamped_connection(latest);
                            let _ = repaired(flow, &safe_syn(latest.wrapping_sub(behind)), latest);
                        }
                        for beyond in [0, 1, 2, 1000, 1 << 30, (1 << 31) - 1] {
                            port += 1;
                            flow.carrier = flow.carrier.clone().from_port(port);
                            flow.stamped_connection(latest);
                            untouched(flow, &safe_syn(latest.wrapping_add(beyond)));
                        }
                    }
                },
            ),
            case("PAWS: TSval 0 is a number like any other (76)", |flow| {
                flow.stamped_connection(LATEST);
                let _ = repaired(flow, &safe_syn(0), LATEST);
                flow.carrier = flow.carrier.clone().from_port(9);
                flow.stamped_connection(0xf000_0000);
                untouched(flow, &safe_syn(0));
            }),
            case("PAWS: the jump differs from flow to flow (76)", |flow| {
                let mut values = Vec::new();
                for port in 3000..3008 {
                    flow.carrier = flow.carrier.clone().from_port(port);
                    flow.stamped_connection(LATEST);
                    values.push(repaired(flow, &safe_syn(5), LATEST));
                }
                values.sort_unstable();
                values.dedup();
                flow.require(values.len() > 1, format!("{values:?}"));
            }),
        ],
    );
}

#[test]
fn what_the_latest_timestamp_follows() {
    play(
        &both_families(),
        &[
            case(
                "PAWS: from the host's FIN on, every current segment that is newer (76)",
                |flow| {
                    flow.stamped_connection(LATEST);
                    let later = stamped(host_ack(END, PEER_ISN + 2), LATEST + 500, PEER_CLOCK);
                    flow.expect(&later, &AS_IT_CAME, NOTHING);
                    let older = stamped(host_ack(END, PEER_ISN + 2), LATEST + 400, PEER_CLOCK);
                    flow.expect(&older, &AS_IT_CAME, NOTHING);
                    let _ = repaired(flow, &safe_syn(LATEST + 499), LATEST + 500);
                },
            ),
            case(
                "PAWS: not a reset of the host, nor what a forger sends far ahead (S21, 76)",
                |flow| {
                    flow.stamped_connection(LATEST);
                    let far = END + (1 << 24);
                    for tcp in [
                        host_ack(far, 1),
                        host_data(far, 1, b"far"),
                        host_fin(far, 1),
                    ] {
                        flow.expect(&stamped(tcp, LATEST + 70_000, 1), &AS_IT_CAME, NOTHING);
                    }
                    let reset = stamped(host_rst(END), LATEST + 80_000, 1);
                    flow.expect(&reset, &AS_IT_CAME, NOTHING);
                    untouched(flow, &safe_syn(LATEST + 1));
                },
            ),
            case(
                "PAWS: what the peer sees counts: the repaired timestamp, not the host's own (76)",
                |flow| {
                    flow.stamped_connection(LATEST);
                    let value = repaired(flow, &safe_syn(5), LATEST);
                    let by = value.wrapping_sub(5);
                    let (isn, next) = (EDGE + 1, EDGE + 2);
                    let answer = stamped(peer_syn_ack(PEER_ISN, next), PEER_CLOCK, value);
                    let seen = stamped(peer_syn_ack(PEER_ISN, next), PEER_CLOCK, 5);
                    let _ = flow.becomes(&answer, &seen, NOTHING);
                    let fin = |value| stamped(host_fin(next, PEER_ISN + 1), value, PEER_CLOCK);
                    let _ = flow.becomes(&fin(10), &fin(by.wrapping_add(10)), NOTHING);
                    let peer = |echo| stamped(peer_fin(PEER_ISN + 1, next + 1), PEER_CLOCK, echo);
                    let _ = flow.becomes(&peer(by.wrapping_add(10)), &peer(10), NOTHING);
                    let last = |value| stamped(host_ack(next + 1, PEER_ISN + 2), value, PEER_CLOCK);
                    let _ = flow.becomes(&last(12), &last(by.wrapping_add(12)), NOTHING);
                    let third = stamped(host_syn(isn + (1 << 20)), 100, 0);
                    let _ = repaired(flow, &third, by.wrapping_add(12));
                },
            ),
        ],
    );
}
