//! What the verbs print with `--json`, against `docs/json-schema`.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use isn_common::abi::flow::Reason;
use isn_tests::{
    capture::Capture,
    family::Family,
    gateway::Isnguard,
    keys::KeyFile,
    process::{self, Process},
    resident::Resident,
    scenario::{Connection, one_life},
    schema::ensure_shape,
    server::Server,
    setup::{Hook, Placement, Setup},
    topology::{HOST_IF, Lab, LabOptions},
};
use isnguard::doctor::Check;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The one object that a verb prints.
fn object(isnguard: &Isnguard, arguments: &[&str]) -> Result<Value> {
    let arguments = [arguments, &["--json"]].concat();
    let ended = process::run_to_end(isnguard.command(arguments[0], &arguments[1..])?)?;
    let printed = &ended.stdout;
    ensure!(
        printed.ends_with("}\n") && printed.lines().count() == 1,
        "{arguments:?}: {ended:?}"
    );
    Ok(serde_json::from_str(printed)?)
}

fn shaped(isnguard: &Isnguard, shape: &str, arguments: &[&str]) -> Result<Value> {
    let object = object(isnguard, arguments)?;
    ensure_shape(shape, &object).with_context(|| format!("{arguments:?}"))?;
    Ok(object)
}

fn connections(lab: &Lab, server: &Server, port: u16) -> Result<Connection> {
    one_life(lab, server, port, 3_000_000_000)?;
    Connection::open(lab, server, port, 1_000_000_000)
}

#[test]
fn what_is_printed_has_the_documented_shape() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    shaped(&isnguard, "status", &["status"])?;
    isnguard.touch();
    let setup = Setup::new(Placement::Inside, Hook::Xdp);
    shaped(
        &isnguard,
        "attach",
        &[&["attach"], &setup.arguments()[..]].concat(),
    )?;
    let mut open = Vec::new();
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(7000))?;
        open.push(connections(&lab, &server, 40_000)?);
    }
    for verb in ["status", "stats", "flows", "hosts"] {
        shaped(&isnguard, verb, &[verb])?;
    }
    ensure!(
        shaped(&isnguard, "flows", &["flows"])?["flows"]
            .as_array()
            .is_some_and(|it| it.len() == 2)
    );
    let dir = TempDir::new()?;
    let file = dir.path().join("flows");
    let file = file.to_str().context("no text")?;
    shaped(&isnguard, "snapshot-save", &["snapshot", "save", file])?;
    shaped(&isnguard, "snapshot-load", &["snapshot", "load", file])?;
    shaped(&isnguard, "detach", &["detach", "--force", "--reset"])?;
    shaped(&isnguard, "snapshot-load", &["snapshot", "load", file])?;
    shaped(&isnguard, "detach", &["detach", "--force"])?;
    Ok(())
}

#[test]
fn keyed_mode_has_its_shapes_too() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let key = KeyFile::random()?;
    let file = key.path().to_str().context("no text")?.to_owned();
    let setup = key.keyed(Setup::new(Placement::Inside, Hook::Tc), 60)?;
    shaped(
        &isnguard,
        "key-status",
        &["key", "status", "--key-file", &file],
    )?;
    let (_run, _) = Resident::start(&mut isnguard, &setup)?;
    let server = Server::listen(&lab.peer, Family::V4.peer(7000))?;
    let _connection = connections(&lab, &server, 40_000)?;
    for verb in ["status", "stats", "flows", "hosts", "attach"] {
        shaped(&isnguard, verb, &[verb])?;
    }
    shaped(
        &isnguard,
        "key-status",
        &["key", "status", "--key-file", &file],
    )?;
    shaped(
        &isnguard,
        "key-rotate",
        &["key", "rotate", "--force", "--key-file", &file],
    )?;
    Ok(())
}

#[test]
fn watching_gives_an_object_a_line() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Tc))?;
    for verb in ["stats", "hosts"] {
        let mut command = isnguard.command(verb, &["--watch=1", "--json"])?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut watch = Process::spawn(command)?;
        let lines = BufReader::new(watch.child().stdout.take().context("no pipe")?).lines();
        let objects: Vec<Value> = lines
            .take(3)
            .map(|line| Ok(serde_json::from_str(&line?)?))
            .collect::<Result<_>>()?;
        for object in &objects {
            ensure_shape(verb, object)?;
        }
        ensure!(
            verb != "stats" || objects[1]["rates"]["packets_seen"].is_number(),
            "{objects:?}"
        );
    }
    Ok(())
}

#[test]
fn an_audit_has_its_shape() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let server = Server::listen(&lab.peer, Family::V4.peer(7000))?;
    let dir = TempDir::new()?;
    let file = dir.path().join("seen.pcap");
    let capture = Capture::start(&lab.host, HOST_IF, &file)?;
    one_life(&lab, &server, 40_000, 3_000_000_000)?;
    capture.stop()?;
    let name = file.to_str().context("no text")?;
    shaped(&isnguard, "audit", &["audit", name])?;
    let octets = fs::read(&file)?;
    fs::write(&file, &octets[..octets.len() - 5])?;
    let cut = shaped(&isnguard, "audit", &["audit", name])?;
    ensure!(cut["complete"] == false && cut["ends_at"].is_u64(), "{cut}");
    Ok(())
}

#[test]
fn shapes_name_every_check_and_every_reason() -> Result<()> {
    let shape = |name: &str| -> Result<Value> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/json-schema");
        Ok(serde_json::from_str(&fs::read_to_string(
            path.join(name).with_extension("json"),
        )?)?)
    };
    let checks = Check::ALL.iter().map(|it| it.name()).collect::<Vec<_>>();
    let doctor = &shape("doctor")?["properties"]["findings"]["items"]["properties"];
    ensure!(doctor["check"]["enum"] == json!(checks), "{doctor}");
    let reasons = |more: &[&'static str]| {
        let known = Reason::ALL.iter().map(|it| it.name());
        json!(known.chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let decision = &shape("monitor")?["oneOf"][1]["properties"]["reason"]["enum"];
    ensure!(*decision == reasons(&["unremembered"]), "{decision}");
    let explain = &shape("explain")?["properties"];
    let flow = &explain["flows"]["items"]["properties"]["reason"]["enum"];
    ensure!(*flow == reasons(&[]), "{flow}");
    let expected = &explain["expected"]["items"]["properties"]["host_opens"]["properties"];
    ensure!(
        expected["reason"]["enum"] == reasons(&["odd-address"]),
        "{expected}"
    );
    Ok(())
}

#[test]
fn every_shape_is_in_the_table_of_the_page() -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = fs::read_to_string(docs.join("output.md"))?;
    let mut shapes = 0;
    for file in fs::read_dir(docs.join("json-schema"))? {
        let name = file?.file_name();
        let name = name.to_str().context("no text")?;
        ensure!(
            page.contains(&format!("| `{name}` |")),
            "docs/output.md does not name {name}"
        );
        shapes += 1;
    }
    ensure!(page.matches(".json` |").count() == shapes);
    Ok(())
}
