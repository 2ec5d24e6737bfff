//! A host whose numbers follow a clock, in keyed mode: ISN = M + F(4-tuple, secret), as RFC 6528 section 3 has it.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use isn_generators::Kind;
use isn_tests::{
    capture::{Capture, Recording},
    device::Device,
    gateway::Isnguard,
    keys::KeyFile,
    segment::distance,
    setup::{Hook, Placement, Setup},
    topology::{HOST_IF, Lab, LabOptions, PEER_IF},
};
use tempfile::TempDir;

const PORTS: std::ops::Range<u16> = 40_000..40_032;
const ROUNDS: usize = 5;
/// After this long a clock of 250 kHz has left the largest window behind that the peer may have opened.
const WINDOW_OF_CLOCK: Duration = Duration::from_millis(300);

/// The initial sequence numbers of the device in the order of their sending, by the peer's end.
fn numbers(recording: &Recording) -> Result<BTreeMap<SocketAddr, Vec<u32>>> {
    let mut numbers: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    for segment in recording.segments()? {
        if segment.flags.syn && segment.flags.ack {
            let of_end = numbers.entry(segment.destination).or_default();
            // A SYN-ACK that comes again.
            if of_end.last() != Some(&segment.seq) {
                of_end.push(segment.seq);
            }
        }
    }
    Ok(numbers)
}

fn capture(dir: &Path, lab: &Lab) -> Result<[Capture; 2]> {
    Ok([
        Capture::start(&lab.host, HOST_IF, &dir.join("host.pcap"))?,
        Capture::start(&lab.peer, PEER_IF, &dir.join("peer.pcap"))?,
    ])
}

#[test]
fn a_host_with_a_clock_has_the_numbers_of_rfc_6528() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&key.keyed(Setup::new(Placement::Inside, Hook::Xdp), 0)?)?;
    let dir = TempDir::new()?;
    let device = Device::start(&lab, Kind::Clock250K.make(1))?;
    let service = SocketAddr::new(Device::ADDRESS.into(), Device::OPEN_PORT);
    let captures = capture(dir.path(), &lab)?;
    for round in 0..ROUNDS {
        for port in PORTS {
            Device::probe(&lab, Device::ADDRESS, port)
                .with_context(|| format!("round {round}, from port {port}"))?;
        }
        thread::sleep(WINDOW_OF_CLOCK);
    }
    let [at_host, at_peer] = captures;
    let (chosen, seen) = (numbers(&at_host.stop()?)?, numbers(&at_peer.stop()?)?);
    device.stop()?;

    ensure!(chosen.len() == PORTS.len() && seen.len() == PORTS.len());
    for (end, host) in &chosen {
        let wire = &seen[end];
        ensure!(host.len() == ROUNDS, "{end}: {host:?}");
        // M + F: on each connection the secret adds one and the same, and the clock goes on behind it (RFC 6528 section 3).
        let f = key.offset(service, *end);
        let expected: Vec<u32> = host.iter().map(|m| m.wrapping_add(f)).collect();
        ensure!(
            *wire == expected,
            "{end}: {wire:?}, and M + F is {expected:?}"
        );
        ensure!(
            wire.windows(2).all(|two| distance(two[0], two[1]) > 0),
            "{end}: {wire:?} goes back"
        );
    }
    let opened = (PORTS.len() * ROUNDS) as u64;
    ensure!(isnguard.counter("syn_keyed")? == opened);
    ensure!(isnguard.counter("syn_rewritten")? == 0);
    Ok(())
}
