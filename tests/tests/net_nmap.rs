//! nmap looks at devices with the generators of the wild through the gateway: what it says of them, and what grading says of
//! the same packets.

use anyhow::{Context as _, Result};
use isn_generators::Kind;
use isn_tests::{
    device::Device,
    gateway::Isnguard,
    process,
    scenario::seed,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};

/// What nmap prints of a host's numbers in its XML.
#[derive(Debug)]
struct Verdict {
    index: u32,
    difficulty: String,
    values: Vec<u32>,
}

fn scan(lab: &Lab) -> Result<Verdict> {
    let ports = format!("{},{}", Device::OPEN_PORT, Device::CLOSED_PORT);
    let target = Device::ADDRESS.to_string();
    let mut nmap = lab.peer.command("nmap")?;
    nmap.args([
        "-n",
        "-v",
        "-Pn",
        "-O",
        "--max-os-tries",
        "1",
        "-p",
        &ports,
        "-oX",
        "-",
        &target,
    ]);
    let ended = process::run_to_end(nmap)?;
    let told = ended.stdout;
    let sequence = told
        .lines()
        .find(|line| line.starts_with("<tcpsequence"))
        .with_context(|| format!("nmap tells nothing of sequence numbers: {told}"))?;
    let attribute = |name: &str| -> Result<&str> {
        let (_, rest) = sequence
            .split_once(&format!("{name}=\""))
            .with_context(|| format!("no {name} in {sequence}"))?;
        rest.split('"').next().context("an attribute without end")
    };
    Ok(Verdict {
        index: attribute("index")?.parse()?,
        difficulty: attribute("difficulty")?.to_owned(),
        values: attribute("values")?
            .split(',')
            .map(|value| Ok(u32::from_str_radix(value, 16)?))
            .collect::<Result<_>>()?,
    })
}

#[test]
fn what_nmap_says_of_every_generator() -> Result<()> {
    let seed = seed()?;
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp).in_mode("observe"))?;
    for kind in Kind::ALL {
        let device = Device::start(&lab, kind.make(seed))?;
        let verdict = scan(&lab)?;
        device.stop()?;
        println!("{:18} {verdict:?}", kind.name());
    }
    Ok(())
}
