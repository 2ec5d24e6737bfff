//! A process that is killed at a chosen system call: deterministic, and without anything in the program for it.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    sys::{
        ptrace::{self, Options},
        signal::{Signal, kill},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};

/// What of a system call tells whether it changes something that outlives the process.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Its number.
    pub number: i64,
    /// Its first argument; of bpf(2) the command.
    pub first: u64,
}

/// `BPF_MAP_UPDATE_ELEM`, `BPF_OBJ_PIN`, `BPF_LINK_CREATE` and `BPF_LINK_UPDATE` of `linux/bpf.h`.
const CHANGING_COMMANDS: [u64; 4] = [2, 6, 28, BPF_LINK_UPDATE];
const BPF_LINK_UPDATE: u64 = 29;

impl Call {
    /// Whether it replaces the program of a link.
    #[must_use]
    pub fn replaces_a_program(&self) -> bool {
        self.number == libc::SYS_bpf && self.first == BPF_LINK_UPDATE
    }

    /// Whether it changes maps, pins, links, or by netlink anything of an interface.
    #[must_use]
    pub fn changes_something(&self) -> bool {
        match self.number {
            libc::SYS_bpf => CHANGING_COMMANDS.contains(&self.first),
            number => [
                libc::SYS_mkdir,
                libc::SYS_rename,
                libc::SYS_symlink,
                libc::SYS_unlink,
                libc::SYS_sendto,
            ]
            .contains(&number),
        }
    }
}

/// Runs `command` and kills it with SIGKILL before its `nth` system call (from 1 on) of the kind that is `meant`. False if it
/// ended by itself before, successfully.
pub fn kill_before(
    mut command: Command,
    nth: usize,
    meant: impl Fn(&Call) -> bool,
) -> Result<bool> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    // SAFETY: between fork and exec the closure makes one system call; it neither allocates nor locks.
    unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
    let mut child = command.spawn().context("cannot start the traced process")?;
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    let stopped = waitpid(pid, None)?;
    ensure!(
        matches!(stopped, WaitStatus::Stopped(_, Signal::SIGTRAP)),
        "it did not stop: {stopped:?}"
    );
    ptrace::setoptions(
        pid,
        Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL,
    )?;
    let mut seen = 0;
    let mut signal = None;
    loop {
        ptrace::syscall(pid, signal.take())?;
        match waitpid(pid, None)? {
            WaitStatus::PtraceSyscall(_) => {
                seen += usize::from(entered(pid)?.is_some_and(|call| meant(&call)));
                if seen == nth {
                    kill(pid, Signal::SIGKILL)?;
                    child.wait()?;
                    return Ok(true);
                }
            }
            WaitStatus::Stopped(_, other) => signal = Some(other),
            WaitStatus::Exited(_, 0) => return Ok(false),
            other => bail!("the traced process ended: {other:?}"),
        }
    }
}

/// The system call that is entered; `None` where one is left.
fn entered(pid: Pid) -> Result<Option<Call>> {
    let info = ptrace::syscall_info(pid)?;
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return Ok(None);
    }
    // SAFETY: `op` says that this member was written.
    let entry = unsafe { info.u.entry };
    Ok(Some(Call {
        number: i64::try_from(entry.nr)?,
        first: entry.args[0],
    }))
}
