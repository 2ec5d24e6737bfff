//! Each decision, brought about by those who would: told by monitor and explained, with the same rule and numbers.

use std::{
    net::{SocketAddr, SocketAddrV4},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use etherparse::PacketBuilder;
use isn_tests::{
    chosen_isn::Attempt,
    family::Family,
    flood::ground::link_address,
    gateway::Isnguard,
    keys::KeyFile,
    packet_socket::PacketSocket,
    process,
    resident::Resident,
    scenario::{Connection, host_end, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    socket_option::{Md5Key, TcpMd5Signature},
    topology::{HOST_IF, INSIDE_IF, Lab, LabOptions},
};
use nix::sys::socket::setsockopt;
use serde_json::Value;

use super::{Monitor, ensure_agree, explain, explained};

const HIGH_ISN: u32 = 2_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const HIGHER_ISN: u32 = 3_900_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
/// Who has no answer by then gets none.
const GIVE_UP: Duration = Duration::from_millis(300);

fn setup(hook: Hook) -> Setup {
    Setup::new(Placement::Inside, hook)
}

/// What monitor told of a decision, and explain says of the flow as long as it is the last one.
fn agreed(
    monitor: &Monitor,
    isnguard: &Isnguard,
    host: SocketAddr,
    peer: SocketAddr,
    reason: &str,
) -> Result<Value> {
    let told = monitor.decision(host, reason)?;
    let flow = explained(isnguard, host, peer)?;
    ensure_agree(&told, &flow)?;
    ensure!(
        flow["explanation"].as_str().is_some_and(|it| it.len() > 20),
        "{flow}"
    );
    Ok(told)
}

fn of_connections(family: Family, hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &setup(hook))?;
    let monitor = Monitor::start(&isnguard, &[])?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let (host, peer) = (host_end(&server, PORT), server.address());
    let told = |reason: &str| agreed(&monitor, &isnguard, host, peer, reason);

    one_life(&lab, &server, PORT, HIGH_ISN)?;
    let new = told("new")?;
    ensure!(
        new["rule"] == "S8" && new["action"] == "unchanged" && new["host_isn"] == HIGH_ISN,
        "{new}"
    );
    one_life(&lab, &server, PORT, LOWER_ISN)?;
    let regressed = told("regressed")?;
    ensure!(
        regressed["rule"] == "S2" && regressed["action"] == "rewritten",
        "{regressed}"
    );
    ensure!(
        regressed["host_isn"] == LOWER_ISN && regressed["opened_by"] == "host",
        "{regressed}"
    );
    // 1,000 octets each way, SYN and FIN.
    ensure!(
        regressed["wire_end_before"] == HIGH_ISN + 1_002,
        "{regressed}"
    );
    one_life(&lab, &server, PORT, HIGHER_ISN)?;
    let safe = told("safe")?;
    ensure!(
        safe["rule"] == "S2" && safe["action"] == "unchanged" && safe["offset"] == 0,
        "{safe}"
    );
    Ok(())
}

#[test]
fn of_connections_v4() -> Result<()> {
    of_connections(Family::V4, Hook::Xdp)
}

#[test]
fn of_connections_v6() -> Result<()> {
    of_connections(Family::V6, Hook::Tc)
}

#[test]
fn of_syns_that_nobody_answers_and_of_signed_ones() -> Result<()> {
    let family = Family::V4;
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &setup(Hook::Xdp))?;
    let monitor = Monitor::start(&isnguard, &[])?;
    let peer = family.peer(PEER_PORT);
    let [resent, signed] = [PORT, PORT + 1].map(|port| family.host(port));
    lab.unanswered(family, || {
        for isn in [HIGH_ISN, LOWER_ISN] {
            let mut attempt = Attempt::start(&lab.host, resent, peer, Some(isn))?;
            ensure!(attempt.wait(GIVE_UP)?.is_none(), "somebody answered");
        }
        let key = Md5Key::new(peer.ip(), b"shared")?;
        let prepare = |socket: &socket2::Socket| setsockopt(socket, TcpMd5Signature, &key);
        let isn = Some(HIGH_ISN);
        let mut attempt = Attempt::start_prepared(&lab.host, signed, peer, isn, prepare)?;
        ensure!(attempt.wait(GIVE_UP)?.is_none(), "somebody answered");
        let told = agreed(&monitor, &isnguard, resent, peer, "resent")?;
        ensure!(
            told["rule"] == "S5" && told["wire_isn"] == HIGH_ISN,
            "to the peer the same SYN: {told}"
        );
        let told = agreed(&monitor, &isnguard, signed, peer, "tcp-auth")?;
        ensure!(told["rule"] == "S7" && told["offset"] == 0, "{told}");
        Ok(())
    })
}

