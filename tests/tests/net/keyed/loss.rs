//! Keyed mode without its state (S3): running transfers of flows whose entries are deleted, of a gateway that starts anew with
//! nothing but its key, and of another gateway that never knew them.

use std::{
    net::IpAddr,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use aya::maps::{Array, HashMap, Map, MapData};
use isn_common::{
    abi::{flow::Record, maps as names},
    expiry::Place,
    flow::{Key4, Key6},
    slots::{Spread, Spreading},
};
use isn_tests::{
    crowd::{Crowd, add_hosts, ends, ensure_unbroken, peer},
    family::Family,
    gateway::Isnguard,
    keys::KeyFile,
    process::Process,
    setup::{Hook, Placement, Setup},
    topology::{
        Lab, LabOptions,
        spare::{self, By, End},
    },
};
use isnguard::dataplane::{
    self, Key,
    slots::{Slots, range},
};

const CROWD_PEER: &str = env!("CARGO_BIN_EXE_crowd-peer");
const PEER_PORT: u16 = 7000;
const CROWD: usize = 500;
/// The second life begins beyond the first, so that every flow is a regular one: its offset follows from the key.
const NUMBERS: (u32, u32) = (3_000_000_000, 205_032_704);
/// Each connection says something this often.
const PACE: Duration = Duration::from_millis(500);
/// How often all entries go at once, and single ones in between.
const SWEEPS: usize = 20;
const BETWEEN: usize = 100;

/// A crowd of regular keyed flows in a laboratory.
struct Scene<'a> {
    lab: &'a Lab,
    key: KeyFile,
    hook: Hook,
    crowd: Crowd,
    _peer: Process,
}

fn setup(key: &KeyFile, hook: Hook) -> Result<Setup> {
    key.keyed(Setup::new(Placement::Inside, hook), 0)
}

impl<'a> Scene<'a> {
    /// With a first gateway attached.
    fn set(lab: &'a Lab, family: Family, hook: Hook) -> Result<(Self, Isnguard<'a>)> {
        let key = KeyFile::random()?;
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        isnguard.attach(&setup(&key, hook)?)?;
        let hosts: Vec<IpAddr> = (10..14).map(|node| family.address(1, node)).collect();
        add_hosts(lab, &hosts)?;
        let address = family.peer(PEER_PORT);
        let server = peer::start(&lab.peer, Path::new(CROWD_PEER), address)?;
        let ends: Vec<_> = ends(&hosts).take(CROWD).collect();
        let crowd = Crowd::open(lab, &ends, address, NUMBERS)?;
        for end in &ends {
            let flow = isnguard.flow(*end)?;
            let expected = key.offset(*end, address);
            ensure!(
                flow.offset == expected && flow.reason == "keyed",
                "{end}: {flow:?}, and F is {expected}"
            );
        }
        let scene = Self {
            lab,
            key,
            hook,
            crowd,
            _peer: server,
        };
        Ok((scene, isnguard))
    }

    /// Transfers go on, on every connection, while `mischief` is done and for a moment after it; none may break, nobody may
    /// reset anything.
    fn go_on_during(
        &mut self,
        mischief: impl FnOnce(&Lab, &KeyFile, Hook) -> Result<()> + Send,
    ) -> Result<()> {
        let resets = resets(self.lab)?;
        let done = AtomicBool::new(false);
        let Self {
            lab,
            key,
            hook,
            crowd,
            ..
        } = self;
        let figures = thread::scope(|scope| -> Result<_> {
            let mischief = scope.spawn(|| {
                let outcome = mischief(lab, key, *hook);
                done.store(true, Ordering::Release);
                outcome
            });
            let figures = crowd.carry_on(PACE, || !done.load(Ordering::Acquire))?;
            mischief.join().expect("it does not panic")?;
            Ok(figures)
        })?;
        println!("{figures}");
        ensure_unbroken(&figures)?;
        let mut rounds = 0;
        let after = crowd.carry_on(PACE, || {
            rounds += 1;
            rounds < 1000
        })?;
        ensure_unbroken(&after)?;
        ensure!(after.rounds() > CROWD, "{after}");
        crowd.ensure_established()?;
        let sent = self::resets(self.lab)?;
        ensure!(
            sent == resets,
            "resets were sent: {resets:?}, then {sent:?}"
        );
        Ok(())
    }
}

/// Resets that either end has sent (RFC 4022, `tcpOutRsts`).
fn resets(lab: &Lab) -> Result<[u64; 2]> {
    let of = |table: String| -> Result<u64> {
        let mut lines = table.lines().filter(|line| line.starts_with("Tcp:"));
        let (names, numbers) = (lines.next(), lines.next());
        let names = names.context("no names")?.split(' ');
        let mut columns = names.zip(numbers.context("no numbers")?.split(' '));
        let column = columns.find(|(name, _)| *name == "OutRsts");
        Ok(column.context("no OutRsts")?.1.parse()?)
    };
    Ok([
        of(lab.host.proc_net("snmp")?)?,
        of(lab.peer.proc_net("snmp")?)?,
    ])
}

/// An instance's tables, to take entries away from.
struct Tables<K: Key> {
    beside: HashMap<MapData, K, Record>,
    slots: Slots<K>,
    spread: Spread,
}

