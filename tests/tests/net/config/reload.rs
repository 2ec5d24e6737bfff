//! A reload changes what applies to new SYNs, and no connection breaks (S1); one that is refused changes nothing.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    http,
    scenario::{Connection, ensure_hangs, one_life},
    server::Server,
    topology::{INSIDE_IF, Lab, LabOptions, OUTSIDE_IF},
    wait,
};
use nix::sys::signal::Signal;

use super::*;

const METRICS_PORT: u16 = 9464;

#[test]
fn a_reload_changes_the_policy_under_live_connections() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    for family in Family::ALL {
        let server = Server::listen(&lab.peer, family.peer(PEER_PORT))?;
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        let file = File::new(&guarded(""))?;
        let run = file.run(&mut isnguard)?;
        let plain = Connection::open(&lab, &server, PORT + 9, FIRST_ISN)?;
        let moved = translated(&lab, &server, PORT)?;
        let before = offset(&isnguard, &server, PORT)?;
        ensure!(before != 0, "it is not translated");

        moved.exchange_while(64 * MIB, || {
            file.say(&format!(
                "mode = \"observe\"\nhistory = 60\n{}",
                guarded("")
            ))?;
            let said = done(&isnguard, "config reload")?;
            ensure!(
                said.contains("monotonic becomes") && said.contains("history: 240 s becomes 60 s"),
                "{said}"
            );
            Ok(())
        })?;
        ensure!(
            isnguard.status()?["mode"] == "observe",
            "{}",
            isnguard.status()?
        );
        one_life(&lab, &server, PORT + 1, FIRST_ISN)?;
        ensure_hangs(&lab, &server, PORT + 1, LOWER_ISN, HANGS)?;
        for connection in [&plain, &moved] {
            connection.exchange(64 * KIB, 2)?;
        }
        ensure!(
            offset(&isnguard, &server, PORT)? == before,
            "its offset changed"
        );

        file.say(&guarded(""))?;
        run.signal(Signal::SIGHUP)?;
        wait::until(PATIENCE, "the reload by SIGHUP", || {
            Ok((isnguard.status()?["mode"] == "monotonic").then_some(()))
        })?;
        let again = translated(&lab, &server, PORT + 2)?;
        for connection in [plain, moved, again] {
            connection.exchange(64 * KIB, 3)?;
            connection.close()?;
        }
        let status = isnguard.status()?;
        ensure!(
            status["healthy"] == true && status["running"] == run.id(),
            "{status}"
        );
        let said = done(&isnguard, "config reload")?;
        ensure!(said.contains("nothing had changed"), "{said}");
    }
    Ok(())
}

#[test]
fn a_bad_reload_keeps_what_applies_and_status_says_so() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let good = format!("metrics = {METRICS_PORT}\n{}", guarded(""));
    let file = File::new(&good)?;
    let run = file.run(&mut isnguard)?;
    let successful = |value: u32| -> Result<()> {
        let line = format!("\nisnguard_config_last_reload_successful {value}\n");
        let at = SocketAddr::from(([127, 0, 0, 1], METRICS_PORT));
        let answer = http::ask(&lab.gateway, at, "GET /metrics", &[])?;
        ensure!(answer.body.contains(&line), "{}", answer.body);
        Ok(())
    };
    successful(1)?;
    let connection = translated(&lab, &server, PORT)?;
    let before = rules(&isnguard)?;
    let line = |text: &str| format!("{text}\n{good}");
    let bad = [
        (
            line("mod = \"observe\""),
            vec![":4:1: unknown key `mod`", "did you mean `mode`?"],
        ),
        (
            line("history = 0\nmode = 7"),
            vec![
                ":4:11: `history` cannot be 0",
                "and 1 more: isnguard config check",
            ],
        ),
        (
            line("max-flows = 4096"),
            vec![
                "cannot change --max-flows",
                "holds 65536 flows",
                "isnguard detach --drain",
            ],
        ),
        (line("instance = \"other\""), vec![]),
        (
            line("tc-flavour = \"clsact\""),
            vec!["cannot change the hook", "detach it first"],
        ),
        (line("adopt = 5"), vec!["`adopt` is for keyed mode"]),
        (
            guarded(""),
            vec!["where a process that runs serves metrics", "it is off"],
        ),
        (
            line("mode = \"keyed\"\nkey-file = \"/nowhere/isnguard.key\""),
            vec!["/nowhere/isnguard.key"],
        ),
    ];
    for (text, said) in bad {
        file.say(&text)?;
        let named_here = text.contains("instance = ");
        if named_here {
            // The command line names the instance, and overrides it.
            done(&isnguard, "config reload")?;
            continue;
        }
        refused(&isnguard, "config reload", &said)?;
        let status = isnguard.status()?;
        ensure!(
            status["healthy"] == false && status["last_reload"]["successful"] == false,
            "{status}"
        );
        let problems = status["problems"].to_string();
        for words in said {
            ensure!(problems.contains(words), "{words}: {problems}");
        }
        ensure!(verb(&isnguard, "status")?.status.code() == Some(DEGRADED));
        successful(0)?;
        ensure!(rules(&isnguard)? == before, "the policy changed");
        connection.exchange(64 * KIB, 1)?;
    }
    file.say(&good)?;
    done(&isnguard, "config reload")?;
    let status = isnguard.status()?;
    ensure!(
        status["healthy"] == true && status["running"] == run.id(),
        "{status}"
    );
    successful(1)?;
    connection.exchange(64 * KIB, 2)?;
    connection.close()
}

