//! A change of policy, killed before each of its system calls that leave something behind: every connection goes on, the file is the
//! old one or the new one, and whoever comes next finishes it (S19).

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    family::Family,
    gateway::Isnguard,
    interrupted::{Interrupted, kill_before},
    scenario::Connection,
    server::Server,
    topology::{Lab, LabOptions},
};
use nix::sys::signal::Signal;

use super::*;

/// More than a change makes: one that never ends is a failure.
const MOST_CALLS: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Healer {
    Attach,
    Import,
}

fn once(lab: &Lab, server: &Server, port: u16, nth: usize, healer: Healer) -> Result<Interrupted> {
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.touch();
    let small = "max-flows = 1024\nmax-history = 1024\n";
    let file = File::new(&format!("{small}\n# ours\n{}", guarded("")))?;
    let attach = format!("attach --config {}", file.name()?);
    done(&isnguard, &attach)?;
    let open = translated(lab, server, port)?;
    let list = file.path.with_file_name("rules");
    // Nested, and one takes the place of another: the order of writes matters.
    let host = Family::V4.host(0).ip();
    let network = Family::V4.protected();
    fs::write(
        &list,
        format!("{host},mode=observe\n{network},mode=observe\n10.9.0.0/16\n::/0,mode=off\n"),
    )?;
    let list = list.to_str().context("no text")?;
    let (old_rules, old_text) = (rules(&isnguard)?, file.text()?);
    let words = ["import", list, "--replace", "--persist"];
    let killed = kill_before(isnguard.command("policy", &words)?, nth)?;
    if let Interrupted::Ended(code) = killed {
        ensure!(code == 0, "left alone, it ends with code {code}");
    }
    open.exchange(16 * KIB, 1)?;
    let (rules_now, text) = (rules(&isnguard)?, file.text()?);
    let is_whole = json(&isnguard, &format!("config check {}", file.name()?))?["valid"] == true;
    ensure!(is_whole && text.contains("# ours"), "{text}");
    if text == old_text {
        ensure!(
            rules_now == old_rules,
            "the maps were changed before the file: {rules_now:?}"
        );
    }
    match healer {
        Healer::Import => drop(done(
            &isnguard,
            &format!("policy import {list} --replace --persist"),
        )?),
        Healer::Attach => drop(done(&isnguard, &attach)?),
    }
    let after = rules(&isnguard)?;
    let is_new = after.iter().any(|rule| rule == "10.9.0.0/16 all monotonic");
    ensure!(
        after == old_rules || is_new && after.len() == 4,
        "{after:?}"
    );
    ensure!(
        is_new || healer == Healer::Attach && text == old_text,
        "it was not finished: {after:?}"
    );
    ensure!(
        done(&isnguard, &format!("config diff --config {}", file.name()?))?
            .contains("no difference")
    );
    open.exchange(16 * KIB, 2)?;
    open.close()?;
    isnguard.detach_by_force()?;
    Ok(killed)
}

fn every_instant(healer: Healer) -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    for nth in 0..MOST_CALLS {
        let port = PORT + u16::try_from(nth)?;
        let killed = once(&lab, &server, port, nth, healer)
            .with_context(|| format!("killed before its lasting call {nth}, then {healer:?}"))?;
        if !matches!(killed, Interrupted::Before(_)) {
            println!("{nth} instants, each put right by {healer:?}");
            ensure!(nth > 5, "it was killed at {nth} instants only");
            return Ok(());
        }
    }
    anyhow::bail!("it makes more than {MOST_CALLS} lasting calls")
}

#[test]
fn an_import_that_is_killed_is_finished_by_the_next() -> Result<()> {
    every_instant(Healer::Import)
}

#[test]
fn an_import_that_is_killed_is_finished_by_attach() -> Result<()> {
    every_instant(Healer::Attach)
}

#[test]
fn a_process_that_is_killed_while_it_reloads_leaves_it_to_the_next() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let server = Server::listen(&lab.peer, Family::V4.peer(PEER_PORT))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let many = |mode: &str| -> String {
        let rule =
            |nth: u16| format!("[[protect]]\nprefix = \"10.{nth}.0.0/16\"\nmode = \"{mode}\"\n");
        guarded("") + &(0..200).map(rule).collect::<String>()
    };
    let file = File::new(&many("observe"))?;
    let mut run = file.run(&mut isnguard)?;
    let open: Connection = translated(&lab, &server, PORT)?;
    for (nth, mode) in ["monotonic", "observe", "off", "observe"]
        .into_iter()
        .enumerate()
    {
        file.say(&many(mode))?;
        run.signal(Signal::SIGHUP)?;
        // It may have begun by now, or not, or have done it all.
        let seed = u64::try_from(nth)?;
        open.exchange(KIB << nth, seed)?;
        run.signal(Signal::SIGKILL)?;
        run.wait(PATIENCE)?;
        open.exchange(64 * KIB, seed)?;
        for rule in rules(&isnguard)? {
            let is_one = ["monotonic", "observe", "off"]
                .iter()
                .any(|it| rule.ends_with(it));
            ensure!(is_one && rule.contains(" all "), "{rule}");
        }
        run = file.run(&mut isnguard)?;
        let now = rules(&isnguard)?;
        let changed = now
            .iter()
            .filter(|it| it.starts_with("10.") && it.ends_with(mode));
        ensure!(changed.count() >= 199, "{now:?}");
        ensure!(isnguard.status()?["healthy"] == true);
    }
    open.exchange(64 * KIB, 9)?;
    open.close()
}
