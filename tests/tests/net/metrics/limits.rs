//! Those who ask badly: many, slowly, at length; a port that is taken; a process that is killed.

use std::io::Write as _;

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    http, process,
    topology::{Lab, LabOptions},
    wait,
};

use super::{PATIENCE, PORT, get, loopback, scrape, setup, start, traffic};

/// Who is answered at a time.
const PLACES: usize = 16;
const NOT_RUNNING: i32 = 4;

#[test]
fn those_who_are_slow_are_cut_off_and_more_than_there_is_room_for_are_told() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let run = start(&mut isnguard)?;
    let to = loopback(PORT)[0];
    let mut slow = Vec::new();
    for _ in 0..PLACES {
        let mut stream = http::connect(&lab.gateway, to)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nX-Slow: ")?;
        slow.push(stream);
    }
    // All places are taken once these have been accepted, in their order.
    let refused = get(&lab, "/metrics")?;
    ensure!(
        refused.status == 503 && refused.body.contains("too many connections"),
        "{refused:?}"
    );
    // The data plane and the keeper of the tables do not care.
    traffic(&lab, 41_000)?;
    for mut stream in slow {
        // An octet now and then does not help them.
        let _ = stream.write_all(b"x");
        let mut rest = Vec::new();
        let read = std::io::Read::read_to_end(&mut stream, &mut rest);
        ensure!(
            !rest.starts_with(b"HTTP/1.1 200"),
            "{read:?} {}",
            String::from_utf8_lossy(&rest)
        );
    }
    let told = wait::until(PATIENCE, "a free place", || Ok(scrape(&lab).ok()))?;
    ensure!(told["isnguard_metrics_refused_total"] > 0.5, "{told:?}");
    run.ask_to_go()
}

#[test]
fn requests_without_end_are_refused() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let _run = start(&mut isnguard)?;
    let to = loopback(PORT)[0];
    let long = format!("X-Long: {}", "x".repeat(64 << 10));
    let many: Vec<String> = (0..200).map(|nth| format!("X-{nth}: y")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for headers in [&[&*long][..], &many] {
        // Where more was sent than is ever read, the answer may be lost with the connection.
        if let Ok(answer) = http::ask(&lab.gateway, to, "GET /metrics", headers) {
            ensure!(answer.status == 431, "{answer:?}");
        }
    }
    for garbage in ["\u{1}\u{2}", "\r\n\r\n", "GET\r\n"] {
        let mut stream = http::connect(&lab.gateway, to)?;
        stream.write_all(garbage.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let answer = http::answer(&mut stream);
        ensure!(
            answer.as_ref().map_or(true, |it| it.status == 400),
            "{answer:?}"
        );
    }
    ensure!(get(&lab, "/healthz")?.status == 200);
    Ok(())
}

#[test]
fn a_port_that_is_taken_ends_run_before_anything_is_attached() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let taken = lab
        .gateway
        .enter(|| std::net::TcpListener::bind(loopback(PORT)[1]))?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    isnguard.touch();
    let refused = process::run_to_end(isnguard.command("run", &setup().arguments())?)?;
    ensure!(refused.status.code() == Some(1), "{refused:?}");
    for words in [
        "cannot serve metrics on [::1]:9464",
        "Address already in use",
        "what to do: ",
        "nothing was attached",
    ] {
        ensure!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    let status = process::run_to_end(isnguard.command("status", &[])?)?;
    ensure!(
        status.status.code() == Some(NOT_RUNNING) && !isnguard.pins().exists(),
        "{status:?}"
    );
    drop(taken);
    start(&mut isnguard)?.ask_to_go()
}

#[test]
fn after_a_kill_the_next_run_serves_at_once_and_counters_go_on() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let run = start(&mut isnguard)?;
    traffic(&lab, 42_000)?;
    let open = http::connect(&lab.gateway, loopback(PORT)[0])?;
    let before = scrape(&lab)?["isnguard_syn_seen_total"];
    run.kill()?;
    ensure!(get(&lab, "/metrics").is_err());
    drop(open);
    let run = start(&mut isnguard)?;
    let after = scrape(&lab)?["isnguard_syn_seen_total"];
    ensure!(
        (after - before).abs() < 0.1 && before > 3.5,
        "{before}, then {after}"
    );
    // One who is silent does not hold up the end.
    let _silent = http::connect(&lab.gateway, loopback(PORT)[1])?;
    run.ask_to_go()
}
