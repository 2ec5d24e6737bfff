//! Every counter is reached: one scene for each, whose last packet counts it (S13).

use isn_common::counter::Kind;
use isn_tests::{
    packet_builder::{
        carrier::DOT1Q,
        extension::{AUTHENTICATION, DESTINATION, Extension},
        fragment::MORE_FRAGMENTS,
    },
    two_worlds::{
        prelude::*,
        shown::{WHOLE, both_ways, unreachable},
        stamps::{EDGE, LATEST, stamped},
    },
};

/// What happens until the last packet, and what became of that.
type Scene = fn(&mut Flow<'_>) -> Stepped;

/// A scene for each counter, over every family where it can happen.
const SCENES: &[(Counter, Scene)] = &[
    (Counter::PacketsTranslatedOut, |flow| {
        let _ = flow.translated(1000);
        flow.offer(&host_data(1001, PEER_ISN + 1, b"x"))
    }),
    (Counter::PacketsTranslatedIn, |flow| {
        let wire = flow.translated(1000);
        flow.offer(&peer_ack(PEER_ISN + 1, wire.wrapping_add(1)))
    }),
    (Counter::IcmpTranslated, |flow| {
        error(flow, |carrier| carrier)
    }),
    (Counter::PreviousIncarnation, |flow| {
        flow.closed_connection(5_000_000, 5_065_535);
        let _ = flow.rewritten(&host_syn(1000), REWRITTEN);
        flow.offer(&host_data(4_999_000, PEER_ISN + 1, b"late"))
    }),
    (Counter::SackEdgesTranslated, |flow| {
        let wire = flow.translated(1000).wrapping_add(1);
        flow.offer(&peer_ack(PEER_ISN + 1, wire).sack(&[(wire, wire.wrapping_add(1))]))
    }),
    (Counter::SynSeen, first_syn),
    (Counter::SynSafe, first_syn),
    (Counter::HalfOpenInserted, first_syn),
    (Counter::Promoted, completed),
    (Counter::HistoryInserted, completed),
    (Counter::MemoryShareExceeded, |flow| {
        flow.settings(|settings| settings.limits.half_open_share = 0);
        first_syn(flow)
    }),
    (Counter::ShareExceeded, |flow| {
        flow.settings(|settings| settings.limits.max_flows = 6);
        for port in 1..=5 {
            flow.carrier = flow.carrier.clone().from_port(port);
            let _ = flow.translated(1000);
        }
        flow.carrier = flow.carrier.clone().from_port(6);
        flow.closed_connection(5_000_000, 5_065_535);
        flow.offer(&host_syn(1000))
    }),
    (Counter::DroppedAckStorm, |flow| {
        for _ in 0..16 {
            let _ = flow.offer(&host_ack(1, 2));
            let _ = flow.offer(&peer_ack(3, 4));
        }
        let _ = flow.offer(&host_ack(1, 2));
        flow.offer(&peer_ack(3, 4))
    }),
    (Counter::SynRewritten, |flow| {
        flow.closed_connection(5_000_000, 5_065_535);
        flow.offer(&host_syn(1000))
    }),
    (Counter::SynKeyed, |flow| {
        let _ = flow.keyed();
        first_syn(flow)
    }),
    (Counter::SamplesTaken, |flow| {
        flow.settings(|settings| settings.limits.sample_share = 100);
        first_syn(flow)
    }),
    (Counter::SamplesLimited, |flow| {
        flow.settings(|settings| settings.limits.sample_share = 1);
        // Of so many, some lie within one second.
        let mut steps = (1..=8).map(|port| {
            flow.carrier = flow.carrier.clone().from_port(port);
            flow.offer(&host_syn(1000))
        });
        let limited = |step: &Stepped| step.counted[Counter::SamplesLimited.index()] != 0;
        steps.find(limited).expect("one is beyond its share")
    }),
    (Counter::KeyedRecomputed, |flow| {
        let _ = flow.keyed();
        flow.offer(&peer_ack(3, 4))
    }),
    (Counter::KeyedRemembered, |flow| {
        let _ = flow.keyed();
        flow.offer(&host_ack(1, 2))
    }),
    (Counter::FlowsAdopted, |flow| {
        let _ = flow.keyed();
        flow.adopt(60, false);
        flow.offer(&host_ack(1, 2))
    }),
    (Counter::AdoptionFull, |flow| {
        let _ = flow.keyed();
        flow.adopt(60, true);
        flow.settings(|settings| settings.limits.max_flows = 0);
        flow.offer(&host_ack(1, 2))
    }),
    (Counter::SynRetransmit, |flow| {
        let _ = first_syn(flow);
        first_syn(flow)
    }),
    (Counter::SynWouldRewrite, |flow| {
        flow.policy(&everywhere(Mode::Observe));
        flow.closed_connection(5_000_000, 5_065_535);
        flow.offer(&host_syn(1000))
    }),
    (Counter::SynOnLiveFlow, |flow| {
        let _ = flow.translated(1000);
        flow.offer(&host_syn(1000))
    }),
    (Counter::PawsRisk, older_stamp),
    (Counter::PawsRepaired, older_stamp),
    (Counter::BypassTcpAuth, |flow| {
        flow.offer(&host_syn(1000).raw_options(&[29, 4, 1, 2]))
    }),
    (Counter::SignedTranslated, |flow| {
        let _ = flow.translated(1000);
        flow.offer(&host_ack(1001, PEER_ISN + 1).raw_options(&[29, 4, 1, 2]))
    }),
    (Counter::BypassOneWay, |flow| {
        for tcp in [
            host_syn(5_000_000),
            host_ack(5_000_001, PEER_ISN + 1),
            host_rst(5_000_001),
        ] {
            let _ = flow.offer(&tcp);
        }
        flow.offer(&host_syn(1000))
    }),
    (Counter::TableFull, |flow| {
        full(flow);
        flow.offer(&host_syn(1000))
    }),
    (Counter::DroppedTableFull, |flow| {
        full(flow);
        flow.settings(|settings| settings.on_full = 1);
        flow.offer(&host_syn(1000))
    }),
    (Counter::DroppedContended, |flow| {
        let _ = first_syn(flow);
        let claimed = flow.worlds.state().each(|record| Record {
            life: record.life | u64::from(Control::CLAIMED),
            ..*record
        });
        flow.worlds.put(claimed).expect("the maps can be written");
        first_syn(flow)
    }),
    (Counter::DroppedUntranslatable, |flow| {
        let _ = flow.translated(1000);
        tiny_fragment(flow)
    }),
    (Counter::PassNotIp, |flow| {
        let mut octets = flow.carrier.frame(&host_syn(1000));
        octets[12..14].copy_from_slice(&[0x08, 0x06]);
        flow.offer_octets(Outbound, &octets)
    }),
    (Counter::PassVlanDepth, |flow| {
        flow.carrier = (0..3).fold(flow.carrier.clone(), |it, vlan| it.tagged(DOT1Q, vlan));
        first_syn(flow)
    }),
    (Counter::PassTruncated, |flow| {
        let mut octets = flow.carrier.frame(&host_syn(1000));
        octets.pop();
        flow.offer_octets(Outbound, &octets)
    }),
    (Counter::PassBadHeader, |flow| {
        let mut octets = flow.carrier.frame(&host_syn(1000));
        octets[flow.carrier.tcp_at() + 12] = 0x40;
        flow.offer_octets(Outbound, &octets)
    }),
    (Counter::PassFragment, |flow| {
        let whole = host_data(1, 2, b"0123456789");
        flow.offer_octets(Outbound, &flow.carrier.last_fragment(&whole, 8))
    }),
    (Counter::PassShortFragment, tiny_fragment),
    (Counter::PassNotTcp, |flow| protocol(flow, 17)),
    (Counter::PassIcmp, |flow| protocol(flow, icmp(flow))),
    (Counter::PassIcmpFragment, |flow| {
        error(flow, |carrier| {
            if carrier.key4().is_some() {
                carrier.fragment(MORE_FRAGMENTS)
            } else {
                carrier.extension(Extension::fragment(0, true))
            }
        })
    }),
    (Counter::PassExtensionHeaders, |flow| {
        flow.carrier = (0..7).fold(Carrier::v6(), |carrier, _| {
            carrier.extension(Extension::padded(DESTINATION, 0))
        });
        first_syn(flow)
    }),
    (Counter::PassIpAuthentication, |flow| {
        protocol(flow, AUTHENTICATION)
    }),
    (Counter::PassNoFlow, |flow| flow.offer(&host_ack(1, 2))),
    (Counter::PassNotGuarded, |flow| {
        flow.policy(&policy(&[]));
        first_syn(flow)
    }),
    (Counter::PassOddAddress, |flow| {
        match &mut flow.carrier.network {
            Network::V4 { host, peer, .. } => *peer = *host,
            Network::V6 { host, peer, .. } => *peer = *host,
        }
        first_syn(flow)
    }),
    (Counter::PassOffsetZero, |flow| {
        let _ = first_syn(flow);
        flow.offer(&peer_syn_ack(PEER_ISN, 1001))
    }),
    (Counter::PassClosedPort, |flow| {
        let _ = flow.translated(1000);
        flow.offer(&host_rst_ack(0, 7))
    }),
    (Counter::PassNothingToTranslate, |flow| {
        let _ = flow.translated(1000);
        flow.offer(&peer_rst(PEER_ISN + 1))
    }),
];

/// So much room that one translated flow fits.
const ROOM: Room = Room {
    translated: 1,
    half_open: 8192,
    history: 8192,
};

/// The last packet of a handshake.
fn completed(flow: &mut Flow<'_>) -> Stepped {
    let _ = first_syn(flow);
    let _ = flow.offer(&peer_syn_ack(PEER_ISN, 1001));
    flow.offer(&host_ack(1001, PEER_ISN + 1))
}

fn first_syn(flow: &mut Flow<'_>) -> Stepped {
    flow.offer(&host_syn(1000))
}

fn older_stamp(flow: &mut Flow<'_>) -> Stepped {
    flow.stamped_connection(LATEST);
    flow.offer(&stamped(host_syn(EDGE + 1), 5, 0))
}

/// Another flow takes the only place, and this one has ended so that its next SYN is unsafe.
fn full(flow: &mut Flow<'_>) {
    flow.carrier = flow.carrier.clone().from_port(1);
    let _ = flow.translated(1000);
    flow.carrier = flow.carrier.clone().from_port(2);
    flow.closed_connection(5_000_000, 5_065_535);
}

/// An error about a translated flow, over a changed carrier.
fn error(flow: &mut Flow<'_>, change: fn(Carrier) -> Carrier) -> Stepped {
    let wire = flow.translated(1000).wrapping_add(1);
    let inner = flow.carrier.clone();
    let [to_host, _] = both_ways(wire);
    let [came, _] = to_host.errors(&inner, unreachable(&inner), WHOLE);
    let octets = change(inner).icmp_frame(&came);
    flow.offer_octets(Inbound, &octets)
}

fn tiny_fragment(flow: &mut Flow<'_>) -> Stepped {
    let whole = host_data(1001, PEER_ISN + 1, b"").octets(64);
    flow.offer_octets(Outbound, &flow.carrier.first_fragment(&whole, 8))
}

/// A segment whose network header says that it is something else.
fn protocol(flow: &mut Flow<'_>, number: u8) -> Stepped {
    let mut octets = flow.carrier.frame(&host_syn(1000));
    let at = if flow.carrier.key4().is_some() { 9 } else { 6 };
    octets[flow.carrier.network_at() + at] = number;
    flow.offer_octets(Outbound, &octets)
}

fn icmp(flow: &Flow<'_>) -> u8 {
    if flow.carrier.key4().is_some() { 1 } else { 58 }
}

/// The ring is full only after thousands of packets: `kernel/samples` fills it. What becomes of packets that may be forwarded is
/// counted by other programs: `kernel/forwarding`.
fn elsewhere(counter: Counter) -> bool {
    let name = counter.name();
    counter == Counter::SamplesLost || name.starts_with("forwarded_") || name.starts_with("left_")
}

#[test]
fn every_counter_is_counted_by_a_packet() {
    let missing: Vec<_> = Counter::ALL
        .iter()
        .filter(|counter| !elsewhere(**counter))
        .filter(|counter| SCENES.iter().filter(|(it, _)| it == *counter).count() != 1)
        .map(|counter| counter.name())
        .collect();
    assert!(missing.is_empty(), "not exactly one scene for {missing:?}");
    let cases: Vec<Case> = SCENES
        .iter()
        .map(|(counter, scene)| {
            case(
                "S13: one packet, one outcome, and the counter of the scene",
                |flow| {
                    let stepped = scene(flow);
                    counted(flow, *counter, &stepped);
                },
            )
        })
        .collect();
    play_with(ROOM, &both_families(), &cases);
}

/// The packet counts this, and one outcome: its verdict's.
fn counted(flow: &Flow<'_>, counter: Counter, stepped: &Stepped) {
    let spelled = spelled(&stepped.counted);
    flow.require(
        stepped.counted[counter.index()] > 0,
        format!("expected {}, counted [{spelled}]", counter.name()),
    );
    let of_outcomes = |it: &&Counter| it.kind() == Kind::Outcome;
    let outcomes = Counter::ALL.iter().filter(of_outcomes);
    let sum: u64 = outcomes.map(|it| stepped.counted[it.index()]).sum();
    let own = stepped.counted[stepped.verdict.counter().index()];
    flow.require(sum == 1 && own == 1, format!("counted [{spelled}]"));
}
