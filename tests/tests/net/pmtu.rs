//! The path narrows in mid-transfer: the ICMP error, the gateway's own or that of a router behind it, reaches the host with the host's number
//! in its quote (S12, RFC 1191, RFC 8201).
//!
//! Linux takes such an error for a TCP connection only if the quoted sequence number is one that is in flight (RFC 5927 section 4.1);
//! only then does its cache of path MTUs change.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    pass::Passing,
    process::Process,
    scenario::{Connection, host_end, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    socket_option::TcpInfo,
    topology::{HOST_IF, Lab, LabOptions, OUTSIDE_IF, PEER_IF, WIRE_FAR_IF, router},
};
use nix::sys::{signal::Signal, socket::getsockopt};
use pcap_file::pcap::PcapReader;
use tempfile::TempDir;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const BYTES: u64 = 128 << 20;
const PATIENCE: Duration = Duration::from_mins(1);
const WIDE: &str = "1500";
const NARROW: &str = "1400";

/// Whose line to the peer becomes narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Complainer {
    Gateway,
    Router,
}

impl Complainer {
    fn lab(self) -> Result<Lab> {
        match self {
            Self::Gateway => Lab::new(LabOptions::default()),
            Self::Router => router::lab(LabOptions::default()),
        }
    }

    fn set_mtu(self, lab: &Lab, mtu: &str) -> Result<()> {
        let before = match self {
            Self::Gateway => (&lab.gateway, OUTSIDE_IF),
            Self::Router => (router::of(lab)?, WIRE_FAR_IF),
        };
        for (namespace, interface) in [before, (&lab.peer, PEER_IF)] {
            namespace.run("ip", &["link", "set", "dev", interface, "mtu", mtu])?;
        }
        Ok(())
    }

    /// Whether the error that it makes has been through isnguard, or quotes what has not been translated yet.
    fn quotes_the_wire(self, placement: Placement) -> bool {
        self == Self::Router || placement == Placement::Inside
    }
}

/// Back to the wide path, with nothing remembered about the narrow one.
fn widen(lab: &Lab, complainer: Complainer) -> Result<()> {
    complainer.set_mtu(lab, WIDE)?;
    for namespace in lab.namespaces() {
        for family in ["-4", "-6"] {
            namespace.run("ip", &[family, "route", "flush", "cache"])?;
        }
    }
    Ok(())
}

/// The host's idea of the path to the peer, as `ip route get` tells.
fn path_mtu(lab: &Lab, family: Family) -> Result<Option<u32>> {
    let peer = family.peer(0).ip().to_string();
    let route = lab.host.run("ip", &["route", "get", &peer])?;
    let mut words = route.split_whitespace().skip_while(|word| *word != "mtu");
    Ok(words.nth(1).and_then(|mtu| mtu.parse().ok()))
}

/// A running tcpdump of the ICMP messages that arrive at the host.
struct Errors {
    process: Process,
    file: PathBuf,
}

impl Errors {
    fn watch(lab: &Lab, dir: &Path) -> Result<Self> {
        let file = dir.join("errors.pcap");
        let mut command = lab.host.command("tcpdump")?;
        command
            .args(["-i", HOST_IF, "-n", "--immediate-mode", "-U", "-Z", "root"])
            .arg("-w")
            .arg(&file)
            .arg("icmp or icmp6")
            .stderr(Stdio::piped());
        let mut process = Process::spawn(command)?;
        let stderr = process.child().stderr.take().context("no pipe")?;
        let mut line = String::new();
        BufReader::new(stderr).read_line(&mut line)?;
        ensure!(line.contains("listening on"), "{line}");
        Ok(Self { process, file })
    }

    /// The sequence numbers that the errors about a narrow path quote, as the host saw them.
    fn quoted(mut self, family: Family) -> Result<Vec<u32>> {
        self.process.signal(Signal::SIGINT)?;
        self.process.wait(PATIENCE)?;
        // Destination unreachable, fragmentation needed (RFC 792, RFC 1191); packet too big (RFC 4443).
        let (header, error) = match family {
            Family::V4 => (20, [3, 4]),
            Family::V6 => (40, [2, 0]),
        };
        let (message, sequence) = (14 + header, 14 + header + 8 + header + 4);
        let mut quoted = Vec::new();
        let mut packets = PcapReader::new(File::open(&self.file)?)?;
        while let Some(packet) = packets.next_packet() {
            let frame = packet?.data.into_owned();
            if frame.get(message..message + 2) == Some(&error) {
                let number = frame.get(sequence..sequence + 4).context("a short quote")?;
                quoted.push(u32::from_be_bytes(number.try_into()?));
            }
        }
        Ok(quoted)
    }
}

