//! What is no plain forwarding is the kernel's, and works as ever: packets for the gateway, ICMP, fragments, options, the last hop,
//! neighbours that are not known, sources that cannot be; and what goes by XDP arrives.

use std::{net::UdpSocket, time::Duration};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    family::Family,
    flood::ground::link_address,
    gateway::Isnguard,
    namespace::Namespace,
    packet_socket::PacketSocket,
    process,
    scenario::Connection,
    server::Server,
    topology::{HOST_IF, INSIDE_IF, Lab, OUTSIDE_IF, PEER_IF},
};
use nix::sys::socket::{setsockopt, sockopt};

use super::{Bench, FIRST_ISN, KIB, PEER_PORT, PORT, ensure_counts, forwarding};

const PATIENCE: Duration = Duration::from_secs(10);

fn ping(from: &Namespace, options: &[&str], to: &str) -> Result<bool> {
    let mut ping = from.command("ping")?;
    ping.args(["-n", "-q", "-c", "1", "-W", "5"])
        .args(options)
        .arg(to);
    Ok(process::run_to_end(ping)?.status.success())
}

fn answers(from: &Namespace, options: &[&str], to: &str) -> Result<()> {
    ensure!(ping(from, options, to)?, "{to} does not answer");
    Ok(())
}

/// A datagram there and one back.
fn datagrams(lab: &Lab, family: Family) -> Result<()> {
    let bind = |namespace: &Namespace, address| namespace.enter(|| UdpSocket::bind(address));
    let near = bind(&lab.host, family.host(0))?;
    let far = bind(&lab.peer, family.peer(0))?;
    for socket in [&near, &far] {
        socket.set_read_timeout(Some(PATIENCE))?;
    }
    let mut octets = [0; 8];
    near.send_to(b"question", far.local_addr()?)?;
    let (_, asker) = far.recv_from(&mut octets).context("at the peer")?;
    ensure!((asker, &octets) == (near.local_addr()?, b"question"));
    far.send_to(b"response", asker)?;
    let (_, answerer) = near.recv_from(&mut octets).context("at the host")?;
    ensure!((answerer, &octets) == (far.local_addr()?, b"response"));
    Ok(())
}

#[test]
fn what_is_not_plain_goes_by_the_kernel() -> Result<()> {
    let bench = Bench::new()?;
    let lab = &bench.lab;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&forwarding())?;
    for family in Family::ALL {
        let peer = family.peer(0).ip().to_string();
        let gateway = family.address(1, 1).to_string();
        let counts = |counter, deed: &dyn Fn() -> Result<()>| {
            ensure_counts(&isnguard, counter, deed).with_context(|| format!("{family:?}"))
        };
        counts("left_protocol", &|| answers(&lab.host, &[], &peer))?;
        counts("left_protocol", &|| answers(&lab.host, &[], &gateway))?;
        counts("left_fragment", &|| {
            answers(&lab.host, &["-s", "4000"], &peer)
        })?;
        // The first may be one that the kernel gets to confirm the neighbour.
        datagrams(lab, family)?;
        counts("forwarded_out", &|| datagrams(lab, family))?;
        counts("forwarded_in", &|| datagrams(lab, family))?;
    }
    let peer = Family::V4.peer(0).ip().to_string();
    ensure_counts(&isnguard, "left_options", || {
        answers(&lab.host, &["-T", "tsonly"], &peer)
    })?;
    of_the_gateway(lab, &isnguard)
}

/// TCP of the gateway's own, and the end of the way.
fn of_the_gateway(lab: &Lab, isnguard: &Isnguard) -> Result<()> {
    for family in Family::ALL {
        let own = std::net::SocketAddr::new(family.address(1, 1), PEER_PORT);
        let server = Server::listen(&lab.gateway, own)?;
        ensure_counts(isnguard, "left_route", || {
            Connection::open(lab, &server, PORT, FIRST_ISN)?.close()
        })?;
    }
    let socket = lab.host.enter(|| UdpSocket::bind(Family::V4.host(0)))?;
    socket.set_ttl(1)?;
    setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
    socket.connect(Family::V4.peer(9))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    ensure_counts(isnguard, "left_hops", || {
        socket.send(b"near")?;
        let error = socket.recv(&mut [0]).expect_err("time exceeded");
        ensure!(
            error.raw_os_error() == Some(libc::EHOSTUNREACH),
            "not told that the time was exceeded: {error}"
        );
        Ok(())
    })
}

#[test]
fn a_neighbour_that_is_not_known_is_asked_for_by_the_kernel() -> Result<()> {
    let bench = Bench::new()?;
    let lab = &bench.lab;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&forwarding())?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        let connection = Connection::open(lab, &server, PORT, FIRST_ISN)?;
        connection.exchange(KIB, 1)?;
        ensure_counts(&isnguard, "left_neighbour", || {
            for interface in [INSIDE_IF, OUTSIDE_IF] {
                let flush = ["neigh", "flush", "dev", interface];
                lab.gateway.run("ip", &flush)?;
            }
            connection.exchange(KIB, 2).map(drop)
        })?;
        ensure_counts(&isnguard, "forwarded_in", || {
            connection.exchange(KIB, 3).map(drop)
        })?;
        connection.close()?;
    }
    Ok(())
}

/// A datagram to the host, at the peer's line, that claims to be from a neighbour of the host.
fn forged(lab: &Lab) -> Result<Vec<u8>> {
    let outside = link_address(&lab.gateway, OUTSIDE_IF)?;
    let peer = link_address(&lab.peer, PEER_IF)?;
    let mut frame = Vec::new();
    etherparse::PacketBuilder::ethernet2(peer, outside)
        .ipv4([192, 0, 2, 77], [192, 0, 2, 2], 64)
        .udp(9, 9)
        .write(&mut frame, b"forged")?;
    Ok(frame)
}

#[test]
fn sources_that_rp_filter_refuses_are_not_forwarded() -> Result<()> {
    let bench = Bench::new()?;
    let lab = &bench.lab;
    lab.gateway
        .set_sysctl(&format!("net/ipv4/conf/{OUTSIDE_IF}/rp_filter"), "1")?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&forwarding())?;
    let far = PacketSocket::open(&lab.peer, PEER_IF)?;
    let near = PacketSocket::open(&lab.host, HOST_IF)?;
    let frame = forged(lab)?;
    ensure_counts(&isnguard, "left_source", || Ok(far.send(&frame)?))?;
    // What goes the ordinary way after it has arrived: then the forged one would have, too.
    datagrams(lab, Family::V4)?;
    datagrams(lab, Family::V4)?;
    let mut buffer = [0; 2048];
    while let Some(length) = near.receive(&mut buffer)? {
        ensure!(
            !buffer[..length]
                .windows(6)
                .any(|octets| octets == b"forged"),
            "a packet arrived whose source is on the other side"
        );
    }
    ensure!(
        isnguard.counter("forwarded_in")? > 0,
        "{}",
        isnguard.stats()?
    );
    Ok(())
}
