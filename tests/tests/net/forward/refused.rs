//! Where forwarding in XDP is refused: what is asked for, what cannot work, and rules of the gateway that packets would go past.

use anyhow::{Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    process,
    setup::{Hook, Placement, Setup},
    topology::{Lab, LabOptions, OUTSIDE_IF},
};

use super::{Bench, forwarding};

/// Fails unless attaching like this is refused with these words, with nothing left behind.
fn ensure_refused(isnguard: &Isnguard, arguments: &[&str], words: &[&str]) -> Result<()> {
    let ended = process::run_to_end(isnguard.command("attach", arguments)?)?;
    ensure!(!ended.status.success(), "{arguments:?} is not refused");
    for word in words {
        ensure!(
            ended.stderr.contains(word),
            "{arguments:?} does not say {word:?}: {}",
            ended.stderr
        );
    }
    ensure!(
        !isnguard.pins().exists(),
        "{} is left",
        isnguard.pins().display()
    );
    Ok(())
}

#[test]
fn what_contradicts_itself() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    for (line, words) in [
        (
            "--forward --inside inside0",
            &["faces the peers", "--outside"][..],
        ),
        (
            "--forward --outside outside0",
            &["faces the hosts", "--inside"],
        ),
        (
            "--inside inside0 --outside outside0",
            &["translated twice", "--forward"],
        ),
        (
            "--forward --inside inside0 --outside outside0 --hook tc",
            &["native XDP alone", "--hook tc"],
        ),
        ("--forward-past-rules --inside inside0", &["--forward"]),
    ] {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        ensure_refused(&isnguard, &arguments, words)?;
    }
    Ok(())
}

#[test]
fn lines_that_take_no_redirected_frames_and_forwarding_switched_off() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let isnguard = Isnguard::new(&lab.gateway)?;
    let setup = forwarding();
    ensure_refused(
        &isnguard,
        &setup.arguments(),
        &["`inside0`", "XDP redirects", "other end"],
    )?;
    let bench = Bench::new()?;
    let isnguard = Isnguard::new(&bench.lab.gateway)?;
    bench.lab.gateway.set_sysctl("net/ipv4/ip_forward", "0")?;
    bench
        .lab
        .gateway
        .set_sysctl("net/ipv6/conf/all/forwarding", "0")?;
    ensure_refused(
        &isnguard,
        &setup.arguments(),
        &["does not forward", "net.ipv4.ip_forward=1"],
    )
}

/// What is to be there, and the words that name it.
type Rule = (&'static str, &'static [&'static str], &'static str);

const RULES: [Rule; 5] = [
    (
        "nft",
        &[
            "add table inet f; add chain inet f gate { type filter hook forward priority 0; policy drop; }; add rule inet f gate accept",
        ],
        "nft table inet f chain gate",
    ),
    (
        "nft",
        &[
            "flush ruleset; add table ip n; add chain ip n post { type nat hook postrouting priority 100; }; add rule ip n post masquerade",
        ],
        "nft table ip n chain post",
    ),
    (
        "ip",
        &["rule", "add", "fwmark", "7", "lookup", "100"],
        "fwmark",
    ),
    (
        "tc",
        &[
            "qdisc", "add", "dev", OUTSIDE_IF, "root", "tbf", "rate", "100mbit", "burst", "64k",
            "latency", "50ms",
        ],
        "tbf",
    ),
    ("tc", &["qdisc", "add", "dev", OUTSIDE_IF, "clsact"], ""),
];

#[test]
fn rules_that_packets_would_go_past_unless_told() -> Result<()> {
    let bench = Bench::new()?;
    let gateway = &bench.lab.gateway;
    let mut isnguard = Isnguard::new(gateway)?;
    let (setup, mut there) = (forwarding(), Vec::new());
    for (program, arguments, words) in RULES {
        if let Err(error) = gateway.run(program, arguments) {
            // A kernel without this queueing discipline.
            ensure!(program == "tc", "{error:#}");
            continue;
        }
        if words.is_empty() {
            continue;
        }
        there.retain(|other: &&str| !other.starts_with("nft") || program != "nft");
        there.push(words);
        let mut wanted = there.clone();
        wanted.push("--forward-past-rules");
        ensure_refused(&isnguard, &setup.arguments(), &wanted)?;
    }
    let doctor = process::run_to_end(isnguard.command("doctor", &setup.arguments())?)?;
    for words in &there {
        ensure!(doctor.stdout.contains(words), "{words}: {}", doctor.stdout);
    }
    isnguard.attach(&setup.with(&["--forward-past-rules"]))?;
    ensure!(isnguard.status()?["healthy"] == true);
    Ok(())
}

/// Attached the one way, it is not attached the other way beside it.
#[test]
fn an_instance_that_is_attached_otherwise() -> Result<()> {
    let bench = Bench::new()?;
    let mut isnguard = Isnguard::new(&bench.lab.gateway)?;
    isnguard.attach(&Setup::new(Placement::Inside, Hook::Xdp))?;
    let again = process::run_to_end(isnguard.command("attach", &forwarding().arguments())?)?;
    ensure!(
        again.stderr.contains("attached without --forward"),
        "{}",
        again.stderr
    );
    isnguard.detach_by_force()?;
    isnguard.attach(&forwarding())?;
    let inside = Setup::new(Placement::Inside, Hook::Xdp);
    let again = process::run_to_end(isnguard.command("attach", &inside.arguments())?)?;
    ensure!(
        again.stderr.contains("attached to `outside0` too"),
        "{}",
        again.stderr
    );
    ensure!(isnguard.status()?["healthy"] == true);
    Ok(())
}