fn goes_on(
    lab: &Lab,
    isnguard: &Isnguard,
    complainer: Complainer,
    placement: Placement,
    family: Family,
) -> Result<()> {
    let dir = TempDir::new()?;
    widen(lab, complainer)?;
    ensure!(
        path_mtu(lab, family)?.is_none(),
        "the host knows of a narrow path before there is one"
    );
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    one_life(lab, &server, PORT, FIRST_ISN)?;
    let connection = Connection::open(lab, &server, PORT, LOWER_ISN)?;
    let flow = isnguard.flow(host_end(&server, PORT))?;
    ensure!(flow.offset != 0, "{flow:?}");
    ensure!(
        u64::from(flow.offset) > BYTES,
        "both kinds of numbers must be told apart: {flow:?}"
    );
    let translated = isnguard.counter("icmp_translated")?;
    let errors = Errors::watch(lab, dir.path())?;
    connection.exchange_while(BYTES, || complainer.set_mtu(lab, NARROW))?;
    let found = path_mtu(lab, family)?;
    ensure!(
        found == NARROW.parse().ok(),
        "the host's TCP did not take the error: path MTU {found:?}"
    );
    let used = getsockopt(&connection.client, TcpInfo)?.tcpi_pmtu;
    ensure!(
        NARROW == used.to_string(),
        "the connection still reckons with a path MTU of {used}"
    );
    let quoted = errors.quoted(family)?;
    ensure!(!quoted.is_empty(), "no error arrived");
    let foreign = quoted
        .iter()
        .filter(|number| u64::from(number.wrapping_sub(LOWER_ISN)) > BYTES + 1);
    ensure!(
        foreign.clone().count() == 0,
        "of {} errors some quote numbers that the host never sent: {:?}",
        quoted.len(),
        foreign.take(9).collect::<Vec<_>>()
    );
    let translated = isnguard.counter("icmp_translated")? - translated;
    ensure!(
        (translated > 0) == complainer.quotes_the_wire(placement),
        "{translated} errors translated"
    );
    connection.close()
}

fn narrowed(complainer: Complainer, placement: Placement, hook: Hook) -> Result<()> {
    let lab = complainer.lab()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    for family in Family::ALL {
        goes_on(&lab, &isnguard, complainer, placement, family)
            .with_context(|| format!("{family:?}"))?;
    }
    Ok(())
}

/// Where packets are forwarded in XDP, one that is too large is left to the kernel, which complains.
#[test]
fn the_gateway_complains_where_packets_are_forwarded() -> Result<()> {
    let (complainer, placement) = (Complainer::Gateway, Placement::Inside);
    let lab = complainer.lab()?;
    let _ends = [
        Passing::attach(&lab.host, HOST_IF)?,
        Passing::attach(&lab.peer, PEER_IF)?,
    ];
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let setup = Setup::new(placement, Hook::Auto);
    isnguard.attach(&setup.with(&["--outside", OUTSIDE_IF, "--forward"]))?;
    for family in Family::ALL {
        let left = isnguard.counter("left_too_big")?;
        goes_on(&lab, &isnguard, complainer, placement, family)
            .with_context(|| format!("{family:?}"))?;
        ensure!(isnguard.counter("left_too_big")? > left);
        ensure!(isnguard.counter("forwarded_out")? > 10_000);
    }
    Ok(())
}

#[test]
fn the_gateway_complains_inside_xdp() -> Result<()> {
    narrowed(Complainer::Gateway, Placement::Inside, Hook::Xdp)
}

#[test]
fn the_gateway_complains_inside_tc() -> Result<()> {
    narrowed(Complainer::Gateway, Placement::Inside, Hook::Tc)
}

#[test]
fn the_gateway_complains_outside_xdp() -> Result<()> {
    narrowed(Complainer::Gateway, Placement::Outside, Hook::Xdp)
}

#[test]
fn the_gateway_complains_outside_tc() -> Result<()> {
    narrowed(Complainer::Gateway, Placement::Outside, Hook::Tc)
}

#[test]
fn a_router_complains_inside_xdp() -> Result<()> {
    narrowed(Complainer::Router, Placement::Inside, Hook::Xdp)
}

#[test]
fn a_router_complains_inside_tc() -> Result<()> {
    narrowed(Complainer::Router, Placement::Inside, Hook::Tc)
}

#[test]
fn a_router_complains_outside_xdp() -> Result<()> {
    narrowed(Complainer::Router, Placement::Outside, Hook::Xdp)
}

#[test]
fn a_router_complains_outside_tc() -> Result<()> {
    narrowed(Complainer::Router, Placement::Outside, Hook::Tc)
}
