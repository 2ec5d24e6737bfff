//! A network namespace as a guard value: visible to `ip netns` and `nsenter` while it lives, gone when it is dropped.
//!
//! Only the network namespace is ever entered. `ip netns exec` would also mount a fresh /sys, behind which BPF pins vanish.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    panic,
    path::PathBuf,
    process::{Command, id},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sched::{CloneFlags, setns},
    unistd::geteuid,
};

use self::leftovers::NAMESPACE;
use crate::process;

pub mod leftovers;

static SERIAL: AtomicU32 = AtomicU32::new(0);

/// A network namespace with a name of its own, removed when dropped, after a panic too.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    handle: File,
    kept: bool,
}

impl Namespace {
    /// Makes a namespace; `role` becomes the end of its name. Needs root.
    pub fn new(role: &str) -> Result<Self> {
        ensure!(
            geteuid().is_root(),
            "making network namespaces needs root, and this process runs as uid {}: run it with sudo",
            geteuid()
        );
        leftovers::remove_once();
        let name = added(role)?;
        let path = path_of(&name);
        let handle =
            File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let namespace = Self {
            name,
            handle,
            kept: false,
        };
        namespace.run("ip", &["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// The name that `ip netns` knows it by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it, for `nsenter --net=`.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        path_of(&self.name)
    }

    /// Runs `work` on a thread inside the namespace. A socket made there stays there, whoever uses it later.
    ///
    /// # Panics
    /// Where the kernel refuses the namespace, and where `work` panics.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            setns(&self.handle, CloneFlags::CLONE_NEWNET).unwrap_or_else(|error| {
                panic!("cannot enter network namespace {}: {error}", self.name)
            });
            work()
        };
        thread::scope(|scope| scope.spawn(inside).join())
            .unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }

    /// A command that will run inside the namespace, with every mount of this process in sight.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Result<Command> {
        let handle = self
            .handle
            .try_clone()
            .with_context(|| format!("cannot duplicate the handle of {}", self.name))?;
        let mut command = Command::new(program);
        // SAFETY: between fork and exec the closure makes one system call on a descriptor it owns; it neither allocates nor locks.
        unsafe { command.pre_exec(move || Ok(setns(&handle, CloneFlags::CLONE_NEWNET)?)) };
        Ok(command)
    }

    /// Runs a program inside to its end and returns what it printed.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(program)?;
        command.args(arguments);
        process::run(command).with_context(|| format!("in network namespace {}", self.name))
    }

    /// Sets one of the namespace's own settings, `key` as below /proc/sys, for example `net/ipv4/ip_forward`.
    pub fn set_sysctl(&self, key: &str, value: &str) -> Result<()> {
        self.enter(|| fs::write(format!("/proc/sys/{key}"), value))
            .with_context(|| {
                format!(
                    "cannot set {key} to {value} in network namespace {}",
                    self.name
                )
            })
    }

    /// Reads one of the namespace's own files below /proc/net of a thread inside, for example `tcp`.
    pub fn proc_net(&self, file: &str) -> Result<String> {
        self.enter(|| fs::read_to_string(format!("/proc/thread-self/net/{file}")))
            .with_context(|| {
                format!(
                    "cannot read /proc/net/{file} in network namespace {}",
                    self.name
                )
            })
    }

    /// Leaves the namespace in place when the value is dropped; `ip netns del` removes it later.
    pub fn keep(&mut self) {
        leftovers::keep(&self.name);
        self.kept = true;
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = process::run(netns("del", &self.name)) {
            eprintln!("network namespace {} was left behind: {error:#}", self.name);
        }
    }
}

fn path_of(name: &str) -> PathBuf {
    PathBuf::from("/run/netns").join(name)
}

fn netns(verb: &str, name: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", verb, name]);
    command
}

/// Names carry the pid; one that an earlier process of the same pid left behind is stepped over.
fn added(role: &str) -> Result<String> {
    for _ in 0..1000 {
        let name = format!(
            "{NAMESPACE}{}-{}-{role}",
            id(),
            SERIAL.fetch_add(1, Ordering::Relaxed)
        );
        if path_of(&name).exists() {
            continue;
        }
        process::run(netns("add", &name))?;
        return Ok(name);
    }
    bail!(
        "no free name for a network namespace {NAMESPACE}{}-*-{role} in /run/netns: remove old ones with `ip netns del`",
        id()
    )
}
