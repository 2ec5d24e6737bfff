//! Flows saved and loaded again, as over a reboot of the gateway: the kernel's memory goes, the connections do not (S16, S17, S19).

use std::{
    collections::HashMap,
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use isn_common::{
    abi::flow::{Control, Record, pack},
    expiry::Place,
    flow::Key4,
};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    process::Process,
    scenario::{Connection, host_end, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
    wait,
};
use isnguard::{
    dataplane::{self, Instance, Maps, Pins, Upkeep},
    settings,
};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const CLOSED_PORT: u16 = 40_001;
const MIB: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_mins(1);

/// The gateway forwards, or nothing comes through.
fn forward(lab: &Lab, does: bool) -> Result<()> {
    let value = if does { "1" } else { "0" };
    lab.gateway.set_sysctl("net/ipv4/ip_forward", value)?;
    lab.gateway
        .set_sysctl("net/ipv6/conf/all/forwarding", value)
}

fn snapshot(isnguard: &Isnguard, verb: &str, file: &Path, more: &[&str]) -> Result<Value> {
    let file = file.to_str().context("the path is no text")?;
    let printed = isnguard.verb("snapshot", &[&[verb, file, "--json"], more].concat())?;
    serde_json::from_str(&printed).with_context(|| format!("no JSON: {printed}"))
}

fn refusal(isnguard: &Isnguard, file: &Path) -> Result<String> {
    match snapshot(isnguard, "load", file, &[]) {
        Ok(report) => anyhow::bail!("{} was not refused: {report}", file.display()),
        Err(error) => Ok(format!("{error:#}")),
    }
}

fn place(isnguard: &Isnguard) -> Result<settings::Place> {
    Ok(settings::Place {
        instance: isnguard
            .instance()
            .parse()
            .map_err(|why| anyhow::anyhow!("{why}"))?,
        bpffs: "/sys/fs/bpf".into(),
    })
}

/// Everything in the kernel's memory goes, as in a reboot; `meanwhile` the file is loaded, and then it is attached again.
fn reboot(
    lab: &Lab,
    isnguard: &mut Isnguard,
    setup: &Setup,
    file: &Path,
    meanwhile: impl FnOnce(&Isnguard) -> Result<()>,
) -> Result<()> {
    forward(lab, false)?;
    snapshot(isnguard, "save", file, &[])?;
    isnguard.detach_by_force()?;
    ensure!(!isnguard.pins().exists(), "pins were left behind");
    meanwhile(isnguard)?;
    isnguard.attach(setup)?;
    forward(lab, true)
}

fn survives(hook: Hook, placement: Placement) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let file = dir.path().join("flows");
    let setup = Setup::new(placement, hook);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&setup)?;
    let mut ends = Vec::new();
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        one_life(&lab, &server, CLOSED_PORT, FIRST_ISN)?;
        one_life(&lab, &server, PORT, FIRST_ISN)?;
        let connection = Connection::open(&lab, &server, PORT, LOWER_ISN)?;
        connection.exchange(MIB, 1)?;
        let flow = isnguard.flow(host_end(&server, PORT))?;
        ensure!(flow.offset != 0, "it was not translated: {flow:?}");
        ends.push((server, connection, flow));
    }
    reboot(&lab, &mut isnguard, &setup, &file, |isnguard| {
        let loaded = snapshot(isnguard, "load", &file, &["--consume"])?;
        ensure!(loaded["created"] == true, "{loaded}");
        let restored = &loaded["restored"];
        ensure!(
            restored["translated"] == 2 && restored["history"] == 2 && restored["previous"] == 2,
            "{loaded}"
        );
        ensure!(loaded["left_out"] == 0 && !file.exists(), "{loaded}");
        let status = isnguard.status()?;
        ensure!(
            status["attached"].as_array().is_some_and(Vec::is_empty),
            "{status}"
        );
        Ok(())
    })?;
    for (server, connection, before) in ends {
        ensure!(isnguard.flow(host_end(&server, PORT))? == before);
        connection.exchange(4 * MIB, 2)?;
        ensure!(isnguard.flow(host_end(&server, PORT))? == before);
        connection.close()?;
        // The peer remembers the connection that was closed before, and so does isnguard.
        let again = Connection::open(&lab, &server, CLOSED_PORT, LOWER_ISN)?;
        let flow = isnguard.flow(host_end(&server, CLOSED_PORT))?;
        ensure!(
            flow.offset != 0 && flow.reason == "regressed",
            "the history did not come back: {flow:?}"
        );
        again.exchange(MIB, 3)?;
        again.close()?;
    }
    ensure!(isnguard.counter("packets_translated_out")? > 0);
    ensure!(isnguard.counter("packets_translated_in")? > 0);
    Ok(())
}

