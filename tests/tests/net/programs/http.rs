//! HTTP: Python's server and curl. A file comes down as it is.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::{Result, ensure};
use isn_tests::{
    family::Family,
    namespace::Namespace,
    setup::{Hook, Placement},
};

use super::trial::{Service, serves, some_bytes};

struct Http;

impl Service for Http {
    fn server(&self, peer: &Namespace, dir: &Path, at: SocketAddr) -> Result<Command> {
        let root = dir.join("root");
        fs::create_dir(&root)?;
        fs::write(root.join("file"), some_bytes())?;
        let mut command = peer.command("python3")?;
        command.args(["-m", "http.server", &at.port().to_string()]);
        command.args(["--bind", &at.ip().to_string(), "--directory"]);
        command.arg(root);
        Ok(command)
    }

    fn client(&self, host: &Namespace, _: &Path, at: SocketAddr) -> Result<(Command, Vec<u8>)> {
        let mut command = host.command("curl")?;
        command.args(["--disable", "--noproxy", "*", "--silent", "--show-error"]);
        command.args(["--fail", &format!("http://{at}/file")]);
        Ok((command, Vec::new()))
    }

    fn judge(&self, answer: &[u8]) -> Result<()> {
        ensure!(
            answer == some_bytes(),
            "{} octets arrived, not those of the file",
            answer.len()
        );
        Ok(())
    }
}

#[test]
fn http_inside_at_tc() -> Result<()> {
    serves(&Http, Family::V6, Placement::Inside, Hook::Tc)
}

#[test]
fn http_outside_at_xdp() -> Result<()> {
    serves(&Http, Family::V4, Placement::Outside, Hook::Xdp)
}
