//! The project's verbs, run as `cargo xtask VERB`: what a person needs between cloning and seeing it work.
//!
//! `cli` says what can be asked; `verbs` has one file for each answer. Below them, `probe` looks at the machine,
//! `machine` is what it saw, `plan` decides what is missing (pure, tested), and `shell` runs commands and shows them.

mod cli;
mod command;
mod machine;
mod plan;
mod probe;
mod shell;
mod verbs;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match verbs::perform(cli::Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
