//! Counters: their names, and that they add up.

use anyhow::{Context, Result, ensure};
use isn_common::counter::{Counter, Kind};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use serde_json::Value;

use super::{KIB, PEER_PORT, PORT, object, translated};

const COUNTERS: [&str; 15] = [
    "packets_seen",
    "packets_translated_out",
    "packets_translated_in",
    "sack_edges_translated",
    "icmp_translated",
    "syn_seen",
    "syn_safe",
    "syn_rewritten",
    "syn_retransmit",
    "syn_would_rewrite",
    "bypass_tcp_auth",
    "bypass_one_way",
    "table_full",
    "history_evicted",
    "dropped_untranslatable",
];

#[test]
fn counters_are_there_and_every_packet_has_one_outcome() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp))?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        let connection = translated(&lab, &server, PORT)?;
        connection.exchange(64 * KIB, 1)?;
        connection.close()?;
    }
    let address = Family::V4.peer(0).ip().to_string();
    lab.host.run("ping", &["-c", "2", "-i", "0.2", &address])?;
    let stats = object(&isnguard, "stats", &[])?;
    let counters = stats["counters"].as_object().context("no counters")?;
    let value = |name: &str| {
        let value = counters.get(name).and_then(Value::as_u64);
        value.with_context(|| format!("no counter {name} in {stats}"))
    };
    for name in COUNTERS {
        value(name)?;
    }
    let mut outcomes = 0;
    for counter in Counter::ALL.iter().filter(|it| it.kind() == Kind::Outcome) {
        outcomes += value(counter.name())?;
    }
    ensure!(value("packets_seen")? == outcomes, "{stats}");
    ensure!(
        value("packets_translated_out")? > 60 && value("packets_translated_in")? > 60,
        "{stats}"
    );
    ensure!(
        value("pass_icmp")? >= 4 && value("pass_offset_zero")? > 10,
        "{stats}"
    );
    ensure!(
        (
            value("syn_seen")?,
            value("syn_safe")?,
            value("syn_rewritten")?
        ) == (4, 2, 2),
        "{stats}"
    );
    Ok(())
}