#[test]
fn interfaces_at_a_reload() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    lab.gateway
        .run("ip", &["tuntap", "add", "dev", "second0", "mode", "tap"])?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let file = File::new(&guarded(""))?;
    let _run = file.run(&mut isnguard)?;
    let connection = translated(&lab, &server, PORT)?;
    let text = file.text()?;
    let with = |interfaces: &str| text.replace(&format!("[\"{INSIDE_IF}\"]"), interfaces);

    fs::write(&file.path, with(&format!("[\"{INSIDE_IF}\", \"second0\"]")))?;
    let said = done(&isnguard, "config reload")?;
    ensure!(said.contains("interface: + second0"), "{said}");
    ensure!(isnguard.status()?["attached"].as_array().map(Vec::len) == Some(2));
    connection.exchange(64 * KIB, 1)?;

    fs::write(&file.path, with("[\"second0\"]"))?;
    refused(
        &isnguard,
        "config reload",
        &["it is attached to", INSIDE_IF, "not named here"],
    )?;
    let outside = text
        .replace("inside =", "outside =")
        .replace(INSIDE_IF, OUTSIDE_IF);
    fs::write(&file.path, outside)?;
    refused(&isnguard, "config reload", &["it is attached to"])?;
    fs::write(
        &file.path,
        with(&format!("[\"{INSIDE_IF}\", \"second0\", \"nope\"]")),
    )?;
    refused(
        &isnguard,
        "config reload",
        &["`nope`", "there is no such interface"],
    )?;

    // One that is gone for the time being keeps no policy from changing.
    lab.gateway.run("ip", &["link", "del", "second0"])?;
    let both = with(&format!("[\"{INSIDE_IF}\", \"second0\"]"));
    fs::write(
        &file.path,
        format!("{both}\n[[protect]]\nprefix = \"192.88.99.0/24\"\n"),
    )?;
    let said = done(&isnguard, "config reload")?;
    ensure!(said.contains("+ 192.88.99.0/24"), "{said}");
    connection.exchange(64 * KIB, 2)?;
    connection.close()
}

#[test]
fn a_process_without_a_file_survives_sighup_and_says_how_to_reload() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    attached_without_file(&mut isnguard, &[])?;
    refused(
        &isnguard,
        "config reload",
        &[
            "no `isnguard run` stays with it",
            "isnguard attach --config",
        ],
    )?;
    let setup = Setup::new(Placement::Inside, Hook::Tc);
    let mut run = isnguard.run(&setup)?;
    let file = File::new(&guarded("mode = \"observe\""))?;
    refused(
        &isnguard,
        "config reload",
        &["runs it without a configuration file", "--config FILE"],
    )?;
    run.signal(Signal::SIGHUP)?;

    // What `attach` takes over meanwhile is not for this process to reload.
    done(&isnguard, &format!("attach --config {}", file.name()?))?;
    ensure!(isnguard.status()?["mode"] == "observe");
    refused(
        &isnguard,
        "config reload",
        &["runs it without a configuration file"],
    )?;
    ensure!(run.ended()?.is_none(), "SIGHUP ended it");
    ensure!(isnguard.status()?["running"] == run.id());
    Ok(())
}

#[test]
fn the_command_line_overrides_the_file_at_every_reload() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let file = File::new(&format!(
        "mode = \"observe\"\nhistory = 100\n{}",
        guarded("")
    ))?;
    isnguard.touch();
    let name = file.name()?;
    let line = format!("--config {name} --history 50");
    let difference = |more: &str| done(&isnguard, &format!("config diff --config {name} {more}"));
    done(&isnguard, &format!("attach {line}"))?;
    let status = isnguard.status()?;
    ensure!(
        status["history_seconds"] == 50 && status["mode"] == "observe",
        "{status}"
    );
    ensure!(difference("--history 50")?.contains("no difference"));
    let told = difference("--mode monotonic")?;
    ensure!(
        told.contains("- history 50 s\n+ history 100 s\n")
            && told.contains("monotonic\nnothing was changed"),
        "{told}"
    );
    ensure!(
        isnguard.status()?["history_seconds"] == 50,
        "telling it changed it"
    );
    let shown = done(&isnguard, &format!("config show {line}"))?;
    for words in [
        "history = 50",
        "# command line",
        "mode = \"observe\"",
        "# line 4",
    ] {
        ensure!(shown.contains(words), "{words}: {shown}");
    }
    // The file is the whole truth: what it no longer says is the default again.
    file.say(&guarded(""))?;
    done(&isnguard, &format!("attach --config {name}"))?;
    let status = isnguard.status()?;
    ensure!(
        status["history_seconds"] == 240 && status["mode"] == "monotonic",
        "{status}"
    );
    Ok(())
}
