//! Forwarding in XDP: which frames leave and how, and that those that are left to the kernel are as they came and are counted by no
//! outcome where the kernel hands them to another hook (S10, S13; RFC 1812 section 5.2, RFC 1624).

use anyhow::{Context as _, Result, ensure};
use etherparse::PacketBuilder;
use isn_common::{
    abi::forward::Port,
    counter::{Counter, Kind},
    flow::Direction::{self, Inbound, Outbound},
};
use isn_tests::{
    expected_counters::Counters,
    namespace::Namespace,
    test_run::forwarding::{Forwarding, PASS, REDIRECT},
};
use nix::net::if_::if_nametoindex;

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SENDER: [u8; 6] = [2, 0, 0, 0, 0, 2];
const NEIGHBOUR: &str = "02:00:00:00:00:99";
const PORT: Port = Port {
    address: OWN,
    flags: 0,
};
/// Behind the one interface of the namespace.
const THERE: [u8; 4] = [198, 51, 100, 2];
const NOT_ANSWERED: [u8; 4] = [198, 51, 100, 3];
const HERE: [u8; 4] = [192, 0, 2, 2];
const OUT: &str = "out0";

/// A namespace that forwards, with one interface besides loopback, one neighbour that is known and a narrow route.
fn ground() -> Result<Namespace> {
    let ground = Namespace::new("fib")?;
    for key in ["ipv4/conf/all", "ipv4/conf/lo", "ipv6/conf/all"] {
        ground.set_sysctl(&format!("net/{key}/forwarding"), "1")?;
    }
    for line in [
        "link set lo up",
        "link add out0 type veth peer name far0",
        "link set out0 up",
        "link set far0 up",
        "address add 198.51.100.1/24 dev out0",
        "address add 2001:db8:2::1/64 dev out0 nodad",
        "neigh add 198.51.100.2 lladdr 02:00:00:00:00:99 dev out0 nud permanent",
        "neigh add 2001:db8:2::2 lladdr 02:00:00:00:00:99 dev out0 nud permanent",
        "route add 203.0.113.0/24 via 198.51.100.2 mtu lock 600",
        "route add blackhole 203.0.113.9",
        "route add 203.0.113.128/25 dev lo",
    ] {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        ground.run("ip", &arguments)?;
    }
    Ok(ground)
}

fn v4(to: [u8; 4], hops: u8, payload: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    let builder = PacketBuilder::ethernet2(SENDER, OWN).ipv4(HERE, to, hops);
    let tcp = builder.tcp(40_000, 80, 1, 1024).ack(7);
    tcp.write(&mut frame, &vec![0; payload])
        .expect("into memory");
    frame
}

fn v6(hops: u8) -> Vec<u8> {
    let mut frame = Vec::new();
    let address =
        |net: u8, node: u8| [0x20, 1, 0x0d, 0xb8, 0, net, 0, 0, 0, 0, 0, 0, 0, 0, 0, node];
    let builder = PacketBuilder::ethernet2(SENDER, OWN).ipv6(address(1, 2), address(2, 2), hops);
    builder
        .udp(9, 9)
        .write(&mut frame, b"datagram")
        .expect("into memory");
    frame
}

fn difference(before: &Counters, after: &Counters) -> Vec<(&'static str, u64)> {
    let grown = |counter: &&Counter| after[counter.index()] != before[counter.index()];
    let by = |counter: &Counter| {
        let index = counter.index();
        (counter.name(), after[index] - before[index])
    };
    Counter::ALL.iter().filter(grown).map(by).collect()
}

/// Fails unless the frame is left as it came, counted by this and, where it is a host's, by one outcome.
fn ensure_left(forwarding: &Forwarding, frame: &[u8], why: Counter) -> Result<()> {
    for direction in [Outbound, Inbound] {
        let before = forwarding.counters()?;
        let (action, after) = forwarding.run(direction, frame)?;
        let counted = difference(&before, &forwarding.counters()?);
        ensure!(
            action == PASS,
            "{direction:?}: action {action}, {counted:?}"
        );
        ensure!(after == frame, "{direction:?}: changed: {after:02x?}");
        let outcomes = Counter::ALL.iter().filter(|it| it.kind() == Kind::Outcome);
        let outcomes = outcomes
            .filter(|it| counted.contains(&(it.name(), 1)))
            .count();
        let events = counted.contains(&(why.name(), 1));
        ensure!(
            events
                && outcomes == usize::from(direction == Outbound)
                && counted.len() == 1 + outcomes,
            "{direction:?}: {counted:?}"
        );
    }
    Ok(())
}

