//! An upgrade: broken, killed at any step, or whole, it keeps the flows and leaves one program at each hook (S19).

mod broken;
mod killed;

use anyhow::{Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    scenario::{Connection, host_end, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use serde_json::Value;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const KIB: u64 = 1 << 10;

/// A laboratory with one translated connection through an attached instance.
struct Bench<'a> {
    lab: &'a Lab,
    server: Server,
    connection: Connection,
    offset: u32,
}

impl<'a> Bench<'a> {
    fn new(lab: &'a Lab, isnguard: &Isnguard) -> Result<Self> {
        let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
        one_life(lab, &server, PORT, FIRST_ISN)?;
        let connection = Connection::open(lab, &server, PORT, LOWER_ISN)?;
        let offset = isnguard.flow(host_end(&server, PORT))?.offset;
        ensure!(offset != 0, "not translated");
        Ok(Self {
            lab,
            server,
            connection,
            offset,
        })
    }

    /// Fails unless the instance is whole and the connection goes on as it was.
    fn ensure_goes_on(&self, isnguard: &Isnguard, setup: &Setup, seed: u64) -> Result<()> {
        let status = isnguard.status()?;
        ensure!(status["healthy"] == true, "{status}");
        self.lab_is_single(setup)?;
        self.connection.exchange(16 * KIB, seed)?;
        let flow = isnguard.flow(host_end(&self.server, PORT))?;
        ensure!(flow.offset == self.offset, "{flow:?}");
        Ok(())
    }

    fn lab_is_single(&self, setup: &Setup) -> Result<()> {
        isn_tests::hooks::ensure_single(self.lab, &setup.interface, setup.hook)
    }
}

fn lab() -> Result<Lab> {
    Lab::new(LabOptions::default())
}

/// Identifiers of the two programs that run: for what arrives and for what leaves.
fn programs(isnguard: &Isnguard) -> Result<[Value; 2]> {
    let status = isnguard.status()?;
    ensure!(status["healthy"] == true, "{status}");
    let attached = &status["attached"][0];
    Ok([
        attached["program_id"].clone(),
        attached["egress_program_id"].clone(),
    ])
}

fn setups() -> [Setup; 4] {
    [
        Setup::new(Placement::Inside, Hook::Xdp),
        Setup::new(Placement::Outside, Hook::Xdp),
        Setup::new(Placement::Inside, Hook::Tc),
        Setup::new(Placement::Outside, Hook::Tc).with(&["--tc-flavour", "clsact"]),
    ]
}
