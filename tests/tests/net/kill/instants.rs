//! Every verb, killed before each of its system calls that leave something behind: what is open goes on, and `attach` as well as
//! `detach` puts everything right.

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    interrupted::{Interrupted, kill_before},
    pass::Passing,
    setup::{Hook, Placement, Setup},
    topology::{HOST_IF, Lab, LabOptions, OUTSIDE_IF, PEER_IF},
};

use super::bench::{Bench, ensure_moves, take_away};

/// More than any verb needs: a verb that never ends is a failure.
const MOST_CALLS: usize = 200;

/// What is there when the verb begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Attached,
}

/// Who puts it right afterwards.
#[derive(Debug, Clone, Copy)]
enum Healer {
    Attach,
    Detach,
}

/// A verb, what was there before it, and how it is told what to do.
#[derive(Debug, Clone, Copy)]
struct Victim {
    verb: &'static str,
    before: Before,
}

const VICTIMS: [Victim; 4] = [
    Victim {
        verb: "attach",
        before: Before::Nothing,
    },
    Victim {
        verb: "attach",
        before: Before::Attached,
    },
    Victim {
        verb: "run",
        before: Before::Attached,
    },
    Victim {
        verb: "detach",
        before: Before::Attached,
    },
];

impl Victim {
    fn arguments<'a>(&self, setup: &'a Setup) -> Vec<&'a str> {
        if self.verb == "detach" {
            Vec::new()
        } else {
            setup.arguments()
        }
    }

    /// Kills it before each call in turn; how many instants there were.
    fn at_every_instant(self, bench: &mut Bench, healer: Healer) -> Result<usize> {
        let mut isnguard = Isnguard::new(&bench.lab.gateway)?;
        for nth in 0..MOST_CALLS {
            let at = || format!("{self:?}, killed before its lasting call {nth}, then {healer:?}");
            let killed = self
                .once(bench, &mut isnguard, nth, healer)
                .with_context(at)?;
            if !matches!(killed, Interrupted::Before(_)) {
                return Ok(nth);
            }
        }
        anyhow::bail!("{self:?} makes more than {MOST_CALLS} lasting calls")
    }

    fn once(
        self,
        bench: &mut Bench,
        isnguard: &mut Isnguard,
        nth: usize,
        healer: Healer,
    ) -> Result<Interrupted> {
        let setup = bench.setup.clone();
        if self.before == Before::Attached {
            isnguard.attach(&setup)?;
        } else {
            isnguard.touch();
        }
        let is_upgrade = self.before == Before::Attached && self.verb != "detach";
        let open = if is_upgrade {
            bench.translated(isnguard)?
        } else {
            bench.plain()?
        };
        let forgotten = bench.forgotten()?;
        let killed = kill_before(isnguard.command(self.verb, &self.arguments(&setup))?, nth)?;
        let when = || format!("after {killed:?}");
        if let Interrupted::Ended(code) = killed {
            ensure!(code == 0, "left alone, it ends with code {code}");
        }
        ensure_moves(&open).with_context(when)?;
        bench
            .again(forgotten)
            .and_then(|again| ensure_moves(&again))
            .with_context(|| format!("a connection of which only isnguard knows, {killed:?}"))?;
        if is_upgrade {
            // Whatever half is of which version: both are there.
            let cured = bench.translated(isnguard);
            cured
                .and_then(|next| ensure_moves(&next))
                .with_context(when)?;
        }
        heal(bench, isnguard, &setup, healer).with_context(when)?;
        if is_upgrade && matches!(healer, Healer::Attach) {
            ensure_moves(&open).with_context(when)?;
        }
        take_away(isnguard)?;
        bench.ensure_gone(isnguard).with_context(when)?;
        Ok(killed)
    }
}

fn heal(bench: &mut Bench, isnguard: &mut Isnguard, setup: &Setup, healer: Healer) -> Result<()> {
    match healer {
        Healer::Attach => {
            isnguard.attach(setup)?;
            bench.ensure_whole(isnguard)?;
            let cured = bench.translated(isnguard)?;
            ensure_moves(&cured)
        }
        Healer::Detach => {
            take_away(isnguard)?;
            bench.ensure_gone(isnguard)
        }
    }
}

fn every_victim(setup: &Setup, family: Family, healer: Healer) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    every_victim_in(&lab, setup, family, healer)
}

fn every_victim_in(lab: &Lab, setup: &Setup, family: Family, healer: Healer) -> Result<()> {
    let mut bench = Bench::new(lab, setup.clone(), family)?;
    for victim in VICTIMS {
        let instants = victim.at_every_instant(&mut bench, healer)?;
        println!("{victim:?}: {instants} instants, each put right by {healer:?}");
        ensure!(
            instants > 2,
            "{victim:?} was killed at {instants} instants only"
        );
    }
    Ok(())
}

fn small(setup: Setup) -> Setup {
    setup.with(&["--max-flows", "1024", "--max-history", "1024"])
}

fn xdp() -> Setup {
    small(Setup::new(Placement::Inside, Hook::Xdp))
}

fn tcx() -> Setup {
    small(Setup::new(Placement::Outside, Hook::Tc))
}

fn clsact() -> Setup {
    small(Setup::new(Placement::Inside, Hook::Tc)).with(&["--tc-flavour", "clsact"])
}

#[test]
fn where_it_forwards_and_then_attached() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let _ends = [
        Passing::attach(&lab.host, HOST_IF)?,
        Passing::attach(&lab.peer, PEER_IF)?,
    ];
    let setup = small(Setup::new(Placement::Inside, Hook::Auto));
    let setup = setup.with(&["--outside", OUTSIDE_IF, "--forward"]);
    every_victim_in(&lab, &setup, Family::V4, Healer::Attach)
}

#[test]
fn at_xdp_and_then_attached() -> Result<()> {
    every_victim(&xdp(), Family::V4, Healer::Attach)
}

#[test]
#[ignore = "long: another mixture of what the others do"]
fn at_xdp_and_then_detached() -> Result<()> {
    every_victim(&xdp(), Family::V6, Healer::Detach)
}

#[test]
#[ignore = "long: another mixture of what the others do"]
fn at_tcx_and_then_attached() -> Result<()> {
    every_victim(&tcx(), Family::V6, Healer::Attach)
}

#[test]
fn at_tcx_and_then_detached() -> Result<()> {
    every_victim(&tcx(), Family::V4, Healer::Detach)
}

#[test]
fn at_clsact_and_then_attached() -> Result<()> {
    every_victim(&clsact(), Family::V4, Healer::Attach)
}

#[test]
fn at_clsact_and_then_detached() -> Result<()> {
    every_victim(&clsact(), Family::V6, Healer::Detach)
}