#[test]
fn translated_connections_and_the_history_survive_a_reboot_at_xdp() -> Result<()> {
    survives(Hook::Xdp, Placement::Inside)
}

#[test]
fn translated_connections_and_the_history_survive_a_reboot_at_tc() -> Result<()> {
    survives(Hook::Tc, Placement::Outside)
}

#[test]
fn saving_disturbs_no_traffic_and_loading_into_what_is_there_fills_the_gaps() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let file = dir.path().join("flows");
    let setup = Setup::new(Placement::Inside, Hook::Xdp);
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let host = host_end(&server, PORT);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&setup)?;
    one_life(&lab, &server, PORT, FIRST_ISN)?;
    let connection = Connection::open(&lab, &server, PORT, LOWER_ISN)?;
    connection.exchange_while(64 * MIB, || {
        let saved = snapshot(&isnguard, "save", &file, &[])?;
        ensure!(saved["translated"] == 1, "{saved}");
        Ok(())
    })?;
    let before = isnguard.flow(host)?;
    let loaded = snapshot(&isnguard, "load", &file, &[])?;
    ensure!(
        loaded["created"] == false && loaded["known"] == loaded["flows"],
        "{loaded}"
    );
    ensure!(isnguard.flow(host)? == before, "a living flow was changed");
    connection.exchange(MIB, 2)?;

    // Attached anew and empty: what is missing comes while it is attached.
    reboot(&lab, &mut isnguard, &setup, &file, |_| Ok(()))?;
    ensure!(isnguard.flows()?.is_empty());
    let loaded = snapshot(&isnguard, "load", &file, &[])?;
    ensure!(
        loaded["created"] == false && loaded["restored"]["translated"] == 1,
        "{loaded}"
    );
    ensure!(isnguard.flow(host)? == before);
    connection.exchange(MIB, 3)?;
    connection.close()
}

/// A file that is not as it was saved, and what its refusal says.
fn spoilt(dir: &Path, whole: &[u8]) -> Result<Vec<(PathBuf, &'static str)>> {
    let changed = |at: usize| {
        let mut octets = whole.to_vec();
        octets[at] ^= 1;
        octets
    };
    let mut cases = Vec::new();
    for (name, octets, expected) in [
        ("cut", whole[..whole.len() - 1].to_vec(), "damaged"),
        ("preamble", whole[..20].to_vec(), "damaged"),
        ("changed", changed(whole.len() - 9), "damaged"),
        ("version", changed(8), "damaged"),
        ("letter", b"Dear reader,".to_vec(), "no snapshot"),
        ("empty", Vec::new(), "no snapshot"),
    ] {
        let path = dir.join(name);
        fs::write(&path, octets)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        cases.push((path, expected));
    }
    let shared = dir.join("shared");
    fs::write(&shared, whole)?;
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o660))?;
    cases.push((shared, "others may write"));
    let foreign = dir.join("foreign");
    fs::write(&foreign, whole)?;
    fs::set_permissions(&foreign, fs::Permissions::from_mode(0o600))?;
    std::os::unix::fs::chown(&foreign, Some(65_534), None)?;
    cases.push((foreign, "belongs to uid 65534"));
    cases.push((dir.join("missing"), "No such file"));
    Ok(cases)
}

