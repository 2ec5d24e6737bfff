//! `isnguard completions`: what a shell needs to complete verbs and options, made from their definition.

use std::io::{self, Write as _};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Outcome};

/// Arguments of `completions`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell that is to complete
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  isnguard completions bash > /etc/bash_completion.d/isnguard
  isnguard completions zsh > /usr/local/share/zsh/site-functions/_isnguard
  isnguard completions fish > /etc/fish/completions/isnguard.fish

The Debian package has those of bash, zsh and fish in their places already.";

/// Prints the completions. Made whole first: a pipe that is closed early is no panic then.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "isnguard", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Outcome::Done)
}
