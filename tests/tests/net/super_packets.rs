//! Segments beyond 64 KiB that the stacks hand over whole ("BIG TCP"), translated at TC like any other (S11, S25).

use std::{fs::File, path::Path};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    capture::{Capture, Recording},
    comparison::{arriving_at, ensure_checksums},
    family::Family,
    gateway::Isnguard,
    scenario::{Connection, host_end, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    socket_option::TcpInfo,
    super_packets,
    topology::{HOST_IF, Lab, LabOptions, Offload, PEER_IF},
};
use nix::sys::socket::getsockopt;
use pcap_file::pcap::PcapReader;
use tempfile::TempDir;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const MIB: u64 = 1 << 20;
/// Full queues may cost some of the 23,000 segments of a direction; segments that are not translated cost all that are larger than this.
const FEW: u32 = 5000;
/// Ethernet's header and the largest IPv4 packet that can state its length.
const LARGEST_ORDINARY: usize = 14 + 65_535;

fn lab() -> Result<Lab> {
    let lab = Lab::new(LabOptions {
        offload: Offload::EndHosts,
        ..LabOptions::default()
    })?;
    super_packets::allow(&lab)?;
    for namespace in [&lab.host, &lab.peer] {
        for buffer in ["tcp_rmem", "tcp_wmem"] {
            namespace.set_sysctl(&format!("net/ipv4/{buffer}"), "4096 8388608 8388608")?;
        }
    }
    Ok(lab)
}

/// How many frames of a capture are larger than an ordinary packet can be.
fn super_packets(recording: &Recording) -> Result<usize> {
    let mut reader = PcapReader::new(File::open(recording.file())?)?;
    let mut count = 0;
    while let Some(packet) = reader.next_packet() {
        count += usize::from(packet?.data.len() > LARGEST_ORDINARY);
    }
    Ok(count)
}

/// One connection that moves much each way, and how many super-packets left each end.
fn moved(lab: &Lab, dir: &Path, server: &Server, isn: u32, port: u16) -> Result<[Recording; 2]> {
    let near = Capture::start(&lab.host, HOST_IF, &dir.join("near.pcap"))?;
    let far = Capture::start(&lab.peer, PEER_IF, &dir.join("far.pcap"))?;
    let connection = Connection::open(lab, server, port, isn)?;
    connection.exchange(32 * MIB, 1)?;
    for end in [&connection.client, &connection.server] {
        let again = getsockopt(end, TcpInfo)?.tcpi_total_retrans;
        println!("{again} segments sent again");
        ensure!(again < FEW, "{again} segments had to be sent again");
    }
    connection.close()?;
    Ok([near.stop()?, far.stop()?])
}

fn ensure_many(recordings: &[Recording; 2]) -> Result<()> {
    for recording in recordings {
        let count = super_packets(recording)?;
        println!("{count} super-packets in {}", recording.file().display());
        ensure!(count > 10, "{count} super-packets show nothing");
    }
    Ok(())
}

#[test]
fn they_arise_without_isnguard() -> Result<()> {
    let lab = lab()?;
    for family in Family::ALL {
        let dir = TempDir::new()?;
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        ensure_many(&moved(&lab, dir.path(), &server, FIRST_ISN, PORT)?)
            .with_context(|| format!("{family:?}"))?;
    }
    Ok(())
}

fn translated(placement: Placement, family: Family) -> Result<()> {
    let lab = lab()?;
    let dir = TempDir::new()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, Hook::Tc))?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    one_life(&lab, &server, PORT, FIRST_ISN)?;
    let recordings = moved(&lab, dir.path(), &server, LOWER_ISN, PORT)?;
    let flow = isnguard.flow(host_end(&server, PORT))?;
    ensure!(flow.offset != 0, "{flow:?}");
    let misread = isnguard.counter("pass_bad_header")?;
    ensure!(misread == 0, "{misread} packets were not understood");
    ensure_many(&recordings)?;
    for (recording, end) in recordings.iter().zip([family.host(0), family.peer(0)]) {
        let segments = recording.segments()?;
        ensure!(ensure_checksums(arriving_at(end.ip(), &segments))? > 1000);
    }
    Ok(())
}

#[test]
fn inside_v4() -> Result<()> {
    translated(Placement::Inside, Family::V4)
}

#[test]
fn inside_v6() -> Result<()> {
    translated(Placement::Inside, Family::V6)
}

#[test]
fn outside_v4() -> Result<()> {
    translated(Placement::Outside, Family::V4)
}

#[test]
fn outside_v6() -> Result<()> {
    translated(Placement::Outside, Family::V6)
}
