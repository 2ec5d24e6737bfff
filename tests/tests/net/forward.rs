//! Forwarding in XDP (`--forward`): both directions past the kernel's own path, each packet translated once, and all that is no plain
//! forwarding left to the kernel.

mod left;
mod life;
mod plain;
mod refused;

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    pass::Passing,
    setup::{Hook, Placement, Setup},
    topology::{HOST_IF, INSIDE_IF, Lab, LabOptions, OUTSIDE_IF, PEER_IF},
};

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const KIB: u64 = 1 << 10;

/// A laboratory whose ends take what XDP redirects to them.
struct Bench {
    ends: Vec<Passing>,
    lab: Lab,
}

impl Bench {
    fn new() -> Result<Self> {
        let lab = Lab::new(LabOptions::default())?;
        let ends = [(&lab.host, HOST_IF), (&lab.peer, PEER_IF)];
        let ends = ends.map(|(namespace, interface)| Passing::attach(namespace, interface));
        Ok(Self {
            ends: ends.into_iter().collect::<Result<_>>()?,
            lab,
        })
    }

    /// Frames that were redirected to a line whose ring was full.
    fn lost_in_rings(&self) -> Result<u64> {
        let mut lost = 0;
        for interface in [INSIDE_IF, OUTSIDE_IF] {
            let shown = self.lab.gateway.run("ethtool", &["-S", interface])?;
            let lines = shown.lines().filter(|line| line.contains("xdp_xmit_err"));
            for line in lines {
                let (_, number) = line.rsplit_once(':').context("no number")?;
                lost += number.trim().parse::<u64>()?;
            }
        }
        Ok(lost)
    }
}

fn forwarding() -> Setup {
    Setup::new(Placement::Inside, Hook::Auto).with(&["--outside", OUTSIDE_IF, "--forward"])
}

/// Fails unless `deed` makes this counter grow.
fn ensure_counts(
    isnguard: &Isnguard,
    counter: &str,
    deed: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let before = isnguard.counter(counter)?;
    deed().with_context(|| counter.to_owned())?;
    let after = isnguard.counter(counter)?;
    ensure!(
        after > before,
        "{counter} stays {before}: {}",
        isnguard.stats()?
    );
    Ok(())
}
