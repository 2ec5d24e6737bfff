//! Frames in several buffers: jumbo frames, and headers that do not lie in the first buffer (S13, S25). Test runs at TC
//! cannot be laid out so.

use isn_tests::{
    test_run::{Hook, Kernel},
    two_worlds::{prelude::*, stamps::stamped},
};

#[test]
fn jumbo_frames_in_several_buffers() {
    play(
        &both_families(),
        &[case("S25: segments of 8960 octets and more (69)", |flow| {
            let (host, mut wire) = (1001u32, flow.translated(1000).wrapping_add(1));
            let mut at = host;
            for length in [3000, 3400, 4000, 8960, 8961] {
                flow.expect(
                    &host_data(at, PEER_ISN + 1, b"").octets(length),
                    &Seq(wire),
                    NOTHING,
                );
                let length = u32::try_from(length).expect("short");
                (at, wire) = (at.wrapping_add(length), wire.wrapping_add(length));
                let blocks = |base: u32| vec![(base.wrapping_add(5), base.wrapping_add(6))];
                let received = peer_data(PEER_ISN + 1, wire, b"")
                    .octets(8960)
                    .nops(1)
                    .sack(&blocks(wire));
                flow.expect(&received, &Leaves::Ack(at, blocks(at)), NOTHING);
            }
            let record = flow.translated_record().expect("a translated flow");
            flow.require(record.high_water().0 == wire, parts(&record));
        })],
    );
}

/// An object with one translated flow, made by its own SYNs; its host's next number is 1001.
pub fn with_flow(hook: Hook, carrier: &Carrier) -> (Kernel, u32) {
    let mut kernel = Kernel::new(hook, Room::AMPLE).expect("the kernel takes the programs");
    let settings = default_settings();
    kernel.set(&settings).expect("settings");
    kernel
        .guard4([192, 0, 2, 0], 24, &everywhere(Mode::Monotonic))
        .expect("policy");
    for tcp in [
        host_syn(5_000_000),
        peer_syn_ack(PEER_ISN, 5_000_001),
        host_rst(5_000_001),
    ] {
        kernel
            .run(tcp.direction, &carrier.frame(&tcp))
            .expect("a run");
    }
    let syn = kernel
        .run(Outbound, &carrier.frame(&host_syn(1000)))
        .expect("a run");
    let wire = u32::from_be_bytes(syn.frame[38..42].try_into().expect("4 octets")).wrapping_add(1);
    kernel
        .run(Inbound, &carrier.frame(&peer_syn_ack(PEER_ISN, wire)))
        .expect("a run");
    (kernel, wire)
}

#[test]
fn whatever_part_of_the_headers_is_linear_no_packet_leaves_half_translated() {
    let carrier = Carrier::v4();
    let (kernel, wire) = with_flow(Hook::Xdp, &carrier);
    let blocks = |base: u32| {
        [
            (base, base.wrapping_add(7)),
            (base.wrapping_add(9), base.wrapping_add(20)),
        ]
    };
    let received = peer_ack(PEER_ISN + 1, wire)
        .timestamps(1, 2)
        .sack(&blocks(wire))
        .octets(200);
    let translated = peer_ack(PEER_ISN + 1, 1001)
        .timestamps(1, 2)
        .sack(&blocks(1001))
        .octets(200);
    let sent = host_data(1001, PEER_ISN + 1, b"").octets(200);
    let outbound = host_data(wire, PEER_ISN + 1, b"").octets(200);
    for (before, after) in [(&received, &translated), (&sent, &outbound)] {
        let frames = [carrier.frame(before), carrier.frame(after)];
        let headers = 54 + u32::try_from(before.options.len()).expect("short");
        in_every_layout(&kernel, before.direction, &frames, headers);
    }
}