#[test]
fn what_is_not_as_it_was_saved_is_refused_and_nothing_is_changed() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let file = dir.path().join("flows");
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    one_life(&lab, &server, PORT, FIRST_ISN)?;
    snapshot(&isnguard, "save", &file, &[])?;
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o7777 == 0o600);
    let other = dir.path().join("letter-to-keep");
    fs::write(&other, "Dear reader")?;
    ensure!(snapshot(&isnguard, "save", &other, &[]).is_err());
    ensure!(fs::read(&other)? == b"Dear reader");

    let cases = spoilt(dir.path(), &fs::read(&file)?)?;
    let (flows, settings) = (
        isnguard.flows()?.len(),
        isnguard.status()?["history_seconds"].clone(),
    );
    for (path, expected) in &cases {
        let refusal = refusal(&isnguard, path)?;
        ensure!(refusal.contains(expected), "{refusal}");
        ensure!(refusal.contains("nothing was changed"), "{refusal}");
    }
    ensure!(isnguard.flows()?.len() == flows);
    ensure!(isnguard.status()?["history_seconds"] == settings);
    isnguard.detach_by_force()?;
    for (path, _) in &cases {
        refusal(&isnguard, path)?;
        ensure!(!isnguard.pins().exists(), "something was made");
    }
    Ok(())
}

#[test]
fn what_is_over_by_then_does_not_come_back() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let file = dir.path().join("flows");
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc).with(&["--history", "2"]))?;
    one_life(&lab, &server, PORT, FIRST_ISN)?;
    let saved = snapshot(&isnguard, "save", &file, &[])?;
    ensure!(saved["history"] == 1, "{saved}");
    isnguard.detach_by_force()?;
    wait::until(PATIENCE, "the flow's time to be over", || {
        let loaded = snapshot(&isnguard, "load", &file, &[])?;
        isnguard.verb("detach", &["--force"])?;
        let restored = loaded["restored"]["history"].as_u64();
        ensure!(
            restored.zip(loaded["expired"].as_u64()).map(|(a, b)| a + b) == Some(1),
            "{loaded}"
        );
        Ok((restored == Some(0)).then_some(()))
    })
}

/// How many flows a large snapshot has: `ISN_SNAPSHOT_FLOWS`, else 100,000. Half of them are translated.
fn many() -> Result<u32> {
    match std::env::var("ISN_SNAPSHOT_FLOWS") {
        Ok(given) => given
            .parse()
            .with_context(|| format!("ISN_SNAPSHOT_FLOWS is no number: {given}")),
        Err(_) => Ok(100_000),
    }
}

fn flow(number: u32, offset: u32) -> (Key4, Record) {
    let now = dataplane::now();
    let [_, a, b, c] = number.to_be_bytes();
    let key = Key4 {
        host: [192, 0, 2, 10 + a],
        peer: [198, 18, b, c],
        host_port: [0x9c, 0x40],
        peer_port: [0, 80],
        vlan: 0,
    };
    let control = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;
    let record = Record {
        identity: pack(offset, number.wrapping_mul(77)),
        sent: pack(number.wrapping_mul(77).wrapping_add(1_000), now.0),
        received: pack(number, !number),
        stamps: 0,
        life: pack(control, now.0),
    };
    (key, record)
}

fn fill(isnguard: &Isnguard, flows: u32) -> Result<()> {
    let mut upkeep = Upkeep::load(&Pins::new(&place(isnguard)?))?;
    let half = flows / 2;
    let translated: Vec<_> = (0..half).map(|number| flow(number, number + 1)).collect();
    let history: Vec<_> = (half..flows).map(|number| flow(number, 0)).collect();
    ensure!(upkeep.restore_v4(Place::Translated, &translated)? == u64::from(half));
    ensure!(upkeep.restore_v4(Place::History, &history)? == u64::from(flows - half));
    Ok(())
}

/// What is known of every flow, but for its times.
type Known = HashMap<(SocketAddr, IpAddr), [u32; 6]>;

