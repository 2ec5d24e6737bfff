//! A database: Redis and its own client. Many small questions, each awaiting its answer, and a large value both ways.

use std::{fmt::Write as _, net::SocketAddr, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use isn_tests::{
    family::Family,
    namespace::Namespace,
    setup::{Hook, Placement},
};

use super::trial::{Service, serves, some_bytes};

const SMALL: usize = 3000;

struct Redis;

/// A value of 2 MiB in letters and digits.
fn large() -> String {
    let mut text = String::new();
    for byte in &some_bytes()[..1 << 20] {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Service for Redis {
    fn server(&self, peer: &Namespace, dir: &Path, at: SocketAddr) -> Result<Command> {
        let mut command = peer.command("redis-server")?;
        command.args(["--port", &at.port().to_string()]);
        command.args(["--bind", &at.ip().to_string(), "--protected-mode", "no"]);
        command.args(["--save", "", "--daemonize", "no", "--loglevel", "warning"]);
        command.arg("--dir").arg(dir);
        Ok(command)
    }

    fn client(&self, host: &Namespace, _: &Path, at: SocketAddr) -> Result<(Command, Vec<u8>)> {
        let mut command = host.command("redis-cli")?;
        command.args(["-h", &at.ip().to_string(), "-p", &at.port().to_string()]);
        let mut script = format!("SET large {}\n", large());
        for number in 0..SMALL {
            writeln!(script, "INCRBY sum {number}")?;
        }
        script.push_str("GET large\n");
        Ok((command, script.into_bytes()))
    }

    fn judge(&self, answer: &[u8]) -> Result<()> {
        let answer = std::str::from_utf8(answer)?;
        let lines: Vec<&str> = answer.lines().collect();
        ensure!(lines.len() == SMALL + 2, "{} answers", lines.len());
        ensure!(lines[0] == "OK", "{}", lines[0]);
        let sum: usize = lines[SMALL].parse().context(lines[SMALL].to_owned())?;
        ensure!(sum == SMALL * (SMALL - 1) / 2, "the sum is {sum}");
        ensure!(lines[SMALL + 1] == large(), "the large value is another");
        Ok(())
    }
}

#[test]
fn database_inside_at_xdp() -> Result<()> {
    serves(&Redis, Family::V6, Placement::Inside, Hook::Xdp)
}

#[test]
fn database_outside_at_tc() -> Result<()> {
    serves(&Redis, Family::V4, Placement::Outside, Hook::Tc)
}
