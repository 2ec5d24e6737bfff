//! Where the reading of a frame ends: tags, extension headers, padding, and the same answer in both directions (S13, S25).

use isn_tests::{
    packet_builder::{
        carrier::{DOT1AD, DOT1Q},
        extension::{DESTINATION, Extension, HOP_BY_HOP, ROUTING},
    },
    two_worlds::prelude::*,
};

/// Q-in-Q as built before 802.1ad.
const OLD_QINQ: u16 = 0x9100;

/// An open translated connection of which everything is translated; gives the wire's next number, the host's is 1001.
fn works(flow: &mut Flow<'_>) -> u32 {
    let wire = flow.translated(1000).wrapping_add(1);
    flow.expect(&host_data(1001, PEER_ISN + 1, b"odd"), &Seq(wire), NOTHING);
    let blocks = |base: u32| vec![(base.wrapping_add(9), base.wrapping_add(19))];
    let received = peer_ack(PEER_ISN + 1, wire).nops(1).sack(&blocks(wire));
    flow.expect(&received, &Leaves::Ack(1001, blocks(1001)), NOTHING);
    wire
}

/// Segments of both ends and both SYNs over this carrier pass for this reason.
fn not_read(flow: &mut Flow<'_>, carrier: &Carrier, wire: u32, why: PassReason) {
    let before = flow.worlds.state().clone();
    for tcp in [
        host_syn(77),
        host_data(1001, PEER_ISN + 1, b"x"),
        host_rst(1001),
        peer_syn(99),
        peer_ack(PEER_ISN + 1, wire),
        peer_rst(PEER_ISN + 1),
    ] {
        let frame = Frame {
            octets: carrier.frame(&tcp),
            stripped_tag: carrier.stripped,
        };
        let stepped = flow.offer_frame(tcp.direction, &frame);
        flow.require(
            stepped.verdict == Verdict::Pass(why),
            format!("{tcp:?}: {:?}, expected {why:?}", stepped.verdict),
        );
        if let Some(difference) = unlike(stepped.verdict, NOTHING, &stepped.counted) {
            flow.fail(difference);
        }
    }
    flow.require(
        flow.worlds.state() == &before,
        "what was not read changed a flow",
    );
}

#[test]
fn tags() {
    let old = |plain: Carrier, name| plain.tagged(OLD_QINQ, 7).tagged(DOT1Q, 8).named(name);
    let mut stripped = Carrier::v4().tagged(OLD_QINQ, 9);
    stripped.stripped = Some(0);
    play(
        &[
            old(Carrier::v4(), "IPv4 in 0x9100 and 802.1Q"),
            old(Carrier::v6(), "IPv6 in 0x9100 and 802.1Q"),
            stripped.named("IPv4 in 0x9100, a priority tag stripped"),
            Carrier::v6()
                .tagged(DOT1Q, 0)
                .tagged(DOT1Q, 0xe000)
                .named("IPv6 with two priority tags"),
            Carrier::v4()
                .tagged(DOT1AD, 0x0fff)
                .tagged(DOT1Q, 1)
                .named("IPv4 in QinQ, outer VLAN 4095"),
        ],
        &[case(
            "S25: every kind of tag, priority tags among them (62)",
            |flow| {
                let _ = works(flow);
            },
        )],
    );
    play(
        &both_families(),
        &[case(
            "S13: a third tag, whatever its kind, its VLAN, or who took the first one out (62)",
            |flow| {
                let wire = works(flow);
                let plain = flow.carrier.clone();
                for tpid in [DOT1Q, DOT1AD, OLD_QINQ] {
                    for vlan in [0, 5] {
                        let tagged = |count| {
                            (0..count).fold(plain.clone(), |it: Carrier, _| it.tagged(tpid, vlan))
                        };
                        not_read(flow, &tagged(3), wire, PassReason::VlanDepth);
                        not_read(flow, &tagged(4), wire, PassReason::VlanDepth);
                        let mut stripped = tagged(2);
                        stripped.stripped = Some(vlan);
                        not_read(flow, &stripped, wire, PassReason::VlanDepth);
                    }
                }
            },
        )],
    );
}

#[test]
fn extension_headers() {
    let kinds: [fn() -> Extension; 4] = [
        || Extension::padded(HOP_BY_HOP, 0),
        || Extension::padded(ROUTING, 1),
        || Extension::fragment(0, false),
        || Extension::padded(DESTINATION, 0),
    ];
    play(
        &[Carrier::v6()],
        &[
            case(
                "S25: up to six extension headers of any kind, in any order (66)",
                move |flow| {
                    let wire = works(flow);
                    let plain = flow.carrier.clone();
                    for count in 1..=6 {
                        for first in 0..4 {
                            let chain = (first..first + count)
                                .fold(plain.clone(), |carrier, at| {
                                    carrier.extension(kinds[at % 4]())
                                });
                            flow.carrier = chain;
                            let sent = host_data(1001, PEER_ISN + 1, b"odd");
                            flow.expect(&sent, &Seq(wire), NOTHING);
                            flow.expect(&peer_ack(PEER_ISN + 1, wire), &ack(1001), NOTHING);
                        }
                    }
                },
            ),
            case(
                "S13: a seventh is too many, the same answer both ways, SYNs included (66)",
                move |flow| {
                    let wire = works(flow);
                    let plain = flow.carrier.clone();
                    for count in 7..=9 {
                        for first in 0..4 {
                            let chain = (first..first + count)
                                .fold(plain.clone(), |carrier, at| {
                                    carrier.extension(kinds[at % 4]())
                                });
                            not_read(flow, &chain, wire, PassReason::ExtensionHeaders);
                        }
                    }
                },
            ),
        ],
    );
}

#[test]
fn octets_behind_the_datagram() {
    play(
        &both_families(),
        &[case(
            "S25: padding is no data: the marks follow the IP length (63, 69)",
            |flow| {
                flow.carrier = flow.carrier.clone().trailer(&[0xa5; 1300]);
                let wire = works(flow);
                flow.expect(&host_data(1001, PEER_ISN + 1, b"odd"), &Seq(wire), NOTHING);
                let received = peer_data(PEER_ISN + 1, wire.wrapping_add(3), b"even");
                flow.expect(&received, &ack(1004), NOTHING);
                let record = flow.translated_record().expect("a translated flow");
                flow.require(
                    record.high_water().0 == wire.wrapping_add(3)
                        && record.peer_next().0 == PEER_ISN + 5,
                    parts(&record),
                );
            },
        )],
    );
}
