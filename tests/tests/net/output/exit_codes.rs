//! The table of exit codes in `docs/output.md`, line by line.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use etherparse::PacketBuilder;
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    keys::KeyFile,
    process,
    setup::{Hook, Placement, Setup},
    topology::{INSIDE_IF, Lab, LabOptions},
};
use pcap_file::pcap::{PcapPacket, PcapWriter};
use tempfile::TempDir;

/// States in the order in which a gateway is put into them.
const STATES: [&str; 5] = [
    "nothing attached",
    "healthy",
    "keyed",
    "an interface gone",
    "detached again",
];

/// A state, a command line, and its exit code.
fn table(page: &str) -> Result<Vec<(&str, Vec<&str>, i32)>> {
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line
            .strip_prefix("| ")?
            .strip_suffix(" |")?
            .split(" | ")
            .collect();
        let [state, command, code] = cells[..] else {
            return None;
        };
        STATES.contains(&state).then_some((state, command, code))
    });
    rows.map(|(state, command, code)| {
        let words = command.trim_matches('`').split(' ').collect();
        Ok((
            state,
            words,
            code.parse().with_context(|| format!("{command}: {code}"))?,
        ))
    })
    .collect()
}

/// A capture of two SYNs of a host.
fn capture() -> Result<Vec<u8>> {
    let mut writer = PcapWriter::new(Vec::new())?;
    for port in [40_000, 40_001] {
        let (std::net::SocketAddr::V4(host), std::net::SocketAddr::V4(peer)) =
            (Family::V4.host(port), Family::V4.peer(80))
        else {
            anyhow::bail!("not IPv4");
        };
        let syn = PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(host.ip().octets(), peer.ip().octets(), 64)
            .tcp(host.port(), peer.port(), 1, 8192)
            .syn();
        let mut frame = Vec::with_capacity(syn.size(0));
        syn.write(&mut frame, &[])?;
        let length = u32::try_from(frame.len())?;
        let at = Duration::from_secs(port.into());
        writer.write_packet(&PcapPacket::new(at, length, &frame))?;
    }
    Ok(writer.into_writer())
}

/// A directory with the files that the page speaks of.
fn files() -> Result<TempDir> {
    let dir = TempDir::new()?;
    let put = |name: &str, contents: &[u8]| fs::write(dir.path().join(name), contents);
    let gateway = format!("inside = [\"{INSIDE_IF}\"]\nhook = \"tc\"\n");
    put("gateway.toml", gateway.as_bytes())?;
    put("wrong.toml", b"mod = \"observe\"\n")?;
    let whole = capture()?;
    put("whole.pcap", &whole)?;
    put("cut-off.pcap", &whole[..whole.len() - 5])?;
    put("damaged.pcap", &[&whole[..], &[0xff; 64]].concat())?;
    Ok(dir)
}

/// Whether a verb answers on standard output although its exit code is 1.
fn answers_with_what_is_wrong(words: &[&str]) -> bool {
    words.starts_with(&["config", "check", "wrong.toml"])
}

fn put(lab: &Lab, isnguard: &mut Isnguard, state: &str) -> Result<()> {
    match state {
        "healthy" => isnguard
            .attach(&Setup::new(Placement::Inside, Hook::Tc))
            .map(drop),
        "keyed" => {
            // It can be lost once it is in use.
            let key = KeyFile::random()?;
            let setup = key.keyed(Setup::new(Placement::Inside, Hook::Tc), 60)?;
            isnguard.attach(&setup).map(drop)
        }
        "an interface gone" => lab.gateway.run("ip", &["link", "del", INSIDE_IF]).map(drop),
        "detached again" => isnguard.detach_by_force(),
        _ => Ok(()),
    }
}

#[test]
fn every_line_of_the_table_is_true() -> Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/output.md");
    let page = fs::read_to_string(page)?;
    let table = table(&page)?;
    ensure!(table.len() > 80, "{table:?}");
    let files = files()?;
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    for state in STATES {
        put(&lab, &mut isnguard, state)?;
        for (_, words, code) in table.iter().filter(|line| line.0 == state) {
            let mut command = isnguard.command(words[0], &words[1..])?;
            command.current_dir(files.path());
            let ended = process::run_to_end(command)?;
            ensure!(
                ended.status.code() == Some(*code),
                "{state}, {words:?}: {} instead of {code}: {}",
                ended.status,
                ended.complaint()
            );
            let is_silent = ended.stderr.trim().is_empty();
            let failed = matches!(code, 1 | 2);
            let complains = if answers_with_what_is_wrong(words) {
                ended.stdout.contains("unknown key `mod`")
            } else {
                !is_silent && ended.stdout.is_empty()
            };
            ensure!(!failed || complains, "{state}, {words:?}: {ended:?}");
        }
    }
    Ok(())
}
