//! `flows` shows what is asked for.

use anyhow::{Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    scenario::Connection,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};
use serde_json::Value;

use super::{FIRST_ISN, PEER_PORT, PORT, list, object, translated};

#[test]
fn flows_can_be_filtered() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let mut open = Vec::new();
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        open.push(translated(&lab, &server, PORT)?);
        open.push(Connection::open(&lab, &server, PORT + 1, FIRST_ISN)?);
    }
    let shown = |arguments: &[&str]| -> Result<Vec<Value>> {
        Ok(list(&object(&isnguard, "flows", arguments)?, "flows")?.to_vec())
    };
    ensure!(shown(&[])?.len() == open.len());
    for family in Family::ALL {
        let host = family.host(0).ip().to_string();
        let own = shown(&["--host", &host])?;
        ensure!(
            own.len() == 2 && own.iter().all(|flow| flow["host"] == host),
            "{own:?}"
        );
        let own = shown(&["--host", &host, "--translated"])?;
        ensure!(
            own.len() == 1 && own[0]["host_port"] == PORT && own[0]["offset"] != 0,
            "{own:?}"
        );
    }
    let both = shown(&["--translated"])?;
    ensure!(
        both.len() == 2 && both.iter().all(|flow| flow["offset"] != 0),
        "{both:?}"
    );
    ensure!(shown(&["--host", "203.0.113.1"])?.is_empty());
    let limited = object(&isnguard, "flows", &["--limit", "3"])?;
    ensure!(
        list(&limited, "flows")?.len() == 3 && limited["left_out"] == 1,
        "{limited}"
    );
    ensure!(
        isnguard.verb("flows", &["--limit", "1"])?.lines().count() == 2,
        "a header and a flow"
    );
    Ok(())
}