fn changed(mut frame: Vec<u8>, at: usize, octet: u8) -> Vec<u8> {
    frame[at] = octet;
    frame
}

/// The same with the right header checksum.
fn finished(mut frame: Vec<u8>) -> Vec<u8> {
    frame[24..26].fill(0);
    let words = frame[14..34].chunks(2);
    let mut sum: u32 = words
        .map(|it| u32::from(u16::from_be_bytes([it[0], it[1]])))
        .sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = !u16::try_from(sum).expect("folded");
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// Programs and a namespace for them, the known neighbours confirmed.
fn prepared() -> Result<(Namespace, Forwarding)> {
    let ground = ground()?;
    let mut forwarding = Forwarding::new()?;
    forwarding.arrive_at(PORT)?;
    ground.enter(|| -> Result<()> {
        let out = if_nametoindex(OUT)?;
        for direction in [Outbound, Inbound] {
            forwarding.leave_by(direction, out)?;
        }
        let (action, _) = forwarding.run(Inbound, &v4(THERE, 64, 0))?;
        ensure!(action == PASS, "the first is the kernel's");
        let (action, _) = forwarding.run(Inbound, &v6(64))?;
        ensure!(action == PASS, "the first is the kernel's");
        ensure!(forwarding.counters()?[Counter::LeftConfirm.index()] == 2);
        Ok(())
    })?;
    Ok((ground, forwarding))
}

fn leaves(
    forwarding: &Forwarding,
    direction: Direction,
    frame: &[u8],
    hops_at: usize,
) -> Result<()> {
    let before = forwarding.counters()?;
    let (action, after) = forwarding.run(direction, frame)?;
    let counted = difference(&before, &forwarding.counters()?);
    ensure!(action == REDIRECT, "action {action}, {counted:?}");
    let way = match direction {
        Outbound => Counter::ForwardedOut,
        Inbound => Counter::ForwardedIn,
    };
    ensure!(
        counted.len() == 2 && counted.contains(&(way.name(), 1)),
        "{counted:?}"
    );
    let mut expected = frame.to_vec();
    expected[..12].copy_from_slice(&after[..12]);
    expected[hops_at] -= 1;
    if hops_at == 22 {
        expected = finished(expected);
    }
    ensure!(after == expected, "{after:02x?} instead of {expected:02x?}");
    let neighbour: Vec<String> = after[..6].iter().map(|it| format!("{it:02x}")).collect();
    ensure!(neighbour.join(":") == NEIGHBOUR, "{neighbour:?}");
    ensure!(
        after[6..12] != SENDER && after[6..12] != OWN,
        "{after:02x?}"
    );
    Ok(())
}

#[test]
fn what_is_forwarded_loses_one_hop_and_changes_its_link() -> Result<()> {
    let (ground, forwarding) = prepared()?;
    ground.enter(|| {
        for direction in [Outbound, Inbound] {
            for hops in [2, 64, 255] {
                leaves(&forwarding, direction, &v4(THERE, hops, 100), 22)?;
                leaves(&forwarding, direction, &v6(hops), 21)?;
            }
            let padded = [v4(THERE, 64, 0), vec![0; 6]].concat();
            leaves(&forwarding, direction, &padded, 22)?;
            leaves(&forwarding, direction, &v4([203, 0, 113, 7], 64, 500), 22)?;
        }
        Ok(())
    })
}

#[test]
fn what_is_left_to_the_kernel_is_as_it_came() -> Result<()> {
    let (ground, forwarding) = prepared()?;
    let plain = || v4(THERE, 64, 100);
    let tagged = [&plain()[..12], &[0x81, 0, 0, 7], &plain()[12..]].concat();
    let with_option = {
        let mut frame = [&plain()[..34], &[1, 1, 1, 0], &plain()[34..]].concat();
        frame[14] = 0x46;
        frame[17] += 4;
        finished(frame)
    };
    let cases = [
        (changed(plain(), 0, 6), Counter::LeftOtherAddress),
        (
            vec![0xff; 6]
                .into_iter()
                .chain(plain().into_iter().skip(6))
                .collect(),
            Counter::LeftOtherAddress,
        ),
        (tagged, Counter::LeftTagged),
        (changed(plain(), 13, 6), Counter::LeftProtocol),
        (finished(changed(plain(), 23, 1)), Counter::LeftProtocol),
        (changed(v6(64), 20, 58), Counter::LeftProtocol),
        (with_option, Counter::LeftOptions),
        (changed(v6(64), 20, 0), Counter::LeftOptions),
        (finished(changed(plain(), 20, 0x20)), Counter::LeftFragment),
        (changed(v6(64), 20, 44), Counter::LeftFragment),
        (changed(plain(), 24, 7), Counter::LeftMalformed),
        (v4(THERE, 1, 0), Counter::LeftHops),
        (v6(1), Counter::LeftHops),
        (v4([224, 0, 0, 9], 64, 0), Counter::LeftAddresses),
        (v4([198, 51, 100, 1], 64, 0), Counter::LeftRoute),
        (v4([198, 51, 100, 255], 64, 0), Counter::LeftRoute),
        (v4([203, 0, 113, 9], 64, 0), Counter::LeftRoute),
        (v4([10, 0, 0, 1], 64, 0), Counter::LeftRoute),
        (v4([203, 0, 113, 7], 64, 600), Counter::LeftTooBig),
        (v4(THERE, 64, 1500), Counter::LeftTooBig),
        (v4(NOT_ANSWERED, 64, 0), Counter::LeftNeighbour),
    ];
    ground.enter(|| {
        cases.iter().try_for_each(|(frame, why)| {
            ensure_left(&forwarding, frame, *why).with_context(|| why.name())
        })
    })
}

#[test]
fn without_an_interface_on_the_other_side_the_kernel_forwards() -> Result<()> {
    let ground = ground()?;
    let mut forwarding = Forwarding::new()?;
    ground.enter(|| {
        ensure_left(&forwarding, &v4(THERE, 64, 0), Counter::LeftClosed)?;
        forwarding.arrive_at(PORT)?;
        let (action, _) = forwarding.run(Inbound, &v4(THERE, 64, 0))?;
        ensure!(action == PASS);
        ensure_left(&forwarding, &v4(THERE, 64, 0), Counter::LeftElsewhere)
    })
}

/// `rp_filter`: a source must have a route, in strict mode one over the interface that the packet came by.
#[test]
fn sources_are_looked_at_where_the_interface_asks_for_it() -> Result<()> {
    let (ground, mut forwarding) = prepared()?;
    let frame = v4(THERE, 64, 0);
    let from_there = finished([&frame[..26], &[198, 51, 100, 77], &frame[30..]].concat());
    ground.enter(|| {
        for flags in [Port::SOURCE_KNOWN, Port::SOURCE_HERE] {
            forwarding.arrive_at(Port { flags, ..PORT })?;
            // No route leads to 192.0.2.0/24.
            ensure_left(&forwarding, &frame, Counter::LeftSource)?;
        }
        ensure_left(&forwarding, &from_there, Counter::LeftSource)?;
        forwarding.arrive_at(Port {
            flags: Port::SOURCE_KNOWN,
            ..PORT
        })?;
        leaves(&forwarding, Inbound, &from_there, 22)
    })
}

/// A line of the kernel's that redirects frames in several buffers is not to be taken for granted.
#[test]
fn frames_in_several_buffers_are_left_to_the_kernel() -> Result<()> {
    let (ground, forwarding) = prepared()?;
    let frame = v4(THERE, 64, 1200);
    ground.enter(|| {
        for direction in [Outbound, Inbound] {
            let before = forwarding.counters()?;
            let (action, after) = forwarding.run_in_buffers(direction, &frame, 256)?;
            let counted = difference(&before, &forwarding.counters()?);
            ensure!(
                action == PASS && after == frame,
                "{direction:?}: {counted:?}"
            );
            ensure!(
                counted.contains(&(Counter::LeftBuffers.name(), 1)),
                "{direction:?}: {counted:?}"
            );
        }
        leaves(&forwarding, Inbound, &frame, 22)
    })
}