#[test]
fn whatever_part_of_an_error_is_linear_no_quote_leaves_half_translated() {
    let carrier = Carrier::v4();
    let (kernel, wire) = with_flow(Hook::Xdp, &carrier);
    let peer = |base: u32| {
        peer_ack(PEER_ISN + 1, base)
            .nops(3)
            .sack(&[
                (base, base.wrapping_add(7)),
                (base.wrapping_add(9), base.wrapping_add(20)),
            ])
            .octets(200)
    };
    let host = |sequence| host_data(sequence, PEER_ISN + 1, b"").octets(200);
    for (direction, came, leaves) in [
        (Outbound, peer(1001), peer(wire)),
        (Inbound, host(wire), host(1001)),
    ] {
        let frames = [&came, &leaves].map(|tcp| {
            carrier.icmp_frame(&Icmp::new(direction, 11, carrier.quote(tcp, usize::MAX)))
        });
        // Ethernet, IPv4, ICMP, then the quoted IPv4 and TCP headers.
        let headers = 14
            + 20
            + 8
            + 20
            + 20
            + u32::try_from(came.options.len().next_multiple_of(4)).expect("short");
        in_every_layout(&kernel, direction, &frames, headers);
    }
}

#[test]
fn whatever_part_of_the_headers_is_linear_no_timestamp_is_left_behind() {
    let carrier = Carrier::v4();
    let (kernel, wire, by) = with_stamped_flow(Hook::Xdp, &carrier);
    let received = |base: u32, echo| {
        let blocks = [(base.wrapping_add(9), base.wrapping_add(20))];
        let tcp = peer_ack(PEER_ISN + 1, base).nops(3).sack(&blocks);
        tcp.nops(1).timestamps(7, echo).octets(200)
    };
    let sent = |number, value| {
        let tcp = host_data(number, PEER_ISN + 1, b"").octets(200);
        tcp.nops(9).timestamps(value, 7)
    };
    let clock = |host: u32| host.wrapping_add(by);
    for (before, after) in [
        (received(wire, clock(50)), received(1001, 50)),
        (sent(1001, 60), sent(wire, clock(60))),
    ] {
        let frames = [carrier.frame(&before), carrier.frame(&after)];
        let headers = before.options.len().next_multiple_of(4);
        let headers = 54 + u32::try_from(headers).expect("short");
        in_every_layout(&kernel, before.direction, &frames, headers);
    }
}

/// The same as [`with_flow`], its timestamps moved as well: gives by how much.
fn with_stamped_flow(hook: Hook, carrier: &Carrier) -> (Kernel, u32, u32) {
    let (kernel, wire) = with_flow(hook, carrier);
    let run = |tcp: &Tcp| {
        let ran = kernel.run(tcp.direction, &carrier.frame(tcp));
        ran.expect("a run").frame
    };
    let number = |frame: &[u8], at: usize| {
        u32::from_be_bytes(frame[at..at + 4].try_into().expect("4 octets"))
    };
    // The connection that is open ends with a clock far ahead of the next one's.
    let syn = stamped(host_syn(wire.wrapping_add(1 << 21)), 0x7000_0000, 0);
    let _ = run(&host_rst(1001));
    let _ = run(&syn);
    let next = syn.sequence.wrapping_add(1);
    let _ = run(&peer_syn_ack(PEER_ISN, next));
    let _ = run(&stamped(host_fin(next, PEER_ISN + 1), 0x7000_0000, 7));
    let _ = run(&peer_fin(PEER_ISN + 1, next.wrapping_add(1)));
    let syn = run(&stamped(host_syn(1000), 40, 0));
    let wire = number(&syn, 38).wrapping_add(1);
    let by = number(&syn, 58).wrapping_sub(40);
    assert!(by != 0, "the timestamp was not moved");
    let _ = run(&peer_syn_ack(PEER_ISN, wire));
    (kernel, wire, by)
}

/// Runs a frame with any number of octets in its first buffer: it must leave as the second one if its headers are there, and
/// otherwise so, as it came, or not at all.
fn in_every_layout(kernel: &Kernel, direction: Direction, frames: &[Vec<u8>; 2], headers: u32) {
    let [before, after] = frames;
    let mut runs = 0;
    for linear in 14..=140 {
        let ran = kernel
            .attempt(direction, before, Some(linear))
            .expect("a run");
        let Some(ran) = ran else {
            // Older kernels cannot lay out a frame so, and some minimum applies to all.
            assert!(linear < 54, "no run with {linear} linear octets");
            continue;
        };
        runs += 1;
        let whole = &ran.frame == after;
        let sound = !ran.passes || whole || &ran.frame == before;
        assert!(
            sound,
            "{linear} linear octets: half translated\n{:02x?}",
            ran.frame
        );
        assert!(
            whole || linear < headers,
            "{linear} linear octets hold all headers, and yet: {ran:?}"
        );
    }
    assert!(runs > 50, "only {runs} layouts ran");
}
