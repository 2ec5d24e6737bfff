//! Files that cannot be used, as `run`, `attach` and `config check` show them; nothing is left, and no privilege is needed to look.

use std::os::unix::{fs::PermissionsExt as _, process::CommandExt as _};

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    topology::{Lab, LabOptions},
};

use super::*;

#[test]
fn a_file_that_is_wrong_is_shown_and_nothing_is_attached() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let file = File::new("mod = \"observe\"\nhistory = 0\n")?;
    let name = file.name()?;
    let said = [
        "gateway.toml:4:1: unknown key `mod`\n  4 | mod = \"observe\"\n    | ^^^\n  what to do: did you mean `mode`?",
        "gateway.toml:5:11: `history` cannot be 0",
    ];
    for verb in ["attach", "run", "config show", "config diff"] {
        refused(&isnguard, &format!("{verb} --config {name}"), &said)?;
    }
    refused(&isnguard, &format!("config check {name}"), &said)?;
    ensure!(!isnguard.pins().exists(), "something was attached");
    let nowhere = file.path.with_file_name("nowhere.toml");
    for line in ["config check", "attach --config"] {
        let line = format!("{line} {}", nowhere.display());
        refused(
            &isnguard,
            &line,
            &["there is no such file", "name the file"],
        )?;
    }
    file.say("")?;
    fs::set_permissions(&file.path, fs::Permissions::from_mode(0o666))?;
    let said = ["its mode is 0666: everybody can change it", "chmod o-w"];
    refused(&isnguard, &format!("attach --config {name}"), &said)?;
    ensure!(!isnguard.pins().exists());
    Ok(())
}

#[test]
fn whoever_checks_a_file_needs_no_privilege() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let file = File::new("mode = \"locked\"\n")?;
    let dir = file.path.parent().context("no directory")?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    let binary = dir.join("isnguard");
    fs::copy(isnguard.binary(), &binary)?;
    let check = || -> Result<Ended> {
        let mut command = std::process::Command::new(&binary);
        command.args(["config", "check", "--json"]).arg(&file.path);
        command.uid(65_534).gid(65_534);
        process::run_to_end(command)
    };
    let ended = check()?;
    let found: Value = serde_json::from_str(&ended.stdout)?;
    ensure!(
        ended.status.code() == Some(FAILED) && found["valid"] == false,
        "{found}"
    );
    let error = &found["errors"][0];
    ensure!(error["line"] == 4 && error["column"] == 8, "{error}");
    file.say("")?;
    let ended = check()?;
    ensure!(ended.status.success(), "{}", ended.complaint());
    ensure!(
        ended.stderr.contains("every host on that side is guarded"),
        "{}",
        ended.stderr
    );
    Ok(())
}
