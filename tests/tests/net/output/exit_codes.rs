//! The table of exit codes in `docs/output.md`, line by line.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    process,
    setup::{Hook, Placement, Setup},
    topology::{INSIDE_IF, Lab, LabOptions},
};

/// States in the order in which a gateway is put into them.
const STATES: [&str; 4] = [
    "nothing attached",
    "healthy",
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

fn put(lab: &Lab, isnguard: &mut Isnguard, state: &str) -> Result<()> {
    match state {
        "healthy" => isnguard
            .attach(&Setup::new(Placement::Inside, Hook::Tc))
            .map(drop),
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
    ensure!(table.len() > 30, "{table:?}");
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    for state in STATES {
        put(&lab, &mut isnguard, state)?;
        for (_, words, code) in table.iter().filter(|line| line.0 == state) {
            let ended = process::run_to_end(isnguard.command(words[0], &words[1..])?)?;
            ensure!(
                ended.status.code() == Some(*code),
                "{state}, {words:?}: {} instead of {code}: {}",
                ended.status,
                ended.complaint()
            );
            let is_silent = ended.stderr.trim().is_empty();
            let failed = matches!(code, 1 | 2);
            ensure!(
                !(failed && (is_silent || !ended.stdout.is_empty())),
                "{state}, {words:?}: {ended:?}"
            );
        }
    }
    Ok(())
}