fn known(isnguard: &Isnguard) -> Result<Known> {
    let instance = Instance::open(&place(isnguard)?)?.context("no instance")?;
    let flows = instance.flows()?;
    let known = flows.iter().map(|flow| {
        let record = &flow.record;
        let numbers = [
            record.offset().0,
            record.host_isn().0,
            record.high_water().0,
            record.right_edge().0,
            record.peer_next().0,
            record.control().0,
        ];
        (
            (SocketAddr::new(flow.host, flow.host_port), flow.peer),
            numbers,
        )
    });
    Ok(known.collect())
}

fn roomy(flows: u32) -> [String; 2] {
    // The table of the history overwrites a little before it is full.
    [flows.to_string(), (flows * 2).to_string()]
}

#[test]
fn a_hundred_thousand_flows_come_back_to_the_last_one() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let file = dir.path().join("flows");
    let flows = many()?;
    let [room, more] = roomy(flows);
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let setup = Setup::new(Placement::Inside, Hook::Tc);
    isnguard.attach(
        &setup
            .clone()
            .with(&["--max-flows", &room, "--max-history", &more]),
    )?;
    fill(&isnguard, flows)?;
    let before = known(&isnguard)?;
    ensure!(before.len() == flows as usize, "{} flows", before.len());

    let began = Instant::now();
    let saved = snapshot(&isnguard, "save", &file, &[])?;
    let saving = began.elapsed();
    isnguard.detach_by_force()?;
    let began = Instant::now();
    let loaded = snapshot(&isnguard, "load", &file, &[])?;
    println!(
        "{flows} flows, {} octets: saved in {saving:.1?}, loaded in {:.1?}",
        saved["octets"],
        began.elapsed()
    );
    ensure!(loaded["flows"] == flows, "{loaded}");
    ensure!(
        known(&isnguard)? == before,
        "flows are missing or other ones"
    );
    isnguard.attach(&setup)?;
    ensure!(known(&isnguard)? == before, "attaching lost flows");

    // Smaller tables take the latest ones and tell how many they leave out.
    isnguard.detach_by_force()?;
    let small = snapshot(&isnguard, "load", &file, &["--max-flows", "1000"])?;
    isnguard.attach(&setup)?;
    ensure!(
        small["restored"]["translated"] == 1000 && small["left_out"] == flows / 2 - 1000,
        "{small}"
    );
    Ok(())
}

#[test]
fn a_load_that_is_killed_half_way_leaves_nothing_to_adopt() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let dir = TempDir::new()?;
    let file = dir.path().join("flows");
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let setup = Setup::new(Placement::Inside, Hook::Tc);
    let [room, more] = roomy(400_000);
    isnguard.attach(
        &setup
            .clone()
            .with(&["--max-flows", &room, "--max-history", &more]),
    )?;
    fill(&isnguard, 400_000)?;
    snapshot(&isnguard, "save", &file, &[])?;
    isnguard.detach_by_force()?;
    let name = file.to_str().context("the path is no text")?;
    let mut loading = Process::spawn(isnguard.command("snapshot", &["load", name])?)?;
    let pins = Pins::new(&place(&isnguard)?);
    wait::until(PATIENCE, "the first flows to be put in", || {
        let maps = Maps::open(&pins).ok();
        let there = maps.and_then(|maps| maps.translated_v4.count().ok());
        Ok(there.filter(|(entries, _)| *entries > 0).map(drop))
    })?;
    loading.signal(Signal::SIGKILL)?;
    let ended = loading.wait(PATIENCE)?;
    ensure!(ended.signal() == Some(9), "it was over before: {ended}");

    let printed = isnguard.verb("attach", &[&setup.arguments()[..], &["--json"]].concat())?;
    let attached: Value = serde_json::from_str(&printed)?;
    // From here on it is put away with the value.
    isnguard.attach(&setup)?;
    ensure!(attached["adopted"] == false, "{attached}");
    ensure!(isnguard.flows()?.is_empty());
    Ok(())
}
