//! Floods of SYNs from both sides, five times what the tables hold, while ten thousand translated connections go on (S16, S18).

mod ordeal;

use std::{
    collections::BTreeMap,
    env,
    net::IpAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    crowd::{Crowd, add_hosts, ends, ensure_unbroken, newcomers::Newcomer, peer},
    family::Family,
    flood::{
        Flood, Side,
        census::{Census, Counting},
        ground,
    },
    gateway::Isnguard,
    process::Process,
    server::established,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};

use self::ordeal::{NEWCOMERS, Outcome, go_on, report};

const HIGH_ISN: u32 = 3_000_000_000;
const LOW_ISN: u32 = 1_000_000_000;
const CROWD_PEER: &str = env!("CARGO_BIN_EXE_crowd-peer");
const CROWD: usize = 10_000;
const PEER_PORT: u16 = 7000;
/// Room in each of the tables that a flood can fill.
const ROOM: u64 = 16_384;
/// Room for flows with an offset: those of the crowd, and those of newcomers, which stay for a while.
const ROOM_TRANSLATED: u64 = 65_536;
/// A flood is so many times what a table holds.
const TIMES: u64 = 5;
/// Hosts of the crowd.
const CROWDED: usize = 8;
/// Hosts of each group of newcomers: each has less than the share of the memory that one host may use.
const ARRIVING: usize = 8;
/// How long a flood goes on, unless the environment says otherwise: then it is larger in proportion.
const SECONDS: u64 = 6;
/// The least retransmission timeout (RFC 6298 section 2.4).
const RTO: Duration = Duration::from_secs(1);
/// What noise allows the flooded run to be slower.
const NOISE: u32 = 3;

/// How long a flood goes on.
fn seconds() -> Result<u64> {
    env::var("ISN_FLOOD_SECONDS").map_or(Ok(SECONDS), |given| {
        given
            .parse()
            .with_context(|| format!("ISN_FLOOD_SECONDS is no number: {given}"))
    })
}

/// The numbers of every flow with an offset, by its ends.
fn offsets(isnguard: &Isnguard) -> Result<BTreeMap<String, String>> {
    let flows = isnguard.flows()?;
    let translated = flows.iter().filter(|flow| flow["offset"] != 0);
    let numbers = |flow: &serde_json::Value| {
        let key = format!("{} {}", flow["host"], flow["host_port"]);
        let numbers = ["offset", "host_isn", "wire_isn", "state"].map(|it| flow[it].to_string());
        (key, numbers.join(" "))
    };
    Ok(translated.map(numbers).collect())
}

fn ensure_offsets_stay(
    crowd: &Crowd,
    before: &BTreeMap<String, String>,
    isnguard: &Isnguard,
) -> Result<()> {
    let after = offsets(isnguard)?;
    for end in crowd.ends() {
        let key = format!("\"{}\" {}", end.ip(), end.port());
        let flow = before
            .get(&key)
            .with_context(|| format!("the connection from {end} got no offset"))?;
        ensure!(
            after.get(&key) == Some(flow),
            "the flow of {end} was {flow} and is {:?}",
            after.get(&key)
        );
    }
    Ok(())
}

fn ensure_as_quiet(quiet: &Outcome, flooded: &Outcome) -> Result<()> {
    for outcome in [quiet, flooded] {
        ensure_unbroken(&outcome.crowd)?;
        outcome.newcomers.ensure_nearly_all()?;
    }
    let allowed = (quiet.crowd.longest() * NOISE).max(RTO);
    ensure!(
        flooded.crowd.longest() <= allowed,
        "a connection stood still for {:?} under the flood, and for {:?} at most without it",
        flooded.crowd.longest(),
        quiet.crowd.longest()
    );
    Ok(())
}

/// The SYNs of both floods came through, and isnguard has counted all there were.
fn ensure_accounted(before: &Census, after: &Census, outcome: &Outcome, lost: u64) -> Result<()> {
    after.ensure_accounted(before)?;
    let ways = [
        after.from_hosts.syns - before.from_hosts.syns,
        after.to_hosts.syns - before.to_hosts.syns,
    ];
    for (seen, sent) in ways.into_iter().zip(&outcome.floods) {
        ensure!(
            seen + lost >= sent.taken,
            "{} SYNs were sent, {seen} came to the hook, and queues lost {lost} frames",
            sent.taken
        );
    }
    let rewritten = after.grown(before, "syn_rewritten");
    let moved = outcome.newcomers.tried_moved;
    ensure!(
        rewritten <= moved && rewritten >= outcome.newcomers.moved,
        "{moved} new connections needed an offset, and {rewritten} SYNs were rewritten"
    );
    Ok(())
}

