//! Keyed mode: what a flow has by itself, and flows that only the key knows (S3).

use std::{net::IpAddr, time::Duration};

use super::bench::{Bench, PEER_ISN, given};
use crate::{
    model::{Flow, Keyed, Mode, Model, Phase, Rule, Table, keyed::offset},
    packet_builder::{
        Carrier, RST, SYN, Tcp, host_ack, host_data, host_fin, host_rst, host_rst_ack, host_syn,
        host_syn_ack, peer_ack, peer_data, peer_syn, peer_syn_ack,
    },
};

const KEY: [u64; 2] = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
const OLD: [u64; 2] = [7, 8];
const SIGNED: [u8; 4] = [29, 4, 1, 1];

fn keyed(adopting_seconds: u64, before: Option<[u64; 2]>) -> Bench {
    let mut given = given();
    for guard in &mut given.guards {
        guard.rules[0].mode = Some(Mode::Keyed);
    }
    given.keyed = Keyed {
        key: KEY,
        generation: 5,
        before,
        adopting_since: Duration::from_secs(1_000),
        adopting_for: Duration::from_secs(adopting_seconds),
    };
    let mut bench = Bench::new();
    bench.model = Model::new(given);
    bench
}

/// F of the tests' flow by a key.
fn f_by(key: [u64; 2]) -> u32 {
    let flow = crate::model::Key {
        host: IpAddr::from([192, 0, 2, 10]),
        peer: IpAddr::from([198, 51, 100, 20]),
        host_port: 1025,
        peer_port: 80,
        vlans: [None; 2],
    };
    offset(key, &flow)
}

/// The same segment with another sequence number.
fn at(tcp: &Tcp, sequence: u32) -> Tcp {
    Tcp {
        sequence,
        ..tcp.clone()
    }
}

impl Bench {
    /// Leaves with its sequence number moved.
    #[track_caller]
    fn moved(&mut self, by: u32, came: &Tcp) -> crate::model::Judgement {
        self.becomes(came, &at(came, came.sequence.wrapping_add(by)))
    }

    /// Leaves with its acknowledgment moved back.
    #[track_caller]
    fn moved_in(&mut self, by: u32, came: &Tcp) -> crate::model::Judgement {
        let left = came.acknowledgment.wrapping_sub(by);
        self.becomes(came, &came.clone().acknowledging(left))
    }

    /// A connection with F from `isn` on, open.
    fn opened(&mut self, isn: u32) -> u32 {
        let f = f_by(KEY);
        let judged = self.moved(f, &host_syn(isn));
        assert_eq!(judged.expects("syn_keyed"), Some(1));
        let next = isn.wrapping_add(1);
        self.moved_in(f, &peer_syn_ack(PEER_ISN, next.wrapping_add(f)));
        let judged = self.moved(f, &host_ack(next, PEER_ISN + 1));
        assert_eq!(judged.expects("promoted"), Some(1));
        f
    }

    fn lose(&mut self) {
        self.model
            .lose(&[Table::HalfOpen, Table::History, Table::Translated]);
    }
}

#[test]
fn f_is_of_the_4_tuple_and_four_zeros() {
    let octets = |range: std::ops::Range<u8>| range.collect::<Vec<u8>>();
    let flow = |host: IpAddr, peer: IpAddr, ports: [u16; 2]| crate::model::Key {
        host,
        peer,
        host_port: ports[0],
        peer_port: ports[1],
        vlans: [Some(5), None],
    };
    let four = flow([0, 1, 2, 3].into(), [4, 5, 6, 7].into(), [0x0809, 0x0a0b]);
    assert_eq!(offset(KEY, &four), 0x5830_5f2a);
    let address = |from| <[u8; 16]>::try_from(octets(from..from + 16)).expect("16 octets");
    let six = flow(address(0).into(), address(16).into(), [0x2021, 0x2223]);
    assert_eq!(offset(KEY, &six), 0xc827_a81f);
}

#[test]
fn a_first_syn_gets_f_and_its_flow_goes_into_the_history() {
    let mut bench = keyed(0, None);
    let f = bench.opened(100);
    let flow = bench.flow();
    assert_eq!((flow.translation.sequence, flow.own), (f, false));
    assert_eq!((flow.table, flow.keyed), (Table::History, Some(5)));
}

