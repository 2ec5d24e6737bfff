//! Control bits in every combination, sensible or not: each is translated whole or not at all, and only a SYN opens (S1, S9;
//! RFC 9293 section 3.1).

use isn_tests::two_worlds::prelude::*;

/// SYN without RST, which alone can open something.
const fn is_syn(flags: u8) -> bool {
    flags & SYN != 0 && flags & RST == 0
}

/// Octets of the number space that the bits occupy.
fn occupied(flags: u8) -> u32 {
    u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0)
}

#[test]
fn on_an_open_connection() {
    play(
        &both_families(),
        &[
            case(
                "S9: any control bits of the host, with and without data: its sequence number (13)",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    let open = flow.worlds.state().clone();
                    for flags in 0..=u8::MAX {
                        for octets in [0, 3] {
                            flow.worlds.put(open.clone()).expect("the maps");
                            let sent = segment(Outbound, flags, 1001, 0x7777_7777).octets(octets);
                            let events = if is_syn(flags) { LIVE } else { NOTHING };
                            flow.expect(&sent, &Seq(wire), events);
                        }
                    }
                },
            ),
            case(
                "S9: any control bits of the peer: its acknowledgment if ACK is set, and nothing otherwise (13, 23)",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    let open = flow.worlds.state().clone();
                    for flags in 0..=u8::MAX {
                        for octets in [0, 3] {
                            flow.worlds.put(open.clone()).expect("the maps");
                            let came = segment(Inbound, flags, PEER_ISN + 1, wire).octets(octets);
                            let leaves = if flags & ACK == 0 {
                                NOTHING_IN_IT
                            } else {
                                ack(1001)
                            };
                            flow.expect(&came, &leaves, NOTHING);
                        }
                    }
                },
            ),
        ],
    );
}

#[test]
fn on_a_flow_that_is_not_known() {
    play(
        &both_families(),
        &[
            case(
                "S1: of the host, only SYN without RST opens, whatever stands beside it (13)",
                |flow| {
                    for flags in 0..=u8::MAX {
                        flow.worlds.renew().expect("the maps");
                        let (leaves, events) = if is_syn(flags) {
                            (AS_IT_CAME, FIRST_SYN)
                        } else {
                            (NOT_FOLLOWED, NOTHING)
                        };
                        let sent = segment(Outbound, flags, 1000, 0x7777_7777).octets(3);
                        flow.expect(&sent, &leaves, events);
                        let mark = flow.record().map(|record| record.high_water().0);
                        let end = 1003 + occupied(flags);
                        flow.require(
                            mark == is_syn(flags).then_some(end),
                            format!("flags {flags:#04x}: high-water mark {mark:?}"),
                        );
                    }
                },
            ),
            case(
                "S1: of the peer, only SYN without RST and ACK is remembered, without an offset (13)",
                |flow| {
                    for flags in 0..=u8::MAX {
                        flow.worlds.renew().expect("the maps");
                        let opens = is_syn(flags) && flags & ACK == 0;
                        let events = if opens { AWAITED } else { NOTHING };
                        let came = segment(Inbound, flags, PEER_ISN, 0x7777_7777).octets(3);
                        flow.expect(&came, &NOT_FOLLOWED, events);
                        let next = flow.record().map(|record| record.peer_next().0);
                        let end = PEER_ISN + 3 + occupied(flags);
                        flow.require(
                            next == opens.then_some(end),
                            format!("flags {flags:#04x}: the peer's next number {next:?}"),
                        );
                    }
                },
            ),
        ],
    );
}

#[test]
fn on_a_flow_that_is_over() {
    play(
        &both_families(),
        &[
            case(
                "S2: a SYN with FIN, URG, PSH, ECE, CWR or ACK beside it is moved ahead like any (13)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let over = flow.worlds.state().clone();
                    for flags in (0..=u8::MAX).filter(|flags| is_syn(*flags)) {
                        flow.worlds.put(over.clone()).expect("the maps");
                        let syn = segment(Outbound, flags, 1000, 0x7777_7777).octets(3);
                        let wire = flow.rewritten(&syn, REWRITTEN);
                        let ahead = wire.wrapping_sub(5_000_000);
                        flow.require(
                            65_535 < ahead && ahead < 1 << 31,
                            format!("flags {flags:#04x}: wire ISN {wire}"),
                        );
                        flow.expect(&syn, &Seq(wire), RETRANSMIT);
                        let record = flow.translated_record().expect("a translated flow");
                        let end = wire.wrapping_add(3 + occupied(flags));
                        flow.require(record.high_water().0 == end, parts(&record));
                    }
                },
            ),
            case(
                "S1: nothing but a SYN makes an offset, and SYN with RST makes none (13)",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let over = flow.worlds.state().clone();
                    for flags in (0..=u8::MAX).filter(|flags| !is_syn(*flags)) {
                        flow.worlds.put(over.clone()).expect("the maps");
                        let sent = segment(Outbound, flags, 1000, PEER_ISN + 2).octets(3);
                        flow.expect(&sent, &AS_IT_CAME, NOTHING);
                        flow.require(
                            flow.translated_record().is_none(),
                            format!("flags {flags:#04x} made an offset"),
                        );
                    }
                },
            ),
        ],
    );
}
