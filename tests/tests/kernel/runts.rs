//! Frames cut at every length (S13).

use isn_tests::{
    packet_builder::{
        carrier::{DOT1AD, DOT1Q},
        extension::{Extension, HOP_BY_HOP},
    },
    two_worlds::prelude::*,
};

#[test]
fn frames_cut_at_every_length() {
    let qinq = |carrier: Carrier| carrier.tagged(DOT1AD, 1).tagged(DOT1Q, 2);
    let carriers = [
        Carrier::v4(),
        Carrier::v6(),
        qinq(Carrier::v4()).ip_options(&[1; 8]),
        qinq(Carrier::v6())
            .extension(Extension::padded(HOP_BY_HOP, 0))
            .extension(Extension::fragment(0, false)),
    ];
    play(
        &carriers,
        &[
            case(
                "S13: runts of 0 to 100 octets of an open connection's segments (70)",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    let blocks = [(wire, wire.wrapping_add(9))];
                    for tcp in [
                        host_data(1001, PEER_ISN + 1, b"").octets(40),
                        peer_ack(PEER_ISN + 1, wire)
                            .timestamps(1, 2)
                            .sack(&blocks)
                            .octets(40),
                        host_syn(5).window_scale(7).nops(1),
                        peer_syn_ack(PEER_ISN, wire).window_scale(7).nops(1),
                    ] {
                        let whole = flow.carrier.frame(&tcp);
                        for length in 0..=100.min(whole.len() - 1) {
                            let runt = &whole[..length];
                            let stepped = flow.offer_octets(tcp.direction, runt);
                            let passed = matches!(stepped.verdict, Verdict::Pass(_));
                            let counted = expected(stepped.verdict, NOTHING) == stepped.counted;
                            flow.require(
                                passed && counted && stepped.frame == runt,
                                format!("{stepped:?} of {length} octets"),
                            );
                        }
                    }
                    flow.expect(&host_data(1001, PEER_ISN + 1, b"x"), &Seq(wire), NOTHING);
                },
            ),
            case(
                "S13: the same, with an IP length that fits the runt (70)",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    let network = flow.carrier.network_at();
                    for tcp in [
                        host_data(1001, PEER_ISN + 1, b"").octets(40),
                        peer_ack(PEER_ISN + 1, wire)
                            .timestamps(1, 2)
                            .sack(&[(wire, 9)])
                            .octets(40),
                    ] {
                        let whole = flow.carrier.frame(&tcp);
                        for length in network + 20..whole.len() {
                            let mut runt = whole[..length].to_vec();
                            let v4 = u16::try_from(length - network).expect("short");
                            let (at, value) = if flow.carrier.key4().is_some() {
                                (2, v4)
                            } else {
                                (4, v4.saturating_sub(40))
                            };
                            runt[network + at..network + at + 2]
                                .copy_from_slice(&value.to_be_bytes());
                            let stepped = flow.offer_octets(tcp.direction, &runt);
                            let whole_header = length
                                >= flow.carrier.tcp_at()
                                    + 20
                                    + tcp.options.len().next_multiple_of(4);
                            let translated = matches!(
                                stepped.verdict,
                                Verdict::TranslatedOut | Verdict::TranslatedIn
                            );
                            flow.require(
                                translated == whole_header,
                                format!("{:?} of {length} octets", stepped.verdict),
                            );
                        }
                    }
                },
            ),
        ],
    );
}
