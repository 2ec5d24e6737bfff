//! Gateways that follow connections themselves and drop what does not fit: they see one set of numbers both ways (S22, S23).

use anyhow::{Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    scenario::{Connection, host_end, one_life},
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};

const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const RULES: &str = "table inet strict { counter invalid {}; chain forward { type filter hook forward priority 0; \
                     ct state invalid counter name invalid drop; }; }";

fn strict_lab() -> Result<Lab> {
    let lab = Lab::new(LabOptions::default())?;
    lab.gateway.run("nft", &[RULES])?;
    lab.gateway
        .set_sysctl("net/netfilter/nf_conntrack_tcp_be_liberal", "0")?;
    Ok(lab)
}

fn invalid(lab: &Lab) -> Result<bool> {
    Ok(!lab
        .gateway
        .run("nft", &["list", "counter", "inet", "strict", "invalid"])?
        .contains("packets 0 "))
}

fn goes_through(placement: Placement, hook: Hook) -> Result<()> {
    let lab = strict_lab()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(placement, hook))?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        one_life(&lab, &server, PORT, 3_000_000_000)?;
        let connection = Connection::open(&lab, &server, PORT, 1_000_000_000)?;
        connection.exchange(4 << 20, 1)?;
        ensure!(
            isnguard.flow(host_end(&server, PORT))?.offset != 0,
            "the connection was not translated"
        );
        connection.close()?;
    }
    ensure!(!invalid(&lab)?, "conntrack found segments invalid");
    Ok(())
}

#[test]
fn inside() -> Result<()> {
    goes_through(Placement::Inside, Hook::Xdp)?;
    goes_through(Placement::Inside, Hook::Tc)
}

#[test]
fn outside() -> Result<()> {
    goes_through(Placement::Outside, Hook::Xdp)?;
    goes_through(Placement::Outside, Hook::Tc)
}