/// Segments of a host of which no answer is ever seen.
struct Silence {
    socket: PacketSocket,
    links: [[u8; 6]; 2],
    host: SocketAddrV4,
    peer: SocketAddrV4,
}

impl Silence {
    fn say(&self, sequence: u32, syn: bool, acknowledgment: Option<u32>, fin: bool) -> Result<()> {
        let [own, gateway] = self.links;
        let mut segment = PacketBuilder::ethernet2(own, gateway)
            .ipv4(self.host.ip().octets(), self.peer.ip().octets(), 64)
            .tcp(self.host.port(), self.peer.port(), sequence, 8192);
        if syn {
            segment = segment.syn();
        }
        if fin {
            segment = segment.fin();
        }
        if let Some(number) = acknowledgment {
            segment = segment.ack(number);
        }
        let mut frame = Vec::with_capacity(segment.size(0));
        segment.write(&mut frame, &[])?;
        Ok(self.socket.send(&frame)?)
    }
}

#[test]
fn of_a_flow_that_is_seen_in_one_direction_only() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &setup(Hook::Xdp))?;
    let monitor = Monitor::start(&isnguard, &[])?;
    let host = Family::V4.host(PORT);
    // The gateway has no route there.
    let peer: SocketAddr = "203.0.113.9:80".parse()?;
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (host, peer) else {
        bail!("not IPv4");
    };
    let silence = Silence {
        socket: PacketSocket::open(&lab.host, HOST_IF)?,
        links: [
            link_address(&lab.host, HOST_IF)?,
            link_address(&lab.gateway, INSIDE_IF)?,
        ],
        host: from,
        peer: to,
    };
    silence.say(HIGH_ISN, true, None, false)?;
    silence.say(HIGH_ISN + 1, false, Some(77), false)?;
    silence.say(HIGH_ISN + 1, false, Some(77), true)?;
    silence.say(LOWER_ISN, true, None, false)?;
    let told = agreed(&monitor, &isnguard, host, peer, "one-way")?;
    ensure!(
        told["rule"] == "S7" && told["host_isn"] == LOWER_ISN && told["offset"] == 0,
        "{told}"
    );
    Ok(())
}

#[test]
fn of_hosts_that_are_observed_and_of_those_that_are_not_guarded() -> Result<()> {
    let family = Family::V6;
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let observing = Setup {
        protect: vec![Family::V6.protected().to_owned()],
        ..setup(Hook::Xdp).in_mode("observe")
    };
    let (_run, _) = Resident::start(&mut isnguard, &observing)?;
    let monitor = Monitor::start(&isnguard, &[])?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let (host, peer) = (host_end(&server, PORT), server.address());
    one_life(&lab, &server, PORT, HIGH_ISN)?;
    lab.unanswered(family, || {
        let mut attempt = Attempt::start(&lab.host, host, peer, Some(LOWER_ISN))?;
        ensure!(attempt.wait(GIVE_UP)?.is_none(), "somebody answered");
        let told = agreed(&monitor, &isnguard, host, peer, "observed")?;
        ensure!(
            told["rule"] == "S4" && told["mode"] == "observe" && told["offset"] == 0,
            "{told}"
        );
        Ok(())
    })?;

    let stranger = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    one_life(&lab, &stranger, PORT, HIGH_ISN)?;
    let host = host_end(&stranger, PORT);
    let told = monitor.decision(host, "not-guarded")?;
    ensure!(told["mode"].is_null() && told["rule"] == "S1", "{told}");
    let report = explain(&isnguard, host, stranger.address())?;
    let expected = &report["expected"][0];
    ensure!(
        report["flows"] == serde_json::json!([])
            && expected["guarded"] == false
            && expected["host_opens"]["reason"] == "not-guarded"
            && expected["mid_flow"] == "passes",
        "{report}"
    );
    Ok(())
}

