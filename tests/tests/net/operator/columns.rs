//! Text: plain columns for pipes, colours for terminals unless they are not wanted.

use anyhow::{Context, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    process,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions},
};

use super::{PEER_PORT, PORT, translated};

/// Fails unless this is a header and rows of as many columns, and nothing that only people like.
fn ensure_plain(printed: &str) -> Result<()> {
    ensure!(
        !printed.contains(|c: char| c == '\x1b' || ('\u{2500}'..='\u{259f}').contains(&c)),
        "not plain: {printed}"
    );
    for block in printed.split("\n\n") {
        let columns: Vec<usize> = block.lines().map(|line| line.split('\t').count()).collect();
        ensure!(
            columns.len() > 1 && columns[0] > 1 && columns.iter().all(|count| *count == columns[0]),
            "columns differ ({columns:?}): {block}"
        );
    }
    Ok(())
}

/// What a verb prints on a terminal.
fn on_a_terminal(lab: &Lab, isnguard: &Isnguard, verb: &str, no_color: &str) -> Result<String> {
    let product = process::described(&isnguard.command(verb, &[])?);
    let mut script = lab.gateway.command("script")?;
    script
        .args(["--quiet", "--return", "--command", &product, "/dev/null"])
        .env("TERM", "xterm")
        .env("NO_COLOR", no_color);
    process::run(script)
}

#[test]
fn columns_are_plain_when_piped_and_colours_can_be_switched_off() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let _connection = translated(&lab, &server, PORT)?;
    for (verb, expected) in [
        ("status", "\nstate\thealthy\n"),
        ("stats", "\n\ntable\tentries\tcapacity\n"),
        (
            "flows",
            "host\tpeer\tvlan\tstate\toffset\ttimestamp_offset\thost_isn\twire_isn\thigh_water\tage\tidle\treason\n",
        ),
    ] {
        let printed = isnguard.verb(verb, &[])?;
        ensure_plain(&printed).with_context(|| verb.to_owned())?;
        ensure!(printed.contains(expected), "{printed}");
        let colourless = on_a_terminal(&lab, &isnguard, verb, "1")?;
        ensure!(!colourless.contains('\x1b'), "{verb}: {colourless:?}");
    }
    let colourful = on_a_terminal(&lab, &isnguard, "status", "")?;
    ensure!(
        colourful.contains('\x1b'),
        "not on a terminal after all: {colourful:?}"
    );
    Ok(())
}
