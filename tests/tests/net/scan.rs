//! One guarded host that scans, five times what the tables hold, and another one whose flows are remembered: what they need
//! afterwards they get (S8, S16, S18).

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    chosen_isn::Attempt,
    crowd::{
        add_hosts, allow_descriptors, ends,
        lives::{close_all, open_all},
        peer,
    },
    family::Family,
    flood::{Flood, Scan, ground},
    gateway::Isnguard,
    process::Process,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};

const CROWD_PEER: &str = env!("CARGO_BIN_EXE_crowd-peer");
const HIGH_ISN: u32 = 3_000_000_000;
const LOW_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
/// Room in the tables that are small here.
const ROOM: usize = 2048;
/// A scan is so many times what they hold.
const TIMES: usize = 5;
/// Flows of the other host that are remembered.
const REMEMBERED: usize = 100;
/// Connections of a scan that are open together.
const AT_ONCE: usize = 100;
/// Who has no answer by then gets none.
const ANSWER: Duration = Duration::from_millis(300);
/// So many connections refused show that the scanner has had its share.
const REFUSED: u64 = 200;
const FAMILY: Family = Family::V4;

/// A laboratory with a host that scans and one that does not.
struct Ground {
    lab: Lab,
    scanner: IpAddr,
    other: Vec<SocketAddr>,
    peer: SocketAddr,
    _server: Process,
    _listeners: ground::Listeners,
}

impl Ground {
    fn new() -> Result<Self> {
        allow_descriptors()?;
        let lab = Lab::new(LabOptions::default())?;
        let listeners = ground::prepare(&lab, FAMILY)?;
        let [scanner, other] = [10, 11].map(|node| FAMILY.address(1, node));
        add_hosts(&lab, &[scanner, other])?;
        let peer = FAMILY.peer(PEER_PORT);
        Ok(Self {
            scanner,
            other: ends(&[other]).take(REMEMBERED).collect(),
            peer,
            _server: peer::start(&lab.peer, Path::new(CROWD_PEER), peer)?,
            _listeners: listeners,
            lab,
        })
    }

    /// Attaches with little room in some tables.
    fn guarded(&self, small: &[&str]) -> Result<Isnguard<'_>> {
        let mut isnguard = Isnguard::new(&self.lab.gateway)?;
        let room = ROOM.to_string();
        let options: Vec<&str> = small.iter().flat_map(|option| [*option, &room]).collect();
        isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc).with(&options))?;
        Ok(isnguard)
    }

    /// The other host's flows live, and end.
    fn remember(&self) -> Result<()> {
        close_all(open_all(&self.lab, &self.other, self.peer, HIGH_ISN)?)
    }

    /// The other host's flows come up again from a lower number, each with an offset.
    fn ensure_remembered(&self, isnguard: &Isnguard) -> Result<()> {
        let before = isnguard.counter("syn_rewritten")?;
        let open = open_all(&self.lab, &self.other, self.peer, LOW_ISN)
            .context("what was remembered of a host is gone after another one's scan")?;
        let rewritten = isnguard.counter("syn_rewritten")? - before;
        ensure!(
            rewritten == open.len() as u64,
            "{rewritten} of {} flows got an offset",
            open.len()
        );
        close_all(open)
    }
}

fn after_a_scan(what: Scan) -> Result<()> {
    let ground = Ground::new()?;
    let isnguard = ground.guarded(&["--max-half-open", "--max-history"])?;
    ground.remember()?;
    let before = isnguard.counter("syn_seen")?;
    let count = (ROOM * TIMES) as u64;
    let sent = Flood::scan(&ground.lab, FAMILY, what)?.send(count, Duration::from_secs(1))?;
    let seen = isnguard.counter("syn_seen")? - before;
    ensure!(
        sent.taken == count && seen * 10 >= count * 9,
        "{sent:?} SYNs of a scan were sent, and {seen} were seen"
    );
    ground.ensure_remembered(&isnguard)
}

#[test]
fn a_scan_that_nobody_answers() -> Result<()> {
    after_a_scan(Scan::Silence)
}

#[test]
fn a_scan_that_resets_answer() -> Result<()> {
    after_a_scan(Scan::Refusal)
}

#[test]
fn a_scan_of_whole_connections() -> Result<()> {
    let ground = Ground::new()?;
    let isnguard = ground.guarded(&["--max-half-open", "--max-history"])?;
    ground.remember()?;
    let scanned: Vec<_> = ends(&[ground.scanner]).take(ROOM * TIMES).collect();
    for some in scanned.chunks(AT_ONCE) {
        close_all(open_all(&ground.lab, some, ground.peer, HIGH_ISN)?)?;
    }
    ground.ensure_remembered(&isnguard)
}

/// The scanner's flows all need an offset, and more of them than there is room for.
#[test]
fn a_host_whose_numbers_all_regress() -> Result<()> {
    let ground = Ground::new()?;
    let isnguard = ground.guarded(&["--max-flows"])?;
    ground.remember()?;
    let refused = || isnguard.counter("table_full");
    let mut moved = 0;
    let scanned: Vec<_> = ends(&[ground.scanner]).take(ROOM * TIMES).collect();
    for some in scanned.chunks(AT_ONCE) {
        close_all(open_all(&ground.lab, some, ground.peer, HIGH_ISN)?)?;
        moved += open_some(&ground, some)?;
        if refused()? >= REFUSED {
            break;
        }
    }
    println!(
        "{moved} flows of one host got an offset, {} did not",
        refused()?
    );
    ensure!(
        refused()? > 0 && moved >= ROOM / 2,
        "{moved} flows of one host got an offset, and {} were refused one",
        refused()?
    );
    ground.ensure_remembered(&isnguard)
}

/// Opens what comes up of connections that start at the lower number, and closes it; how many those are.
fn open_some(ground: &Ground, ends: &[SocketAddr]) -> Result<usize> {
    let begin = |end: &SocketAddr| {
        Attempt::start(&ground.lab.host, *end, ground.peer, Some(LOW_ISN))
            .with_context(|| format!("cannot open a connection from {end}"))
    };
    let mut attempts: Vec<Attempt> = ends.iter().map(begin).collect::<Result<_>>()?;
    let mut open = Vec::new();
    for attempt in &mut attempts {
        let left = ANSWER.saturating_sub(attempt.elapsed());
        open.extend(attempt.wait(left)?);
    }
    let moved = open.len();
    close_all(open)?;
    Ok(moved)
}
