//! The endpoint of `run --metrics`: what it tells, to whom, and that nobody who asks badly stops it.

mod documents;
mod endpoint;
mod limits;
mod prometheus;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    http::{self, Answer},
    resident::Resident,
    scenario::{Connection, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::Lab,
};

const PORT: u16 = 9464;
const PATIENCE: Duration = Duration::from_mins(1);
const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const KIB: u64 = 1 << 10;

fn loopback(port: u16) -> [SocketAddr; 2] {
    [
        (Ipv4Addr::LOCALHOST, port).into(),
        (Ipv6Addr::LOCALHOST, port).into(),
    ]
}

/// A setup that guards the laboratory's host by its address too, sweeps every second, and serves on both loopback addresses.
fn setup() -> Setup {
    let mut setup = Setup::new(Placement::Inside, Hook::Tc).with(&["--history", "8"]);
    for family in Family::ALL {
        let host = family.host(0).ip();
        let length = if host.is_ipv4() { 32 } else { 128 };
        setup.protect.push(format!("{host}/{length}"));
    }
    for address in loopback(PORT) {
        setup = setup.with(&["--metrics", &address.to_string()]);
    }
    setup
}

fn start(isnguard: &mut Isnguard) -> Result<Resident> {
    Ok(Resident::start(isnguard, &setup())?.0)
}

fn get(lab: &Lab, path: &str) -> Result<Answer> {
    http::ask(&lab.gateway, loopback(PORT)[0], &format!("GET {path}"), &[])
}

/// The samples of a scrape in the older format, by name and labels as they are written.
fn scrape(lab: &Lab) -> Result<BTreeMap<String, f64>> {
    let answer = get(lab, "/metrics")?;
    ensure!(answer.status == 200, "{answer:?}");
    samples(&answer.body)
}

fn samples(text: &str) -> Result<BTreeMap<String, f64>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| -> Result<(String, f64)> {
        let (name, value) = line
            .rsplit_once(' ')
            .with_context(|| format!("half a line: {line}"))?;
        Ok((name.to_owned(), value.parse()?))
    };
    lines.map(read).collect()
}

/// The name of a sample without its labels.
fn name(sample: &str) -> &str {
    sample.split('{').next().unwrap_or(sample)
}

/// Connections of both families, of which one each must be rewritten; they are over when this returns.
fn traffic(lab: &Lab, host_port: u16) -> Result<()> {
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(7000))?;
        one_life(lab, &server, host_port, FIRST_ISN)?;
        let connection = Connection::open(lab, &server, host_port, LOWER_ISN)?;
        connection.exchange(64 * KIB, 1)?;
        connection.close()?;
    }
    Ok(())
}
