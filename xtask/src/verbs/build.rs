//! `build`: the default members, the BPF object among them.

use anyhow::Result;

use super::setup;
use crate::{cli::Build, command::CommandLine, plan::Purpose, shell::Shell};

/// Builds; what is missing for that is installed first.
pub fn perform(shell: &Shell, build: &Build) -> Result<()> {
    setup::make_ready(shell, Purpose::Build)?;
    shell.run(&command(build.release))
}

fn command(release: bool) -> CommandLine {
    CommandLine::words("cargo build").args(release.then_some("--release"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_is_the_one_asked_for() {
        assert_eq!(command(false).to_string(), "cargo build");
        assert_eq!(command(true).to_string(), "cargo build --release");
    }
}