#[test]
fn of_keyed_mode_and_what_was_open_before_it() -> Result<()> {
    let family = Family::V4;
    let lab = Lab::new(LabOptions::default())?;
    let key = KeyFile::random()?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    let before = Connection::open(&lab, &server, PORT, HIGH_ISN)?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let (_run, _) = Resident::start(&mut isnguard, &key.keyed(setup(Hook::Tc), 600)?)?;
    let monitor = Monitor::start(&isnguard, &[])?;
    let (host, peer) = (host_end(&server, PORT), server.address());

    let unknown = explain(&isnguard, host, peer)?;
    let expected = &unknown["expected"][0];
    ensure!(
        expected["mid_flow"] == "adopted"
            && expected["host_opens"]["reason"] == "keyed"
            && expected["host_opens"]["translated"] == true,
        "{unknown}"
    );
    let offset = key.offset(host, peer).to_string();
    let text = isnguard.verb("explain", &[&host.to_string(), &peer.to_string()])?;
    for told in [unknown.to_string(), text] {
        ensure!(!told.contains(&offset), "it gives a number away: {told}");
    }

    before.exchange(1_000, 1)?;
    let adopted = monitor.decision(host, "adopted")?;
    ensure!(
        adopted["action"] == "learnt" && adopted["offset"] == 0 && adopted["rule"] == "S15",
        "{adopted}"
    );
    let flow = explained(&isnguard, host, peer)?;
    ensure!(
        flow["reason"] == "adopted" && flow["opened_by"].is_null() && flow["own"] == true,
        "{flow}"
    );

    let host = host_end(&server, PORT + 1);
    one_life(&lab, &server, PORT + 1, HIGH_ISN)?;
    let told = agreed(&monitor, &isnguard, host, peer, "keyed")?;
    ensure!(
        told["offset"] == key.offset(host, peer) && told["rule"] == "S3",
        "{told}"
    );
    before.close()
}

#[test]
fn of_a_syn_that_finds_no_room() -> Result<()> {
    let family = Family::V4;
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let small = setup(Hook::Xdp).with(&["--max-flows", "1", "--on-full", "drop"]);
    let (_run, _) = Resident::start(&mut isnguard, &small)?;
    let monitor = Monitor::start(&isnguard, &[])?;
    let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
    for port in [PORT, PORT + 1] {
        one_life(&lab, &server, port, HIGH_ISN)?;
    }
    one_life(&lab, &server, PORT, LOWER_ISN)?;
    let host = host_end(&server, PORT + 1);
    let isn = Some(LOWER_ISN);
    let mut attempt = Attempt::start(&lab.host, host, server.address(), isn)?;
    ensure!(attempt.wait(GIVE_UP)?.is_none(), "it found room");
    let told = monitor.decision(host, "table-full")?;
    ensure!(
        told["action"] == "dropped" && told["rule"] == "S18" && told["host_isn"] == LOWER_ISN,
        "{told}"
    );
    let report = explain(&isnguard, family.host(1), server.address())?;
    ensure!(report["expected"][0]["room"] == "full", "{report}");
    // A number of a SYN that never left tells nothing of what the peer sees.
    let hosts: Value = serde_json::from_str(&isnguard.verb("hosts", &["--json"])?)?;
    ensure!(hosts["hosts"][0]["syns"] == 3, "{hosts}");
    Ok(())
}

#[test]
fn what_is_no_flow_is_refused_with_what_to_write() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&setup(Hook::Xdp))?;
    let cases = [
        (["192.0.2.1", "198.51.100.1:80"], "192.0.2.10:80"),
        (["2001:db8::1:80", "198.51.100.1:80"], "brackets"),
        (["192.0.2.1:80", "[2001:db8::1]:80"], "IPv4"),
        (["192.0.2.1:80", "192.0.2.1:80"], "the same"),
    ];
    for (ends, said) in cases {
        let ended = process::run_to_end(isnguard.command("explain", &ends)?)?;
        ensure!(ended.status.code() == Some(2), "{ends:?}: {ended:?}");
        ensure!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    isnguard.detach_by_force()?;
    let ends = ["192.0.2.1:80", "198.51.100.1:80"];
    let ended = process::run_to_end(isnguard.command("explain", &ends)?)?;
    ensure!(ended.status.code() == Some(4), "{ended:?}");
    let first = ended.stderr.lines().next().context("it says nothing")?;
    ensure!(first.contains("not attached"), "{first}");
    Ok(())
}
