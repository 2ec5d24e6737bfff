//! Runs commands, always saying which: in the workspace, with one target directory, and with cargo's own programs
//! and the system ones on the search path.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, Read as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;

use crate::command::CommandLine;

/// Lines of a failed command's output that are shown.
const TAIL: usize = 40;

/// Where tools live that an ordinary user's search path leaves out.
const SYSTEM_DIRS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The surroundings in which commands run.
pub struct Shell {
    path: OsString,
    cargo_home: Option<PathBuf>,
    workspace: PathBuf,
    target: PathBuf,
}

impl Shell {
    /// The workspace around the current directory, and the target directory cargo uses for it.
    pub fn in_workspace() -> Result<Self> {
        let metadata = Command::new("cargo")
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start `cargo metadata` to find the workspace")?;
        if !metadata.status.success() {
            bail!(
                "`cargo metadata` failed; run this inside the workspace, whose manifests must be sound"
            );
        }
        let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
        let directory = |key: &str| {
            metadata[key]
                .as_str()
                .map(PathBuf::from)
                .ok_or_else(|| anyhow!("`cargo metadata` names no {key}"))
        };
        Ok(Self {
            path: search_path(env::var_os("PATH"), cargo_home())?,
            cargo_home: cargo_home(),
            workspace: directory("workspace_root")?,
            target: directory("target_directory")?,
        })
    }

    /// The root of the workspace.
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// Where cargo puts what it builds.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where cargo keeps what it fetches.
    pub fn cargo_home(&self) -> Option<&Path> {
        self.cargo_home.as_deref()
    }

    /// A program that the release profile builds.
    pub fn release_program(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// A program that the ordinary profile builds.
    pub fn debug_program(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// Where the search path has this program.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        which::which_in(program, Some(&self.path), &self.workspace).ok()
    }

    /// Whether the search path has this program.
    pub fn has(&self, program: &str) -> bool {
        self.find(program).is_some()
    }

    /// What a command prints to standard output, unless it fails. Not shown: it changes nothing.
    pub fn ask(&self, line: &CommandLine) -> Option<String> {
        let output = self
            .question(line)
            .ok()
            .filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The octets that a command prints to standard output, unless it fails.
    pub fn ask_octets(&self, line: &CommandLine) -> Option<Vec<u8>> {
        let output = self.question(line).ok()?;
        output.status.success().then_some(output.stdout)
    }

    /// What a command prints to standard output even though it may fail; empty if it cannot be started.
    pub fn ask_all(&self, line: &CommandLine) -> String {
        let output = self
            .question(line)
            .map(|output| output.stdout)
            .unwrap_or_default();
        String::from_utf8_lossy(&output).into_owned()
    }

    fn question(&self, line: &CommandLine) -> io::Result<Output> {
        self.command(line)
            // A question about a toolchain must not download that toolchain.
            .env("RUSTUP_AUTO_INSTALL", "0")
            .stdin(Stdio::null())
            .output()
    }

    /// Runs a command in full view.
    pub fn run(&self, line: &CommandLine) -> Result<()> {
        eprintln!("$ {line}");
        let status = self.command(line).status();
        verdict(line, status.with_context(|| cannot_start(line))?)
    }

    /// Runs a command whose output matters only when it fails; then its end is shown.
    pub fn run_quietly(&self, line: &CommandLine) -> Result<()> {
        eprintln!("$ {line}");
        let started = Instant::now();
        let (mut reader, writer) = io::pipe().context("cannot make a pipe")?;
        let mut command = self.command(line);
        command.stdin(Stdio::null());
        command.stdout(writer.try_clone()?).stderr(writer);
        let mut child = command.spawn().with_context(|| cannot_start(line))?;
        // It holds the writing ends of the pipe, and reading stops only when all are closed.
        drop(command);
        let mut output = Vec::new();
        reader.read_to_end(&mut output)?;
        let status = child.wait()?;
        if status.success() {
            eprintln!("  done in {} s", started.elapsed().as_secs());
        } else {
            eprintln!("{}", tail(&String::from_utf8_lossy(&output), TAIL));
        }
        verdict(line, status)
    }

    /// Becomes the command, in the caller's own directory. Returns only if that fails.
    pub fn exec(&self, line: &CommandLine) -> anyhow::Error {
        eprintln!("$ {line}");
        let mut command = self.command(line);
        if let Ok(here) = env::current_dir() {
            command.current_dir(here);
        }
        anyhow::Error::new(command.exec()).context(cannot_start(line))
    }

    fn command(&self, line: &CommandLine) -> Command {
        let mut command = Command::new(&line.program);
        command
            .args(&line.args)
            .current_dir(line.dir.as_ref().unwrap_or(&self.workspace))
            .env("PATH", &self.path)
            .env("CARGO_TARGET_DIR", &self.target)
            .envs(line.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn cannot_start(line: &CommandLine) -> String {
    format!("cannot start `{}`", line.program.display())
}

fn verdict(line: &CommandLine, status: ExitStatus) -> Result<()> {
    if status.success() {
        Ok(())
    } else {
        Err(anyhow!("`{line}` failed ({status})"))
    }
}

fn cargo_home() -> Option<PathBuf> {
    let beside_home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(beside_home)
}

/// Cargo's programs first, because a distribution's cargo knows no `+toolchain`; the system ones last.
fn search_path(path: Option<OsString>, cargo_home: Option<PathBuf>) -> Result<OsString> {
    let cargo = cargo_home.map(|home| home.join("bin"));
    let path = path.unwrap_or_default();
    let mut dirs: Vec<PathBuf> = Vec::new();
    let known = env::split_paths(&path).filter(|dir| dir != OsStr::new(""));
    for dir in cargo
        .into_iter()
        .chain(known)
        .chain(SYSTEM_DIRS.map(PathBuf::from))
    {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    env::join_paths(dirs).context("CARGO_HOME cannot be put on PATH")
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let hidden = all.len().saturating_sub(lines);
    let mut shown: Vec<String> = all[hidden..]
        .iter()
        .map(|line| format!("  | {line}"))
        .collect();
    if hidden > 0 {
        shown.insert(0, format!("  | … {hidden} lines before"));
    }
    shown.join("\n")
}

#[cfg(test)]
mod tests;
