//! What `config` and `policy` print with `--json`, and what `status` and `attach` say of the file, against `docs/json-schema`.

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    topology::{Lab, LabOptions},
};

use super::*;

/// The object that a command line has printed, which has the shape of its verb.
pub fn shaped(line: &str, printed: &str) -> Result<Value> {
    ensure!(
        printed.ends_with("}\n") && printed.lines().count() == 1,
        "`{line}` printed {printed:?}"
    );
    let words: Vec<&str> = line.split(' ').collect();
    let shape = match words[..] {
        ["config", verb, ..] => format!("config-{verb}"),
        ["policy", "list", ..] => "policy-list".into(),
        ["policy", ..] => "config-diff".into(),
        _ => words[0].into(),
    };
    let object = serde_json::from_str(printed)?;
    ensure_shape(&shape, &object).with_context(|| format!("`{line}`"))?;
    Ok(object)
}

/// What is printed by a verb that ends with this exit code.
fn degraded(isnguard: &Isnguard<'_>, line: &str, code: i32) -> Result<Value> {
    let ended = verb(isnguard, &format!("{line} --json"))?;
    ensure!(ended.status.code() == Some(code), "`{line}`: {ended:?}");
    shaped(line, &ended.stdout)
}

#[test]
fn what_is_shown_of_files_has_its_shape() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let file = File::new(
        "mode = \"keyed\"\nmetrics = [\"127.0.0.1:9464\"]\n[[protect]]\nprefix = \"10.0.0.0/8\"\n",
    )?;
    let name = file.name()?;
    let shown = json(
        &isnguard,
        &format!("config show --config {name} --history 50"),
    )?;
    let origins = |origin: &str| {
        let settings = shown["settings"].as_array().into_iter().flatten();
        settings.filter(|it| it["origin"] == origin).count()
    };
    ensure!(
        origins("file") == 4 && origins("command-line") == 2 && origins("default") > 5,
        "{shown}"
    );
    ensure!(shown["protect"][0]["line"] == 7, "{shown}");
    let without = json(&isnguard, "config show")?;
    ensure!(without["file"].is_null(), "{without}");

    json(&isnguard, &format!("config check {name}"))?;
    file.say("mod = \"keyed\"\nhistory = 0\n")?;
    let wrong = degraded(&isnguard, &format!("config check {name}"), FAILED)?;
    ensure!(
        wrong["errors"].as_array().map(Vec::len) == Some(2),
        "{wrong}"
    );
    Ok(())
}

#[test]
fn what_is_told_of_changes_has_its_shape() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let file = File::new(&guarded(""))?;
    let name = file.name()?;
    let _run = file.run(&mut isnguard)?;
    let attached = json(&isnguard, "status")?;
    ensure!(attached["last_reload"]["successful"] == true, "{attached}");

    let told = json(
        &isnguard,
        &format!("config diff --config {name} --history 50"),
    )?;
    ensure!(
        told["changed"] == false && told["differences"][0]["key"] == "history",
        "{told}"
    );
    let added = json(&isnguard, "policy add 10.0.0.0/8,port=102,mode=off")?;
    ensure!(
        added["changed"] == true && added["differences"][0]["before"].is_null(),
        "{added}"
    );
    json(&isnguard, "policy list")?;
    json(&isnguard, "status")?;
    let list = file.path.with_file_name("rules");
    fs::write(&list, "203.0.113.0/24\n")?;
    json(&isnguard, &format!("policy import {}", list.display()))?;
    let gone = json(&isnguard, "policy del 10.0.0.0/8")?;
    ensure!(gone["differences"][0]["after"].is_null(), "{gone}");

    json(&isnguard, "config reload")?;
    file.say("mod = \"observe\"\n")?;
    let refused = degraded(&isnguard, "config reload", FAILED)?;
    ensure!(refused["successful"] == false, "{refused}");
    let status = degraded(&isnguard, "status", DEGRADED)?;
    ensure!(status["last_reload"]["successful"] == false, "{status}");
    file.say(&guarded(""))?;
    let again = json(&isnguard, &format!("attach --config {name}"))?;
    ensure!(again["last_reload"]["process"].is_u64(), "{again}");
    Ok(())
}
