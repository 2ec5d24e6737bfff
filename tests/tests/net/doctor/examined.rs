//! What `doctor --json` says, and what it says to do, done.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use isn_tests::{gateway::Isnguard, namespace::Namespace, process, schema::ensure_shape};
use serde_json::Value;

/// One examination.
pub struct Examined {
    /// The exit code.
    pub code: Option<i32>,
    findings: Vec<Value>,
}

impl Examined {
    /// Runs `isnguard doctor` in the gateway's namespace.
    pub fn by(isnguard: &Isnguard, arguments: &[&str]) -> Result<Self> {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        Self::read(isnguard.command("doctor", &arguments)?)
    }

    /// Runs a command line that ends in `isnguard doctor --json`.
    pub fn read(command: Command) -> Result<Self> {
        let ended = process::run_to_end(command)?;
        let printed: Value =
            serde_json::from_str(&ended.stdout).with_context(|| format!("no JSON: {ended:?}"))?;
        ensure_shape("doctor", &printed)?;
        let code = ended.status.code();
        ensure!(
            (code == Some(super::DEGRADED)) == (printed["degraded"] == true),
            "{code:?} and {printed}"
        );
        let findings = printed["findings"].as_array().cloned();
        Ok(Self {
            code,
            findings: findings.with_context(|| format!("no findings in {printed}"))?,
        })
    }

    /// The first finding of a check that is not well, else the first of it.
    pub fn finding(&self, check: &str) -> Result<&Value> {
        let mut of_it = self.findings.iter().filter(|it| it["check"] == check);
        let unwell = of_it.clone().find(|it| it["verdict"] != "ok");
        unwell
            .or_else(|| of_it.next())
            .with_context(|| format!("no check {check} in {:?}", self.findings))
    }

    /// Fails unless the check came out like this and says these words.
    pub fn ensure(&self, check: &str, verdict: &str, words: &[&str]) -> Result<()> {
        let finding = self.finding(check)?;
        ensure!(finding["verdict"] == verdict, "not {verdict}: {finding}");
        let said = finding.to_string();
        for word in words {
            ensure!(said.contains(word), "{word:?} is not said in {finding}");
        }
        Ok(())
    }

    /// Fails unless the check takes something away.
    pub fn ensure_degrades(&self, check: &str) -> Result<()> {
        let finding = self.finding(check)?;
        ensure!(
            finding["degrades"] == true && self.code == Some(super::DEGRADED),
            "{:?}, {finding}",
            self.code
        );
        Ok(())
    }

    /// Fails if anything takes something away.
    pub fn ensure_fine(&self) -> Result<()> {
        let bad: Vec<&Value> = self
            .findings
            .iter()
            .filter(|it| it["degrades"] == true || it["verdict"] == "fail")
            .collect();
        ensure!(
            self.code == Some(0) && bad.is_empty(),
            "{:?}, {bad:?}",
            self.code
        );
        Ok(())
    }

    /// The command that a check says to run.
    pub fn command(&self, check: &str) -> Result<String> {
        let finding = self.finding(check)?;
        match (finding["fix_is_command"].as_bool(), finding["fix"].as_str()) {
            (Some(true), Some(line)) => Ok(line.to_owned()),
            _ => bail!("the fix is no command: {finding}"),
        }
    }

    /// Runs the command that a check says to run, as root in the gateway's namespace, with `isnguard` on the path.
    pub fn do_as_told(&self, check: &str, gateway: &Namespace, isnguard: &Isnguard) -> Result<()> {
        let line = self.command(check)?;
        let mut shell = gateway.command("sh")?;
        let path = std::env::var("PATH").unwrap_or_default();
        let dir = isnguard.binary().parent().context("no directory")?;
        shell
            .args(["-ec", &line])
            .env("PATH", format!("{}:{path}:/usr/sbin:/sbin", dir.display()));
        process::run(shell).with_context(|| format!("{check} says to run `{line}`"))?;
        Ok(())
    }
}
