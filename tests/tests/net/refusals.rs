//! What isnguard refuses, with which exit code and which words, and that a refusal changes nothing at all.

mod command_line;
mod contradiction;
mod footprint;
mod layout;
mod machine;
mod tampering;

use std::{process::Command, time::Duration};

use anyhow::{Result, ensure};
use footprint::Footprint;
use isn_tests::{
    gateway::Isnguard,
    process::{self, Ended},
    topology::Lab,
};

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const PATIENCE: Duration = Duration::from_mins(1);

/// A command line, the exit code it deserves, and words that say why.
type Case<'a> = (&'a str, i32, &'a [&'a str]);

/// Fails unless the command is refused with this code and these words, and says what to do.
fn ensure_refused(command: Command, code: i32, words: &[&str]) -> Result<Ended> {
    let line = process::described(&command);
    let ended = process::run_to_end(command)?;
    ensure!(
        ended.status.code() == Some(code),
        "`{line}`: {} instead of {code}: {}",
        ended.status,
        ended.complaint()
    );
    for word in words {
        ensure!(
            ended.stderr.contains(word),
            "`{line}` does not say {word:?}: {}",
            ended.stderr
        );
    }
    ensure!(
        code == USAGE || ended.stderr.contains("what to do:"),
        "`{line}` does not say what to do: {}",
        ended.stderr
    );
    ensure!(ended.stdout.is_empty(), "`{line}`: {}", ended.stdout);
    Ok(ended)
}

/// Plays the cases against one instance, which must stay as it is.
fn ensure_all_refused(lab: &Lab, isnguard: &Isnguard, cases: &[Case]) -> Result<()> {
    let before = Footprint::of(&lab.gateway, isnguard)?;
    for (line, code, words) in cases {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let command = isnguard.command(arguments[0], &arguments[1..])?;
        ensure_refused(command, *code, words)?;
        let after = Footprint::of(&lab.gateway, isnguard)?;
        ensure!(
            before == after,
            "`{line}` changed something: {before:?} to {after:?}"
        );
    }
    Ok(())
}
