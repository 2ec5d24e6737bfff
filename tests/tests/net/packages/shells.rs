//! Completions in the shells that they are for, and manual pages in the program that shows them.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Result, ensure};
use isn_tests::{gateway::binary, process};
use tempfile::TempDir;

/// What the program prints, in a file.
fn script(dir: &TempDir, shell: &str, name: &str) -> Result<PathBuf> {
    let mut command = Command::new(binary()?);
    command.args(["completions", shell]);
    let file = dir.path().join(name);
    fs::write(&file, process::run(command)?)?;
    Ok(file)
}

fn said(shell: &str, words: &[&str]) -> Result<String> {
    let mut command = Command::new(shell);
    command.args(words);
    process::run(command)
}

#[test]
fn bash_completes_verbs_and_options() -> Result<()> {
    let dir = TempDir::new()?;
    let file = script(&dir, "bash", "isnguard")?;
    let complete = |words: &str, last: usize, word: &str, before: &str| {
        let line = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={last}; _isnguard isnguard '{word}' '{before}'; \
             echo \"${{COMPREPLY[@]}}\"",
            file.display()
        );
        said("bash", &["--norc", "-c", &line])
    };
    let verbs = complete("isnguard st", 1, "st", "isnguard")?;
    ensure!(
        verbs.contains("status") && verbs.contains("stats"),
        "{verbs}"
    );
    let options = complete("isnguard run --ins", 2, "--ins", "run")?;
    ensure!(options.contains("--inside"), "{options}");
    let modes = complete("isnguard run --mode ob", 3, "ob", "--mode")?;
    ensure!(modes.trim() == "observe", "{modes}");
    Ok(())
}

#[test]
fn zsh_takes_the_completions() -> Result<()> {
    let dir = TempDir::new()?;
    let file = script(&dir, "zsh", "_isnguard")?;
    said("zsh", &["-f", "-n", &file.to_string_lossy()])?;
    let line = format!(
        "fpath=({} $fpath); autoload -Uz compinit; compinit -D -u; print ${{_comps[isnguard]}}",
        dir.path().display()
    );
    let function = said("zsh", &["-f", "-c", &line])?;
    ensure!(function.trim() == "_isnguard", "{function:?}");
    Ok(())
}

#[test]
fn fish_completes_verbs() -> Result<()> {
    let dir = TempDir::new()?;
    let file = script(&dir, "fish", "isnguard.fish")?;
    let line = format!("source {}; complete -C 'isnguard st'", file.display());
    let verbs = said("fish", &["--no-config", "-c", &line])?;
    ensure!(
        verbs.contains("status") && verbs.contains("stats"),
        "{verbs}"
    );
    Ok(())
}

#[test]
fn man_has_nothing_to_say_against_the_pages() -> Result<()> {
    let dir = TempDir::new()?;
    let mut write = Command::new(binary()?);
    write.args(["man", "--out"]).arg(dir.path());
    process::run(write)?;
    let mut seen = 0;
    for page in fs::read_dir(dir.path())? {
        let mut man = Command::new("man");
        man.args(["--warnings", "--encoding=UTF-8", "--local-file"])
            .arg(page?.path());
        man.env("MANROFFSEQ", "").env("MANWIDTH", "80");
        let ended = process::run_to_end(man)?;
        ensure!(
            ended.status.success() && ended.stderr.is_empty(),
            "{ended:?}"
        );
        ensure!(
            ended.stdout.contains("NAME") && ended.stdout.contains("EXAMPLES"),
            "{}",
            ended.stdout
        );
        seen += 1;
    }
    ensure!(seen > 10, "only {seen} pages");
    Ok(())
}

#[test]
fn one_page_is_printed_and_an_unknown_one_is_refused() -> Result<()> {
    let printed = |words: &[&str]| {
        let mut command = Command::new(binary()?);
        command.arg("man").args(words);
        process::run_to_end(command)
    };
    let page = printed(&["key", "rotate"])?;
    ensure!(
        page.stdout.contains(".TH ISNGUARD-KEY-ROTATE 8"),
        "{page:?}"
    );
    let refused = printed(&["frobnicate"])?;
    ensure!(
        refused.status.code() == Some(1) && refused.stderr.contains("isnguard help"),
        "{refused:?}"
    );
    Ok(())
}
