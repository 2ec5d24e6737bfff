//! Interfaces that are deleted and made anew, get another name, go down and up, or carry larger frames.

use std::thread;

use anyhow::{Result, anyhow, ensure};
use isn_tests::{
    gateway::Isnguard,
    hooks::ensure_single,
    scenario::host_end,
    setup::{Hook, Setup},
    topology::INSIDE_IF,
};

use super::{Bench, KIB, PORT, Run, exit_code, inside, whole};

const DEGRADED: Option<i32> = Some(3);

fn made_anew(setup: &Setup) -> Result<()> {
    let bench = Bench::new()?;
    let mut isnguard = Isnguard::new(&bench.lab.gateway)?;
    let mut run = Run::start(&mut isnguard, setup)?;
    let connection = bench.translated(PORT)?;
    let offset = bench.offset(&isnguard)?;
    let before = whole(&isnguard)?;
    for round in 1..=2 {
        bench.lab.unplug()?;
        run.says("interface `inside0` is gone")?;
        ensure!(exit_code(&isnguard)? == DEGRADED, "{}", isnguard.status()?);
        bench.lab.plug()?;
        run.says("`inside0` is another interface now")?;
        let after = whole(&isnguard)?;
        ensure!(
            after["ifindex"] != before["ifindex"] && after["hook"] == before["hook"],
            "{before} became {after}"
        );
        ensure!(after["reason"] == before["reason"] && after["tc_flavour"] == before["tc_flavour"]);
        ensure_single(&bench.lab, INSIDE_IF, setup.hook)?;
        connection.exchange(64 * KIB, round)?;
        ensure!(bench.offset(&isnguard)? == offset, "the flow was lost");
    }
    // The next one is translated too, and nothing is left of those that are gone.
    bench.translated(PORT + 1)?.close()?;
    ensure!(std::fs::read_dir(isnguard.pins().join("links"))?.count() == 2);
    ensure!(std::fs::read_dir(isnguard.pins().join("notes"))?.count() == 1);
    connection.close()
}

#[test]
fn an_interface_that_is_made_anew_is_attached_to_again() -> Result<()> {
    made_anew(&inside(Hook::Xdp))?;
    made_anew(&inside(Hook::Tc))?;
    made_anew(&inside(Hook::Tc).with(&["--tc-flavour", "clsact"]))
}

#[test]
fn an_interface_that_came_back_while_no_process_stayed_is_attached_to_by_the_next() -> Result<()> {
    for verb in ["attach", "run"] {
        let bench = Bench::new()?;
        let mut isnguard = Isnguard::new(&bench.lab.gateway)?;
        isnguard.attach(&inside(Hook::Xdp))?;
        let connection = bench.translated(PORT)?;
        let offset = bench.offset(&isnguard)?;
        bench.lab.unplug()?;
        bench.lab.plug()?;
        let status = isnguard.status()?;
        let problems = status["problems"].to_string();
        ensure!(
            exit_code(&isnguard)? == DEGRADED && problems.contains("another interface now"),
            "{status}"
        );
        let mut runs = None;
        if verb == "run" {
            let mut command = isnguard.command("run", &[])?;
            command.stdout(std::process::Stdio::null());
            runs = Some(isn_tests::process::Process::spawn(command)?);
        } else {
            isnguard.verb("attach", &[])?;
        }
        let attached = whole(&isnguard)?;
        ensure!(attached["hook"] == "xdp", "{attached}");
        ensure_single(&bench.lab, INSIDE_IF, Hook::Xdp)?;
        connection.exchange(64 * KIB, 1)?;
        ensure!(bench.offset(&isnguard)? == offset);
        drop(runs);
        connection.close()?;
    }
    Ok(())
}

#[test]
fn a_new_name_is_followed() -> Result<()> {
    for hook in [Hook::Xdp, Hook::Tc] {
        let bench = Bench::new()?;
        let gateway = &bench.lab.gateway;
        let mut isnguard = Isnguard::new(gateway)?;
        let mut run = Run::start(&mut isnguard, &inside(hook))?;
        let connection = bench.translated(PORT)?;
        let before = whole(&isnguard)?;
        gateway.run("ip", &["link", "set", INSIDE_IF, "down"])?;
        gateway.run("ip", &["link", "set", INSIDE_IF, "name", "lan7"])?;
        gateway.run("ip", &["link", "set", "lan7", "up"])?;
        run.says("`inside0` is called `lan7` now")?;
        let after = whole(&isnguard)?;
        ensure!(
            after["interface"] == "lan7" && after["program_id"] == before["program_id"],
            "{before} became {after}"
        );
        connection.exchange(64 * KIB, 1)?;
        // The note has followed: the name it has now is the one that counts when it comes back.
        bench.lab.gateway.run("ip", &["link", "del", "lan7"])?;
        run.says("interface `lan7` is gone")?;
        bench.lab.plug()?;
        ensure!(exit_code(&isnguard)? == DEGRADED);
        gateway.run("ip", &["link", "set", INSIDE_IF, "down"])?;
        gateway.run("ip", &["link", "set", INSIDE_IF, "name", "lan7"])?;
        gateway.run("ip", &["link", "set", "lan7", "up"])?;
        run.says("`lan7` is another interface now")?;
        whole(&isnguard)?;
        ensure_single(&bench.lab, "lan7", hook)?;
        connection.exchange(64 * KIB, 2)?;
        connection.close()?;
    }
    Ok(())
}

#[test]
fn down_and_up_and_another_mtu_change_nothing() -> Result<()> {
    for hook in [Hook::Xdp, Hook::Tc] {
        let bench = Bench::new()?;
        let gateway = &bench.lab.gateway;
        let mut isnguard = Isnguard::new(gateway)?;
        let run = Run::start(&mut isnguard, &inside(hook))?;
        let connection = bench.translated(PORT)?;
        let flow = isnguard.flow(host_end(&bench.server, PORT))?;
        let before = whole(&isnguard)?;
        for round in 0..5 {
            let flapped = thread::scope(|scope| {
                let transfer = scope.spawn(|| connection.exchange(256 * KIB, round));
                gateway.run("ip", &["link", "set", INSIDE_IF, "down"])?;
                gateway.run("ip", &["link", "set", INSIDE_IF, "up"])?;
                let mtu = if round % 2 == 0 { "3000" } else { "2000" };
                gateway.run("ip", &["link", "set", INSIDE_IF, "mtu", mtu])?;
                transfer
                    .join()
                    .map_err(|_| anyhow!("the transfer panicked"))?
            });
            flapped?;
        }
        ensure!(
            whole(&isnguard)? == before,
            "{before} became {}",
            isnguard.status()?
        );
        ensure_single(&bench.lab, INSIDE_IF, hook)?;
        let after = isnguard.flow(host_end(&bench.server, PORT))?;
        ensure!(after == flow, "{flow:?} became {after:?}");
        ensure!(
            run.times("put back")? == 0 && run.times("gone")? == 0,
            "{}",
            run.log()?
        );
        connection.close()?;
    }
    Ok(())
}
