//! `policy list|add|del|import`, with and without the file.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use anyhow::{Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    keys::KeyFile,
    scenario::{Connection, ensure_hangs, one_life},
    server::Server,
    topology::{Lab, LabOptions},
};

use super::*;

#[test]
fn rules_come_and_go_and_the_file_keeps_its_comments() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let rule = "\n# The plant\n[[protect]]\nprefix = \"10.0.0.0/8\" # all of it\n# the end\n";
    let file = File::new(rule)?;
    fs::set_permissions(&file.path, fs::Permissions::from_mode(0o640))?;
    std::os::unix::fs::chown(&file.path, Some(0), Some(65_534))?;
    let _run = file.run(&mut isnguard)?;
    let listed = json(&isnguard, "policy list")?;
    ensure!(
        listed["rules"][0]["origin"] == "file" && listed["rules"][0]["line"] == 7,
        "{listed}"
    );

    done(&isnguard, "policy add 192.0.2.0/24,port=80,mode=observe")?;
    ensure!(rules(&isnguard)? == ["10.0.0.0/8 all monotonic", "192.0.2.0/24 80 observe"]);
    ensure!(json(&isnguard, "policy list")?["rules"][1]["origin"] == "run-time");
    ensure!(
        !file.text()?.contains("192.0.2.0"),
        "it was not asked to be kept"
    );
    let told = done(&isnguard, "policy del 192.0.2.0/24 --dry-run")?;
    ensure!(
        told.contains("- protect 192.0.2.0/24") && told.contains("nothing was changed"),
        "{told}"
    );

    done(
        &isnguard,
        "policy add 10.0.0.0/8,port=102,mode=off 10.9.0.0/16,mode=keyed --persist --dry-run",
    )
    .err()
    .context("there is no key")?;
    done(
        &isnguard,
        "policy add 10.0.0.0/8,port=102,mode=off 10.9.0.0/16 --persist",
    )?;
    let text = file.text()?;
    for words in [
        "# The gateway\n",
        "# The plant\n",
        " # all of it\n",
        "# the end",
        "ports = [\"102\"]\nmode = \"off\"",
    ] {
        ensure!(text.contains(words), "{words}: {text}");
    }
    let about = fs::metadata(&file.path)?;
    ensure!((about.mode() & 0o7777, about.uid(), about.gid()) == (0o640, 0, 65_534));
    ensure_only(
        file.path.parent().context("no directory")?,
        &["gateway.toml"],
    )?;

    // What was not kept goes with the next reload, and what was kept is no difference.
    let said = done(&isnguard, "config reload")?;
    ensure!(
        said.contains("protect: - 192.0.2.0/24 ports 80 observe"),
        "{said}"
    );
    let kept = [
        "10.0.0.0/8 102 off",
        "10.0.0.0/8 all monotonic",
        "10.9.0.0/16 all monotonic",
    ];
    ensure!(rules(&isnguard)? == kept, "{:?}", rules(&isnguard)?);
    done(
        &isnguard,
        "policy del 10.9.0.0/16 10.0.0.0/8,port=102 --persist",
    )?;
    let said = done(&isnguard, "config reload")?;
    ensure!(said.contains("nothing had changed"), "{said}");
    ensure!(rules(&isnguard)? == ["10.0.0.0/8 all monotonic"]);
    Ok(())
}

