//! Full tables: nothing live is lost, and what finds no room is counted (S16 to S18).

use isn_tests::{
    test_run::{Hook, Kernel},
    two_worlds::prelude::*,
};

const ROOM: Room = Room {
    translated: 4,
    half_open: 8192,
    history: 8192,
};

/// Fills the table with open connections on ports 1 to 4; gives their wire ISNs.
fn fill(flow: &mut Flow<'_>) -> Vec<(u16, u32)> {
    let mut open = Vec::new();
    for port in 1..=4 {
        flow.carrier = flow.carrier.clone().from_port(port);
        open.push((port, flow.translated(1000)));
    }
    flow.carrier = flow.carrier.clone().from_port(5);
    flow.closed_connection(5_000_000, 5_065_535);
    open
}

fn all_live(flow: &mut Flow<'_>, open: &[(u16, u32)]) {
    let carrier = flow.carrier.clone();
    for (port, wire) in open {
        flow.carrier = carrier.clone().from_port(*port);
        let wire = wire.wrapping_add(1);
        flow.expect(&host_data(1001, PEER_ISN + 1, b"live"), &Seq(wire), NOTHING);
        flow.expect(&peer_ack(PEER_ISN + 1, wire), &ack(1001), NOTHING);
    }
    flow.carrier = carrier;
}

/// Takes port 1 out of the tables, as user space does when a flow has ended.
fn make_room(flow: &mut Flow<'_>) {
    let mut state = flow.worlds.state().clone();
    state.translated_v4.retain(|key, _| key.host_port != [0, 1]);
    state.translated_v6.retain(|key, _| key.host_port != [0, 1]);
    flow.worlds.put(state).expect("the maps can be written");
}

#[test]
fn no_room_for_another_offset() {
    play_with(
        ROOM,
        &both_families(),
        &[
            case(
                "S18: on_full = pass: the SYN passes as it came, and so does all that follows (46)",
                |flow| {
                    let open = fill(flow);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FULL);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, RETRANSMIT);
                    flow.expect(&peer_syn_ack(PEER_ISN, 1001), &AS_IT_CAME, NOTHING);
                    flow.expect(&host_ack(1001, PEER_ISN + 1), &AS_IT_CAME, NOTHING);
                    all_live(flow, &open);
                },
            ),
            case(
                "S18: on_full = drop: the SYN is dropped until there is room (46)",
                |flow| {
                    flow.settings(|settings| settings.on_full = 1);
                    let open = fill(flow);
                    let dropped = Leaves::Dropped(DropReason::TableFull);
                    flow.expect(&host_syn(1000), &dropped, FULL);
                    flow.expect(&host_syn(1000), &dropped, FULL);
                    all_live(flow, &open);
                    make_room(flow);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    let ahead = wire.wrapping_sub(5_000_000);
                    flow.require(
                        65_535 < ahead && ahead < 1 << 31,
                        format!("wire ISN {wire}"),
                    );
                    flow.handshake(1000, wire);
                    all_live(flow, &open[1..]);
                },
            ),
            case("S18: on_full = drop: a safe SYN needs no room", |flow| {
                flow.settings(|settings| settings.on_full = 1);
                let open = fill(flow);
                flow.expect(&host_syn(5_065_536), &AS_IT_CAME, SAFE_SYN);
                flow.carrier = flow.carrier.clone().from_port(6);
                flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                all_live(flow, &open);
            }),
            case("S18: a SYN-ACK that finds no room", |flow| {
                let open = fill(flow);
                flow.expect(&peer_syn(PEER_ISN + 9), &AS_IT_CAME, NOTHING);
                flow.expect(&host_syn_ack(1000, PEER_ISN + 10), &AS_IT_CAME, FULL);
                flow.settings(|settings| settings.on_full = 1);
                all_live(flow, &open);
            }),
            case(
                "S5, S18: another ISN of a half-open connection that finds no room",
                |flow| {
                    let open = fill(flow);
                    flow.carrier = flow.carrier.clone().from_port(7);
                    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                    flow.expect(&host_syn(2000), &AS_IT_CAME, FULL);
                    flow.expect(&peer_syn_ack(PEER_ISN, 2001), &AS_IT_CAME, NOTHING);
                    all_live(flow, &open);
                },
            ),
            case(
                "S16: a full table still takes new incarnations of the flows in it",
                |flow| {
                    let mut open = fill(flow);
                    flow.carrier = flow.carrier.clone().from_port(2);
                    flow.expect(&host_rst(1001), &Seq(open[1].1.wrapping_add(1)), NOTHING);
                    open[1].1 = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.handshake(1000, open[1].1);
                    all_live(flow, &open);
                },
            ),
        ],
    );
}

#[test]
fn a_flood_of_syns_takes_no_translated_flow_away() {
    for hook in [Hook::Xdp, Hook::Tc] {
        let mut kernel = Kernel::new(
            hook,
            Room {
                translated: 8,
                half_open: 8192,
                history: 256,
            },
        )
        .expect("the kernel takes the programs");
        kernel.set(&default_settings()).expect("settings");
        kernel
            .guard4([192, 0, 2, 0], 24, &everywhere(Mode::Monotonic))
            .expect("policy");
        let carrier = Carrier::v4();
        let run = |kernel: &Kernel, carrier: &Carrier, tcp: &Tcp| {
            let ran = kernel
                .run(tcp.direction, &carrier.frame(tcp))
                .expect("a run");
            assert!(ran.passes, "{hook:?}: {tcp:?} was dropped");
            ran.frame
        };
        for tcp in [
            host_syn(5_000_000),
            peer_syn_ack(PEER_ISN, 5_000_001),
            host_rst(5_000_001),
        ] {
            run(&kernel, &carrier, &tcp);
        }
        let syn = run(&kernel, &carrier, &host_syn(1000));
        let wire = u32::from_be_bytes(syn[38..42].try_into().expect("4 octets"));
        assert_ne!(wire, 1000);
        run(
            &kernel,
            &carrier,
            &peer_syn_ack(PEER_ISN, wire.wrapping_add(1)),
        );
        let data = host_data(1001, PEER_ISN + 1, b"live");
        let before = run(&kernel, &carrier, &data);
        for port in 2000..12_000 {
            run(
                &kernel,
                &carrier.clone().from_port(port),
                &host_syn(u32::from(port)),
            );
            run(
                &kernel,
                &carrier.clone().from_port(port + 20_000),
                &peer_syn(u32::from(port)),
            );
        }
        assert_eq!(
            run(&kernel, &carrier, &data),
            before,
            "{hook:?}: the flood changed a translated flow"
        );
        assert_eq!(&before[38..42], wire.wrapping_add(1).to_be_bytes());
    }
}
