//! What help says: something about every option, an example of every verb, within the 80 columns of a terminal.

use std::collections::BTreeSet;

use clap::{Arg, Command, CommandFactory as _, Parser as _, error::ErrorKind};

use super::super::Cli;

const COLUMNS: usize = 80;

/// Every verb, and what it does in turn; isnguard itself first.
pub fn every() -> Vec<Command> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut all = Vec::new();
    collect(root, &mut all);
    all
}

fn collect(command: Command, all: &mut Vec<Command>) {
    let below: Vec<Command> = command.get_subcommands().cloned().collect();
    all.push(command);
    for verb in below {
        collect(verb, all);
    }
}

/// As it is typed.
pub fn typed(command: &Command) -> String {
    let name = command.get_bin_name();
    name.unwrap_or_else(|| command.get_name()).to_owned()
}

fn below_options(command: &Command) -> String {
    let text = command.get_after_help().map(ToString::to_string);
    text.unwrap_or_default()
}

/// The lines of the examples, each a command with or without a remark behind two spaces.
fn examples(command: &Command) -> Vec<String> {
    let text = below_options(command);
    let lines = text.lines().filter_map(|line| line.strip_prefix("  "));
    lines.map(str::to_owned).collect()
}

#[test]
fn every_option_says_what_it_is_for() {
    let mut silent = Vec::new();
    for command in every() {
        assert!(command.get_about().is_some(), "{}", typed(&command));
        let says = |arg: &&Arg| {
            let help = arg.get_help().map(ToString::to_string);
            help.is_some_and(|help| help.split_whitespace().count() >= 2)
        };
        let without = command.get_arguments().filter(|arg| !says(arg));
        silent.extend(without.map(|arg| format!("{} {}", typed(&command), arg.get_id())));
    }
    assert!(silent.is_empty(), "no help: {silent:#?}");
}

#[test]
fn every_verb_has_examples_and_they_are_understood() {
    let mut problems = Vec::new();
    for command in every() {
        let typed = typed(&command);
        let examples = examples(&command);
        let own = |line: &&String| line.starts_with(&typed);
        if !examples.iter().any(|line| own(&line)) {
            problems.push(format!("{typed}: no example begins with it"));
        }
        for line in examples.iter().filter(|line| line.starts_with("isnguard ")) {
            match Cli::try_parse_from(words(line)) {
                Err(error) if error.kind() == ErrorKind::DisplayHelp => {}
                Err(error) => problems.push(format!("{line}: {error}")),
                Ok(_) => {}
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// The words of an example before its remark, its pipe or its redirection.
fn words(line: &str) -> Vec<&str> {
    let command = line.split("  ").next().unwrap_or_default();
    let end = |word: &&str| *word != "|" && *word != ">";
    command.split_whitespace().take_while(end).collect()
}

#[test]
fn help_fits_a_terminal() {
    let mut wide = BTreeSet::new();
    for command in every() {
        let typed = typed(&command);
        for line in examples(&command) {
            // Two spaces before it.
            if line.chars().count() + 2 > COLUMNS {
                wide.insert(format!("{typed}, an example: {line}"));
            }
        }
        let mut command = command.term_width(COLUMNS);
        let short = command.render_help().to_string();
        let long = command.render_long_help().to_string();
        for line in short.lines().chain(long.lines()) {
            if line.trim_end().chars().count() > COLUMNS {
                wide.insert(format!("{typed}: {line}"));
            }
        }
    }
    assert!(wide.is_empty(), "wider than {COLUMNS}: {wide:#?}");
}