#[test]
fn who_opens_does_not_matter() {
    let mut bench = keyed(0, None);
    let rules = |first_port, mode| Rule {
        first_port,
        last_port: first_port,
        mode: Some(mode),
    };
    bench.model.given().guards[0].rules = vec![rules(80, Mode::Keyed), rules(1025, Mode::Observe)];
    let f = f_by(KEY);
    bench.passes(&peer_syn(PEER_ISN), "pass_no_flow");
    let judged = bench.moved(f, &host_syn_ack(100, PEER_ISN + 1));
    assert_eq!(judged.expects("syn_keyed"), Some(1));
    bench.model.given().guards[0].rules = vec![rules(1025, Mode::Observe), rules(80, Mode::Keyed)];
    bench.lose();
    bench.passes(&host_data(101, 1, b"x"), "pass_no_flow");
    let judged = bench.passes(&host_syn(100), "pass_offset_zero");
    assert_eq!(judged.expects("syn_safe"), Some(1));
}

#[test]
fn an_unsafe_candidate_is_moved_beyond_the_right_edge() {
    let mut bench = keyed(0, None);
    let f = bench.opened(5_000_000);
    bench.moved(f, &host_rst(5_000_001));
    let edge = 5_000_001u32.wrapping_add(f).wrapping_add(65_535);
    bench.never(&host_syn(100), &host_syn(100u32.wrapping_add(f)));
    let wire = edge.wrapping_add(77);
    let judged = bench.becomes(&host_syn(100), &host_syn(wire));
    assert_eq!(judged.expects("syn_rewritten"), Some(1));
    let flow = bench.flow();
    assert!(flow.own && flow.table == Table::HalfOpen);
    let (int, ext) = (101, wire.wrapping_add(1));
    bench.becomes(&peer_syn_ack(7, ext), &peer_syn_ack(7, int));
    bench.becomes(&host_ack(int, 8), &host_ack(ext, 8));
    assert_eq!(bench.flow().table, Table::Translated);
    // And a safe one has F again.
    bench.becomes(&host_rst(int), &host_rst(ext));
    let safe = ext.wrapping_add(70_000).wrapping_sub(f);
    let judged = bench.moved(f, &host_syn(safe));
    assert_eq!(judged.expects("syn_keyed"), Some(1));
    assert!(!bench.flow().own);
}

#[test]
fn another_isn_while_half_open_keeps_the_wire_isn_for_its_own() {
    let mut bench = keyed(0, None);
    let f = f_by(KEY);
    bench.moved(f, &host_syn(100));
    let judged = bench.becomes(&host_syn(5), &host_syn(100u32.wrapping_add(f)));
    assert_eq!(judged.expects("syn_rewritten"), Some(1));
    assert!(bench.flow().own);
    assert_eq!(bench.flow().keyed, Some(5));
}

#[test]
fn signed_one_way_and_draining_leave_no_offset() {
    let mut bench = keyed(0, None);
    let signed = host_syn(100).raw_options(&SIGNED);
    let judged = bench.passes(&signed, "pass_offset_zero");
    assert_eq!(judged.expects("bypass_tcp_auth"), Some(1));
    assert!(!bench.flow().own);
    bench.lose();
    bench.model.given().draining = true;
    let judged = bench.passes(&host_syn(100), "pass_offset_zero");
    assert_eq!(judged.expects("syn_would_rewrite"), Some(1));
    assert!(bench.flow().own);
    bench.passes(&host_syn(7), "pass_offset_zero");
    bench.lose();
    bench.model.given().draining = false;
    let f = f_by(KEY);
    bench.moved(f, &host_syn(5_000_000));
    bench.moved(f, &host_ack(5_000_001, 1));
    bench.moved(f, &host_fin(5_000_001, 1));
    let judged = bench.passes(&host_syn(100), "pass_offset_zero");
    assert_eq!(judged.expects("bypass_one_way"), Some(1));
    assert!(bench.flow().own);
}

#[test]
fn without_room_f_is_left() {
    let mut bench = keyed(0, None);
    let f = bench.opened(5_000_000);
    bench.moved(f, &host_rst(5_000_001));
    bench.model.given().room = 0;
    let judged = bench.moved(f, &host_syn(100));
    assert_eq!(judged.expects("table_full"), Some(1));
    assert!(!bench.flow().own);
    assert_eq!(bench.flow().table, Table::History);
}

