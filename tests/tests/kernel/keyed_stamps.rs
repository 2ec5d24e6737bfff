//! Keyed mode and timestamps: F has no part in them, and a repaired one is the incarnation's own (S3, PAWS; RFC 7323 section 5).

use isn_tests::two_worlds::{
    keyed::*,
    prelude::*,
    stamps::{LATEST, PEER_CLOCK, ahead, stamped},
};

/// Where the connection of [`closed`] ends on the wire.
const END: u32 = 5_000_000;

/// With its number, and that of its acknowledgment, where F puts them.
fn at_f(f: u32, tcp: &Tcp) -> Tcp {
    match tcp.direction {
        Outbound => Tcp {
            sequence: tcp.sequence.wrapping_add(f),
            ..tcp.clone()
        },
        Inbound => tcp
            .clone()
            .acknowledging(tcp.acknowledgment.wrapping_sub(f)),
    }
}

/// A keyed connection with timestamps that both sides have closed; the latest of the host's is [`LATEST`].
fn closed(flow: &mut Flow<'_>) -> u32 {
    let f = flow.keyed();
    let (host, wire) = (END.wrapping_sub(f), END);
    let syn = stamped(host_syn(host - 2), LATEST - 9, 0);
    let _ = flow.becomes(&syn, &at_f(f, &syn), FIRST_KEYED);
    let peer = PEER_ISN + 1;
    for tcp in [
        stamped(peer_syn_ack(PEER_ISN, wire - 1), PEER_CLOCK, LATEST - 9),
        stamped(host_ack(host - 1, peer), LATEST - 8, PEER_CLOCK),
        stamped(host_fin(host - 1, peer), LATEST - 7, PEER_CLOCK),
        stamped(peer_fin(peer, wire), PEER_CLOCK, LATEST - 7),
        stamped(host_ack(host, peer + 1), LATEST, PEER_CLOCK),
    ] {
        let _ = flow.becomes(&tcp, &at_f(f, &tcp), NOTHING);
    }
    f
}

const SAFE_REPAIRED: &Events = &[
    (Counter::SynSeen, 1),
    (Counter::SynKeyed, 1),
    (Counter::PawsRisk, 1),
    (Counter::PawsRepaired, 1),
];

#[test]
fn a_clock_that_goes_back() {
    play(
        &both_families(),
        &[
            case(
                "S3, PAWS: a safe candidate has F, its timestamp is moved ahead, and only the entry knows that (76)",
                |flow| {
                    let f = closed(flow);
                    let isn = (END + 70_000).wrapping_sub(f);
                    let syn = stamped(host_syn(isn), 1000, 0);
                    let (sequence, value) = flow.stamped_syn(&syn, SAFE_REPAIRED);
                    flow.require(sequence == isn.wrapping_add(f), format!("{sequence}"));
                    ahead(flow, value, LATEST);
                    let (host, wire) = (isn.wrapping_add(1), sequence.wrapping_add(1));
                    let answer = |ack, echo| stamped(peer_syn_ack(7, ack), 8, echo);
                    let _ = flow.becomes(&answer(wire, value), &answer(host, 1000), NOTHING);
                    let end = |at, clock| stamped(host_ack(at, 8), clock, 8);
                    let _ = flow.becomes(&end(host, 1000), &end(wire, value), NOTHING);
                    lies_in(flow, "translated");
                    flow.lose_memory();
                    let _ = flow.becomes(&end(host, 1001), &end(wire, value + 1), NOTHING);
                },
            ),
            case(
                "S3, PAWS: an unsafe candidate has both numbers moved ahead (77)",
                |flow| {
                    let isn = (END - 1000).wrapping_sub(closed(flow));
                    let syn = stamped(host_syn(isn), 1000, 0);
                    let events = &[
                        (Counter::SynSeen, 1),
                        (Counter::SynRewritten, 1),
                        (Counter::PawsRisk, 1),
                        (Counter::PawsRepaired, 1),
                    ];
                    let (sequence, value) = flow.stamped_syn(&syn, events);
                    beyond(flow, sequence, END, END + 65_535);
                    ahead(flow, value, LATEST);
                },
            ),
            case(
                "S3, PAWS: while draining it is counted only, and the number is the host's",
                |flow| {
                    let f = closed(flow);
                    flow.settings(|settings| settings.draining = 1);
                    let isn = (END + 70_000).wrapping_sub(f);
                    let events = &[
                        (Counter::SynSeen, 1),
                        (Counter::SynWouldRewrite, 1),
                        (Counter::PawsRisk, 1),
                    ];
                    let syn = stamped(host_syn(isn), 1000, 0);
                    let numbers = flow.stamped_syn(&syn, events);
                    flow.require(numbers == (isn, 1000), format!("{numbers:?}"));
                },
            ),
            case(
                "S3, PAWS: timestamps of a flow that is computed again stay",
                |flow| {
                    let f = flow.keyed();
                    let data = stamped(host_data(1001, 7, b"x"), 5, 6);
                    let _ = flow.becomes(&data, &at_f(f, &data), REMEMBERED);
                    let answer = stamped(peer_ack(7, f.wrapping_add(1002)), 6, 5);
                    let _ = flow.becomes(&answer, &at_f(f, &answer), NOTHING);
                },
            ),
        ],
    );
    let full = Room {
        translated: 0,
        half_open: 8192,
        history: 8192,
    };
    play_with(
        full,
        &both_families(),
        &[case(
            "S3, S18, PAWS: without room, F and the host's own timestamp (46)",
            |flow| {
                let f = closed(flow);
                let isn = (END + 70_000).wrapping_sub(f);
                let events = &[
                    (Counter::SynSeen, 1),
                    (Counter::TableFull, 1),
                    (Counter::PawsRisk, 1),
                ];
                let syn = stamped(host_syn(isn), 1000, 0);
                let numbers = flow.stamped_syn(&syn, events);
                let wanted = (isn.wrapping_add(f), 1000);
                flow.require(numbers == wanted, format!("{numbers:?}"));
            },
        )],
    );
}
