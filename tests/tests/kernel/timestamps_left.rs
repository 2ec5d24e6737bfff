//! SYNs with an older timestamp that are left alone all the same: the peer keeps no TIME-WAIT, or nothing may be changed (PAWS; RFC 7323
//! section 5).

use isn_tests::two_worlds::{
    prelude::*,
    stamps::{EDGE, END, LATEST, stamped},
};

/// A SYN that is safe by its sequence number, with an older timestamp.
fn older_syn() -> Tcp {
    stamped(host_syn(EDGE + 1), 5, 0)
}

/// It leaves as it came.
fn untouched(flow: &mut Flow<'_>, syn: &Tcp, events: &Events) {
    let stepped = flow.becomes(syn, syn, events);
    flow.require(
        stepped.verdict == Verdict::Pass(PassReason::OffsetZero),
        format!("{:?}", stepped.verdict),
    );
    flow.require(
        flow.translated_record()
            .is_none_or(|record| record.offset().0 == 0),
        "an offset was made",
    );
}

/// It leaves as it came, and the risk is counted, beside this.
fn counted_only(flow: &mut Flow<'_>, syn: &Tcp, event: Counter) {
    let events = [(Counter::SynSeen, 1), (event, 1), (Counter::PawsRisk, 1)];
    untouched(flow, syn, &events);
}

#[test]
fn a_peer_that_keeps_no_time_wait() {
    play(
        &both_families(),
        &[
            case(
                "PAWS: a connection that a reset ended, of either end (76)",
                |flow| {
                    for (port, reset) in (6000..).zip([host_rst(2001), peer_rst(PEER_ISN + 1)]) {
                        flow.carrier = flow.carrier.clone().from_port(port);
                        let said = [
                            stamped(host_syn(2000), LATEST, 0),
                            stamped(peer_syn_ack(PEER_ISN, 2001), 7, LATEST),
                            stamped(host_ack(2001, PEER_ISN + 1), LATEST, 7),
                            reset,
                        ];
                        for (at, tcp) in said.iter().enumerate() {
                            let events = if at == 0 { FIRST_SYN } else { NOTHING };
                            let _ = flow.becomes(tcp, tcp, events);
                        }
                        untouched(flow, &older_syn(), SAFE_SYN);
                    }
                },
            ),
            case("PAWS: what is forgotten (S8, 76)", |flow| {
                flow.stamped_connection(LATEST);
                flow.wait(241);
                untouched(flow, &older_syn(), SAFE_SYN);
            }),
            case(
                "PAWS: a SYN-ACK: the peer opened anew, and has no TIME-WAIT (76)",
                |flow| {
                    flow.stamped_connection(LATEST);
                    let syn = stamped(peer_syn(PEER_ISN + 9), 9, 0);
                    flow.expect(&syn, &AS_IT_CAME, NOTHING);
                    let answer = stamped(host_syn_ack(EDGE + 1, PEER_ISN + 10), 5, 9);
                    untouched(flow, &answer, SAFE_SYN);
                },
            ),
            case(
                "PAWS: a SYN without timestamps has none that is older (76)",
                |flow| {
                    flow.stamped_connection(LATEST);
                    flow.expect(&host_syn(EDGE + 1), &AS_IT_CAME, SAFE_SYN);
                },
            ),
            case(
                "PAWS: an open connection goes on with its numbers (S6, 76)",
                |flow| {
                    flow.expect(&stamped(host_syn(2000), LATEST, 0), &AS_IT_CAME, FIRST_SYN);
                    let answer = stamped(peer_syn_ack(PEER_ISN, 2001), 7, LATEST);
                    flow.expect(&answer, &AS_IT_CAME, NOTHING);
                    flow.expect(&older_syn(), &AS_IT_CAME, LIVE);
                },
            ),
        ],
    );
}

#[test]
fn where_nothing_may_be_changed() {
    play(
        &both_families(),
        &[
            case("PAWS: signed (S7, 76)", |flow| {
                flow.stamped_connection(LATEST);
                let signed = older_syn().raw_options(&[19, 18]).raw_options(&[7; 16]);
                flow.expect(&signed, &AS_IT_CAME, SIGNED);
            }),
            case("PAWS: observed: counted, and as it came (S4, 76)", |flow| {
                flow.policy(&everywhere(Mode::Observe));
                flow.stamped_connection(LATEST);
                counted_only(flow, &older_syn(), Counter::SynSafe);
                flow.carrier = flow.carrier.clone().from_port(9);
                flow.stamped_connection(LATEST);
                let both = stamped(host_syn(1000), 5, 0);
                counted_only(flow, &both, Counter::SynWouldRewrite);
            }),
            case(
                "PAWS: draining: counted, and as it came (S20, 76)",
                |flow| {
                    flow.stamped_connection(LATEST);
                    flow.settings(|settings| settings.draining = 1);
                    counted_only(flow, &older_syn(), Counter::SynSafe);
                },
            ),
            case(
                "PAWS: of the connection before only the host's side was seen: counted, and as it came (S7, 18, 76)",
                |flow| {
                    one_way(flow);
                    counted_only(flow, &older_syn(), Counter::SynSafe);
                    flow.carrier = flow.carrier.clone().from_port(9);
                    one_way(flow);
                    let both = stamped(host_syn(1000), 5, 0);
                    counted_only(flow, &both, Counter::BypassOneWay);
                },
            ),
        ],
    );
}

/// A connection of which nothing of the peer was seen, ended by the host's FIN.
fn one_way(flow: &mut Flow<'_>) {
    let syn = stamped(host_syn(END - 2), LATEST, 0);
    flow.expect(&syn, &AS_IT_CAME, FIRST_SYN);
    for tcp in [
        host_ack(END - 1, PEER_ISN + 1),
        host_fin(END - 1, PEER_ISN + 1),
        host_ack(END, PEER_ISN + 2),
    ] {
        flow.expect(&stamped(tcp, LATEST, 7), &AS_IT_CAME, NOTHING);
    }
}

#[test]
fn where_there_is_no_room() {
    let room = Room {
        translated: 1,
        half_open: 8192,
        history: 8192,
    };
    play_with(
        room,
        &both_families(),
        &[
            case(
                "PAWS: on_full = pass: neither number is changed (S18, 46, 76)",
                |flow| {
                    full(flow);
                    for isn in [1000, EDGE + 1] {
                        flow.carrier = flow.carrier.clone().from_port(flow.carrier.host_port + 1);
                        flow.stamped_connection(LATEST);
                        let syn = stamped(host_syn(isn), 5, 0);
                        counted_only(flow, &syn, Counter::TableFull);
                    }
                },
            ),
            case(
                "PAWS: on_full = drop: the SYN waits for room (S18, 46, 76)",
                |flow| {
                    full(flow);
                    flow.settings(|settings| settings.on_full = 1);
                    flow.carrier = flow.carrier.clone().from_port(2);
                    flow.stamped_connection(LATEST);
                    let events = [
                        (Counter::SynSeen, 1),
                        (Counter::TableFull, 1),
                        (Counter::PawsRisk, 1),
                    ];
                    let dropped = Leaves::Dropped(DropReason::TableFull);
                    flow.expect(&older_syn(), &dropped, &events);
                },
            ),
        ],
    );
}

/// Another flow has the only place.
fn full(flow: &mut Flow<'_>) {
    flow.carrier = flow.carrier.clone().from_port(1);
    let _ = flow.translated(1000);
}