#[test]
fn what_was_lost_is_computed_again_and_remembered_from_the_host() {
    let mut bench = keyed(0, None);
    let f = bench.opened(100);
    bench.lose();
    let judged = bench.moved_in(f, &peer_data(9, 101u32.wrapping_add(f), b"x"));
    assert_eq!(judged.expects("keyed_recomputed"), Some(1));
    assert_eq!(bench.model.flows().count(), 0);
    bench.passes(&peer_syn(1).with(RST), "pass_nothing_to_translate");
    bench.passes(&host_rst_ack(0, 7), "pass_closed_port");
    bench.passes(&host_ack(101, 10).raw_options(&SIGNED), "pass_no_flow");
    bench.moved(f, &host_rst(101));
    bench.moved(f, &host_rst(101).with(SYN));
    assert_eq!(bench.model.flows().count(), 0);
    let judged = bench.moved(f, &host_data(101, 10, b"hello"));
    assert_eq!(judged.expects("keyed_remembered"), Some(1));
    assert_eq!(judged.expects("history_inserted"), Some(1));
    let Flow { high, edge, .. } = bench.flow();
    assert_eq!((high, edge), (106u32.wrapping_add(f), high));
    assert_eq!(bench.flow().peer_next, 10);
    assert_eq!(bench.flow().table, Table::History);
    bench.assert_phase(Phase::Established);
    let judged = bench.moved_in(f, &peer_ack(10, 106u32.wrapping_add(f)).window(4));
    assert_eq!(judged.expects("keyed_recomputed"), Some(0));
    assert_eq!(bench.flow().edge, high.wrapping_add(4 << 14));
}

#[test]
fn a_short_fragment_without_an_entry_is_dropped() {
    let mut bench = keyed(0, None);
    let frame = bench
        .carrier
        .first_fragment(&host_data(100, 1, b"data"), 16);
    let judged = bench.octets(crate::model::Direction::Outbound, &frame, None);
    let judged = judged.expect("the model drops it, too");
    assert_eq!(judged.outcome.counter(), "dropped_untranslatable");
    assert_eq!(judged.expects("keyed_recomputed"), Some(1));
}

#[test]
fn while_adopting_flows_have_what_they_had_before() {
    for before in [None, Some(OLD)] {
        let mut bench = keyed(600, before);
        let old = before.map_or(0, f_by);
        let judged = bench.moved(old, &host_data(100, 10, b"x"));
        assert_eq!(judged.expects("flows_adopted"), Some(1));
        let recomputed = u64::from(before.is_some());
        assert_eq!(judged.expects("keyed_recomputed"), Some(recomputed));
        let flow = bench.flow();
        assert_eq!((flow.table, flow.own), (Table::Translated, true));
        bench.wait(10_000);
        bench.moved(old, &host_data(101, 10, b"x"));
    }
}

#[test]
fn while_adopting_new_handshakes_are_kept_where_nothing_evicts_them() {
    let mut bench = keyed(600, Some(OLD));
    bench.opened(100);
    assert_eq!(bench.flow().table, Table::Translated);
    assert!(!bench.flow().own);
}

#[test]
fn a_handshake_of_another_generation_is_kept_too_if_there_is_room() {
    for (room, table) in [(16, Table::Translated), (0, Table::History)] {
        let mut bench = keyed(0, None);
        let f = f_by(KEY);
        bench.moved(f, &host_syn(100));
        bench.moved_in(f, &peer_syn_ack(7, 101u32.wrapping_add(f)));
        bench.model.given().keyed.generation += 1;
        bench.model.given().keyed.key = OLD;
        bench.model.given().room = room;
        bench.moved(f, &host_ack(101, 8));
        assert_eq!(bench.flow().table, table);
    }
}

#[test]
fn no_room_for_adopting_is_counted() {
    let mut bench = keyed(600, Some(OLD));
    bench.model.given().room = 0;
    let judged = bench.moved(f_by(OLD), &host_data(100, 10, b"x"));
    assert_eq!(judged.expects("adoption_full"), Some(1));
    assert_eq!(judged.expects("flows_adopted"), Some(0));
    assert_eq!(bench.model.flows().count(), 0);
}

#[test]
fn a_tag_does_not_change_f() {
    let mut bench = keyed(0, None);
    bench.carrier = Carrier::v4().tagged(0x8100, 5);
    bench.moved(f_by(KEY), &host_syn(100));
}

#[test]
fn an_adopted_flow_without_an_offset_is_not_forgotten_when_idle() {
    let mut bench = keyed(600, None);
    bench.passes(&host_data(100, 10, b"x"), "pass_no_flow");
    bench.wait(10_000);
    let judged = bench.passes(&host_syn(7), "pass_offset_zero");
    assert_eq!(judged.expects("syn_on_live_flow"), Some(1));
}