impl<K: Key> Tables<K> {
    fn open(pins: &Path, [sets, prints, beside]: [&str; 3]) -> Result<Self> {
        let open = |name: &str| {
            MapData::from_pin(pins.join(name)).with_context(|| format!("cannot open {name}"))
        };
        let spread: Array<_, Spreading<u64>> = Map::Array(open(names::SPREAD)?).try_into()?;
        Ok(Self {
            beside: Map::HashMap(open(beside)?).try_into()?,
            slots: Slots::of(&open(sets)?, &open(prints)?)?,
            spread: spread.get(&0, 0)?.spread,
        })
    }

    /// Removes entries, each with this probability; how many went.
    fn thin_out(&mut self, random: &mut fastrand::Rng, probability: f64) -> u64 {
        let mut gone = 0;
        for place in Place::ALL {
            for (key, _) in self.slots.flows(range(&self.spread, place)) {
                let spot = self.spread.spot(place, key.words().as_ref());
                let set = self.slots.shelf(spot.set).expect("the set of a flow");
                let goes = random.f64() < probability;
                gone += u64::from(goes && set.remove(spot, &key, dataplane::now()));
            }
        }
        let keys: Vec<K> = self.beside.keys().filter_map(Result::ok).collect();
        for key in keys {
            // Another CPU may have been faster.
            if random.f64() < probability && self.beside.remove(&key).is_ok() {
                gone += 1;
            }
        }
        gone
    }
}

fn thin_out(isnguard: &Isnguard, family: Family, seed: u64) -> Result<u64> {
    match family {
        Family::V4 => {
            let names = [names::SLOTS_V4, names::PRINTS_V4, names::TRANSLATED_V4];
            Ok(lose(Tables::<Key4>::open(&isnguard.pins(), names)?, seed))
        }
        Family::V6 => {
            let names = [names::SLOTS_V6, names::PRINTS_V6, names::TRANSLATED_V6];
            Ok(lose(Tables::<Key6>::open(&isnguard.pins(), names)?, seed))
        }
    }
}

/// Takes entries away at random, and all of them now and then.
fn lose<K: Key>(mut tables: Tables<K>, seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut gone = 0;
    for _ in 0..SWEEPS {
        for _ in 0..BETWEEN {
            gone += tables.thin_out(&mut random, 0.02);
        }
        gone += tables.thin_out(&mut random, 1.0);
    }
    gone
}

fn entries_are_deleted(family: Family, hook: Hook) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let (mut scene, isnguard) = Scene::set(&lab, family, hook)?;
    let seed = isn_tests::scenario::seed()?;
    scene.go_on_during(|_, _, _| {
        let gone = thin_out(&isnguard, family, seed)?;
        println!("{gone} entries deleted");
        ensure!(gone > CROWD as u64, "{gone} entries were deleted");
        Ok(())
    })?;
    for counter in ["keyed_recomputed", "keyed_remembered"] {
        let counted = isnguard.counter(counter)?;
        println!("{counter}: {counted}");
        ensure!(counted > CROWD as u64, "{counter} is {counted}");
    }
    Ok(())
}

#[test]
fn entries_are_deleted_at_xdp() -> Result<()> {
    entries_are_deleted(Family::V4, Hook::Xdp)
}

#[test]
fn entries_are_deleted_at_tc() -> Result<()> {
    entries_are_deleted(Family::V6, Hook::Tc)
}

/// As after the gateway's own power was cut: no packet passes, every table is new.
#[test]
fn the_gateway_starts_anew() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let (mut scene, mut isnguard) = Scene::set(&lab, Family::V4, Hook::Xdp)?;
    scene.go_on_during(|lab, key, hook| {
        for _ in 0..3 {
            lab.gateway.set_sysctl("net/ipv4/ip_forward", "0")?;
            isnguard.detach_by_force()?;
            isnguard.attach(&setup(key, hook)?)?;
            lab.gateway.set_sysctl("net/ipv4/ip_forward", "1")?;
            isn_tests::wait::until(
                Duration::from_secs(20),
                "every flow to be known again",
                || {
                    let known = isnguard.counter("keyed_remembered")?;
                    Ok((known >= CROWD as u64).then_some(()))
                },
            )?;
        }
        Ok(())
    })
}

/// Each end changes by itself, so for a while one gateway has one direction and the other has the other.
#[test]
fn another_gateway_with_the_same_key_takes_over() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let other = spare::add(&lab)?;
    let (mut scene, first) = Scene::set(&lab, Family::V4, Hook::Xdp)?;
    let mut second = Isnguard::new(&other)?;
    second.attach(&setup(&scene.key, scene.hook)?)?;
    scene.go_on_during(|lab, _, _| {
        for by in [By::Spare, By::First, By::Spare] {
            for end in [End::Host, End::Peer] {
                spare::send_by(lab, end, by)?;
                thread::sleep(PACE);
            }
        }
        Ok(())
    })?;
    let recomputed = second.counter("keyed_recomputed")?;
    println!("keyed_recomputed at the second gateway: {recomputed}");
    ensure!(recomputed >= CROWD as u64, "{recomputed}");
    // Whoever opens now is the second gateway's alone.
    ensure!(first.counter("dropped_untranslatable")? == 0);
    Ok(())
}
