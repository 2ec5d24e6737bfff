//! OpenSSH: a server and a client with keys and configurations of their own. What goes up comes back down.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::{Result, ensure};
use isn_tests::{
    family::Family,
    namespace::Namespace,
    process::run,
    setup::{Hook, Placement},
};

use super::trial::{Service, serves, some_bytes, write};

/// Started by its absolute path, without which it refuses to run.
const SSHD: &str = "/usr/sbin/sshd";

struct Ssh;

/// Makes a key pair; the public half as one line.
fn key(dir: &Path, name: &str) -> Result<String> {
    let path = dir.join(name);
    let mut command = Command::new("ssh-keygen");
    command
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&path);
    run(command)?;
    Ok(fs::read_to_string(path.with_extension("pub"))?)
}

impl Service for Ssh {
    fn server(&self, peer: &Namespace, dir: &Path, at: SocketAddr) -> Result<Command> {
        // Where the server locks itself in; a service manager makes it otherwise.
        fs::create_dir_all("/run/sshd")?;
        let (server, user) = (key(dir, "server")?, key(dir, "user")?);
        write(dir, "known", &format!("the-peer {server}"))?;
        let keys = write(dir, "authorized", &user)?;
        let lines = [
            format!("ListenAddress {at}"),
            format!("HostKey {}", dir.join("server").display()),
            format!("AuthorizedKeysFile {keys}"),
            "PidFile none".to_owned(),
            "StrictModes no".to_owned(),
            "UsePAM no".to_owned(),
            "PermitRootLogin prohibit-password".to_owned(),
        ];
        let config = write(dir, "sshd_config", &lines.join("\n"))?;
        let mut command = peer.command(SSHD)?;
        command.args(["-D", "-e", "-f", &config]);
        Ok(command)
    }

    fn client(&self, host: &Namespace, dir: &Path, at: SocketAddr) -> Result<(Command, Vec<u8>)> {
        let mut command = host.command("ssh")?;
        command.args(["-F", "none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]);
        command.args(["-o", "HostKeyAlias=the-peer", "-o", "IdentitiesOnly=yes"]);
        command.args([
            "-o",
            &format!("UserKnownHostsFile={}", dir.join("known").display()),
        ]);
        command.arg("-i").arg(dir.join("user"));
        command.args(["-p", &at.port().to_string(), "-l", "root"]);
        command.args([&at.ip().to_string(), "cat"]);
        Ok((command, some_bytes()))
    }

    fn judge(&self, answer: &[u8]) -> Result<()> {
        ensure!(
            answer == some_bytes(),
            "{} octets came back, not those that were sent",
            answer.len()
        );
        Ok(())
    }
}

#[test]
fn ssh_inside_at_xdp() -> Result<()> {
    serves(&Ssh, Family::V4, Placement::Inside, Hook::Xdp)
}

#[test]
fn ssh_outside_at_tc() -> Result<()> {
    serves(&Ssh, Family::V6, Placement::Outside, Hook::Tc)
}
