//! Lines that are understood, and lines that are not.

mod help;
mod reference;

use clap::CommandFactory as _;

use super::*;

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn usage_errors_are_found_while_parsing() {
    let wrong: [&[&str]; 27] = [
        &["policy", "add"],
        &["policy", "add", "10.0.0.1/8"],
        &["policy", "del", "10.0.0.0/8,port=0"],
        &["config"],
        &["config", "reload", "--timeout", "0"],
        &["attach", "--protect", "10.0.0.1/8"],
        &["attach", "--protect", "plant"],
        &["attach", "--mode", "locked"],
        &["attach", "--hook", "ebpf"],
        &["attach", "--history", "0"],
        &["attach", "--max-flows", "0"],
        &["attach", "--on-full", "wait"],
        &["status", "--instance", "a.b"],
        &["detach", "--drain", "--force"],
        &["flows", "--host", "plant"],
        &["stats", "--watch=0"],
        &["snapshot"],
        &["snapshot", "save"],
        &["snapshot", "load", "f", "--max-flows", "0"],
        &["key"],
        &["key", "rotate", "--adopt", "-1"],
        &["attach", "--adopt", "forever"],
        &["explain", "192.0.2.1:80"],
        &["explain", "192.0.2.1", "198.51.100.1:80"],
        &["monitor", "--reason", "whim"],
        &["top", "--interval", "0"],
        &["frobnicate"],
    ];
    for arguments in wrong {
        let line = ["isnguard"].iter().chain(arguments);
        assert!(Cli::try_parse_from(line).is_err(), "{arguments:?}");
    }
}

#[test]
fn the_lines_of_the_manual_are_understood() {
    let right: [&[&str]; 21] = [
        &["run", "--config", "f", "--mode", "observe"],
        &["config", "check", "f", "--json"],
        &["config", "diff", "--config", "f", "--history", "9"],
        &[
            "policy",
            "add",
            "::/0,mode=off",
            "--persist",
            "--config",
            "f",
        ],
        &["policy", "import", "-", "--replace", "--dry-run"],
        &["explain", "192.0.2.1:80", "[2001:db8::1]:80", "--vlan", "7"],
        &["monitor", "--host", "192.0.2.0/24", "--reason", "one-way"],
        &["top", "--interval", "0.5"],
        &["run"],
        &[
            "attach",
            "--inside",
            "eth1",
            "--inside",
            "eth2",
            "--protect",
            "10.0.0.0/8,port=102",
        ],
        &[
            "attach",
            "--outside",
            "eth0",
            "--hook",
            "xdp-generic",
            "--mode",
            "observe",
        ],
        &[
            "run",
            "--history",
            "60",
            "--max-flows",
            "9",
            "--max-history",
            "9",
            "--on-full",
            "drop",
        ],
        &[
            "attach",
            "--mode",
            "keyed",
            "--key-file",
            "k",
            "--adopt",
            "0",
        ],
        &["key", "status", "--json"],
        &["key", "rotate", "--from", "f", "--adopt", "60", "--force"],
        &["detach", "--drain"],
        &["snapshot", "save", "f", "--json", "--instance", "x"],
        &["snapshot", "load", "--consume", "f", "--max-history", "9"],
        &["detach", "--drain=5", "--instance", "x"],
        &["stats", "--watch", "--json"],
        &[
            "flows",
            "--host",
            "192.0.2.1",
            "--translated",
            "--limit",
            "5",
        ],
    ];
    for arguments in right {
        let line = ["isnguard"].iter().chain(arguments);
        assert!(Cli::try_parse_from(line).is_ok(), "{arguments:?}");
    }
}

/// Lines of its blocks that begin with the program's name, and the same in the running text.
fn lines_of(page: &str) -> Vec<Vec<&str>> {
    let blocks = page.split("```").skip(1).step_by(2).flat_map(str::lines);
    let inline = page.split('`').skip(1).step_by(2);
    let lines = blocks.chain(inline).map(str::trim);
    let own = lines.filter(|line| line.starts_with("isnguard ") && !line.contains('\n'));
    own.map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn the_lines_of_the_page_on_troubles_are_understood() {
    let lines = lines_of(include_str!("../../../docs/troubleshooting.md"));
    assert!(lines.len() > 15, "{lines:?}");
    for line in lines {
        let parsed = Cli::try_parse_from(&line);
        assert!(parsed.is_ok(), "{line:?}: {:?}", parsed.err());
    }
}