#[test]
fn an_import_is_all_or_nothing() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let file = File::new("")?;
    let _run = file.run(&mut isnguard)?;
    let everything = ["0.0.0.0/0 all monotonic", "::/0 all monotonic"];
    ensure!(rules(&isnguard)? == everything);
    ensure!(json(&isnguard, "policy list")?["rules"][0]["origin"] == "default");
    let list = file.path.with_file_name("rules");
    let import = |more: &str| format!("policy import {} {more}", list.display());
    fs::write(&list, "10.0.0.0/8\n10.0.0.1/8\n # fine\n::/0,color=red\n")?;
    let said = [
        "rules:2:1: `10.0.0.1/8` has bits",
        "rules:4:1: `color=red`",
        "nothing was changed: 2 errors",
    ];
    refused(&isnguard, &import("--persist"), &said)?;
    let nine: Vec<String> = (1..=9)
        .map(|port| format!("10.0.0.0/8,port={port}"))
        .collect();
    fs::write(&list, format!("192.0.2.0/24\n{}\n", nine.join("\n")))?;
    refused(
        &isnguard,
        &import("--persist"),
        &["more than 8 port ranges"],
    )?;
    fs::write(&list, "10.0.0.0/8,mode=off\n")?;
    refused(
        &isnguard,
        &import("--replace"),
        &["no rule of it guards anything"],
    )?;
    ensure!(rules(&isnguard)? == everything && !file.text()?.contains("protect"));

    // A file without rules means everything; with its first rule it must still.
    fs::write(
        &list,
        "10.0.0.0/8,mode=off # the office\n2001:db8::/32,port=1-5\n",
    )?;
    done(&isnguard, &import("--persist"))?;
    let all = [
        "0.0.0.0/0 all monotonic",
        "10.0.0.0/8 all off",
        "::/0 all monotonic",
        "2001:db8::/32 1-5 monotonic",
    ];
    ensure!(rules(&isnguard)? == all, "{:?}", rules(&isnguard)?);
    ensure!(done(&isnguard, "config reload")?.contains("nothing had changed"));

    fs::write(&list, "192.0.2.0/24\n")?;
    done(&isnguard, &import("--replace --persist"))?;
    ensure!(rules(&isnguard)? == ["192.0.2.0/24 all monotonic"]);
    ensure!(done(&isnguard, "config reload")?.contains("nothing had changed"));
    refused(
        &isnguard,
        "policy del 192.0.2.0/24",
        &["no rule of it guards anything", "isnguard detach"],
    )?;
    refused(
        &isnguard,
        "policy del 192.0.2.0/24,mode=off",
        &["whatever their mode", "policy add"],
    )?;
    refused(
        &isnguard,
        "policy del 10.0.0.0/8",
        &["there is no rule for 10.0.0.0/8", "policy list"],
    )
}

#[test]
fn what_is_taken_out_is_left_alone_and_the_rest_is_not() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    for family in Family::ALL {
        let servers =
            [PEER_PORT, OTHER_PORT].map(|port| Server::listen(&lab.peer, family.peer(port)));
        let [server, other] = servers;
        let (server, other) = (server?, other?);
        let mut isnguard = Isnguard::new(&lab.gateway)?;
        attached_without_file(&mut isnguard, &[])?;
        let connection = translated(&lab, &server, PORT)?;
        let prefix = family.protected();
        done(
            &isnguard,
            &format!("policy add {prefix},port={OTHER_PORT},mode=off"),
        )?;
        let cured = translated(&lab, &server, PORT + 1)?;
        one_life(&lab, &other, PORT + 2, FIRST_ISN)?;
        ensure_hangs(&lab, &other, PORT + 2, LOWER_ISN, HANGS)?;
        done(&isnguard, &format!("policy del {prefix},port={OTHER_PORT}"))?;
        let back = translated(&lab, &other, PORT + 3)?;

        // One host of a guarded network, by its own prefix.
        let host = family.host(0).ip();
        done(&isnguard, &format!("policy add {host},mode=off"))?;
        one_life(&lab, &server, PORT + 4, FIRST_ISN)?;
        ensure_hangs(&lab, &server, PORT + 4, LOWER_ISN, HANGS)?;
        for open in [connection, cured, back] {
            open.exchange(64 * KIB, 1)?;
            open.close()?;
        }
    }
    Ok(())
}

#[test]
fn what_would_break_keyed_connections_is_refused_and_the_file_stays() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let key = KeyFile::random()?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let path = key.path().display();
    let file = File::new(&format!(
        "key-file = \"{path}\"\nadopt = 0\n{}",
        guarded("mode = \"keyed\"")
    ))?;
    let _run = file.run(&mut isnguard)?;
    let keyed = Connection::open(&lab, &server, PORT, FIRST_ISN)?;
    let offset = key.offset(host_end(&server, PORT), server.address());
    ensure!(super::offset(&isnguard, &server, PORT)? == offset);

    let before = file.text()?;
    let widen = "policy add 203.0.113.0/24,mode=keyed";
    refused(
        &isnguard,
        &format!("{widen} --persist"),
        &[
            "cannot make more connections keyed",
            "others are keyed already",
            "--adopt 0",
        ],
    )?;
    ensure!(file.text()? == before && rules(&isnguard)?.len() == 2);
    done(&isnguard, &format!("{widen} --adopt 0"))?;

    // No longer keyed: what is open keeps its F.
    file.say(&guarded(""))?;
    done(&isnguard, "config reload")?;
    ensure!(isnguard.status()?["mode"] == "monotonic");
    keyed.exchange(MIB, 1)?;
    ensure!(super::offset(&isnguard, &server, PORT)? == offset);
    let plain = Connection::open(&lab, &server, PORT + 1, FIRST_ISN)?;
    ensure!(super::offset(&isnguard, &server, PORT + 1)? == 0);
    for open in [keyed, plain] {
        open.exchange(64 * KIB, 2)?;
        open.close()?;
    }
    Ok(())
}