/// What the floods meet, ready for them.
struct Scene<'a> {
    // They end first.
    _processes: [Process; 2],
    lab: &'a Lab,
    family: Family,
    isnguard: Isnguard<'a>,
    crowd: Crowd,
    newcomers: Vec<Newcomer<'a>>,
    floods: Vec<Flood>,
    _listeners: ground::Listeners,
}

impl<'a> Scene<'a> {
    fn set(lab: &'a Lab, family: Family, hook: Hook) -> Result<Self> {
        let listeners = ground::prepare(lab, family)?;
        let hosts: Vec<IpAddr> = (10..34).map(|node| family.address(1, node)).collect();
        add_hosts(lab, &hosts)?;
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        let daemon = isnguard.run(&setup(hook))?;

        let started = Instant::now();
        let address = family.peer(PEER_PORT);
        let server = peer::start(&lab.peer, Path::new(CROWD_PEER), address)?;
        let (crowded, arriving) = hosts.split_at(CROWDED);
        let some: Vec<_> = ends(crowded).take(CROWD).collect();
        let crowd = Crowd::open(lab, &some, address, (HIGH_ISN, LOW_ISN))?;
        println!(
            "{CROWD} connections opened twice in {:.2?}",
            started.elapsed()
        );
        Ok(Self {
            lab,
            family,
            isnguard,
            crowd,
            newcomers: newcomers(lab, family, arriving)?,
            floods: Side::ALL
                .into_iter()
                .map(|side| Flood::new(lab, family, side))
                .collect::<Result<_>>()?,
            _listeners: listeners,
            _processes: [daemon, server],
        })
    }

    /// The same time twice, without floods and with them; then what must be true.
    fn play(&mut self) -> Result<()> {
        let seconds = seconds()?;
        let (count, time) = (
            ROOM * TIMES * seconds / SECONDS,
            Duration::from_secs(seconds),
        );
        let before = offsets(&self.isnguard)?;
        let quiet = go_on(&mut self.crowd, &mut self.newcomers, &[], 0, time)?;
        report("quiet", &quiet);
        let mut counting = Counting::begin(&self.lab.gateway, self.family)?;
        let census = counting.take(&self.isnguard)?;
        let lost = self.lab.lost_frames()?;
        let flooded = go_on(
            &mut self.crowd,
            &mut self.newcomers,
            &self.floods,
            count,
            time,
        )?;
        let lost = self.lab.lost_frames()? - lost;
        let after = counting.take(&self.isnguard)?;
        report("flooded", &flooded);
        println!("flooded: {lost} frames lost in queues");

        ensure_as_quiet(&quiet, &flooded)?;
        self.crowd.ensure_established()?;
        ensure!(established(&self.lab.peer, PEER_PORT)? == CROWD);
        ensure_offsets_stay(&self.crowd, &before, &self.isnguard)?;
        ensure_accounted(&census, &after, &flooded, lost)
    }
}

fn setup(hook: Hook) -> Setup {
    let (many, few) = (ROOM_TRANSLATED.to_string(), ROOM.to_string());
    Setup::new(Placement::Inside, hook).with(&[
        "--max-flows",
        &many,
        "--max-half-open",
        &few,
        "--max-history",
        &few,
    ])
}

fn newcomers<'a>(lab: &'a Lab, family: Family, hosts: &[IpAddr]) -> Result<Vec<Newcomer<'a>>> {
    let group = |(hosts, port): (&[IpAddr], u16)| {
        let enough = ends(hosts).take(3 * NEWCOMERS as usize).collect();
        Newcomer::new(lab, enough, family.peer(port))
    };
    hosts
        .chunks(ARRIVING)
        .zip(PEER_PORT + 1..)
        .map(group)
        .collect()
}

fn unbroken(family: Family, hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    Scene::set(&lab, family, hook)?.play()
}

#[test]
#[ignore = "the other family and hook: half a minute more"]
fn the_same_with_the_other_family_at_the_other_hook() -> Result<()> {
    unbroken(Family::V6, Hook::Xdp)
}

#[test]
fn ten_thousand_connections_outlive_floods_from_both_sides() -> Result<()> {
    unbroken(Family::V4, Hook::Tc)
}
