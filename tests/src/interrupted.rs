//! A program that is killed at a chosen instant: right before one of those system calls whose effect outlasts it.
//!
//! Between two such calls nothing that stays changes, so that killing before each of them in turn is killing at every instant there is.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::{
        ptrace::{self, Options},
        signal::{Signal, kill},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::process::described;

/// Commands of bpf(2) whose effect stays when the caller ends, by `enum bpf_cmd` of `linux/bpf.h`. Maps, programs and links that are
/// merely created go with their descriptors; creating a link counts all the same, since packets meet it at once.
const LASTING_BPF: [(u64, &str); 8] = [
    (2, "bpf MAP_UPDATE_ELEM"),
    (3, "bpf MAP_DELETE_ELEM"),
    (6, "bpf OBJ_PIN"),
    (10, "bpf PROG_TEST_RUN"),
    (22, "bpf MAP_FREEZE"),
    (28, "bpf LINK_CREATE"),
    (29, "bpf LINK_UPDATE"),
    (34, "bpf LINK_DETACH"),
];

const LASTING: &[(libc::c_long, &str)] = &[
    (libc::SYS_mount, "mount"),
    (libc::SYS_mkdirat, "mkdirat"),
    (libc::SYS_unlinkat, "unlinkat"),
    (libc::SYS_symlinkat, "symlinkat"),
    (libc::SYS_linkat, "linkat"),
    (libc::SYS_renameat2, "renameat2"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, "mkdir"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rmdir, "rmdir"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, "unlink"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_symlink, "symlink"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rename, "rename"),
];

/// Messages of rtnetlink that change something, by `linux/rtnetlink.h`: links, qdiscs and filters, made, changed, removed.
const CHANGING: [(u64, &str); 7] = [
    (16, "netlink NEWLINK"),
    (17, "netlink DELLINK"),
    (19, "netlink SETLINK"),
    (36, "netlink NEWQDISC"),
    (37, "netlink DELQDISC"),
    (44, "netlink NEWTFILTER"),
    (45, "netlink DELTFILTER"),
];

/// Calls with which a program begins to wait for events: one that stays has come to its rest.
const WAITING: &[libc::c_long] = &[
    libc::SYS_epoll_pwait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
];

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interrupted {
    /// Killed before this call.
    Before(&'static str),
    /// There were fewer such calls: it ended by itself, with this exit code.
    Ended(i32),
    /// There were fewer: it had come to wait for events, and was killed then.
    Resting,
}

/// Runs `command` and kills it right before its lasting call number `nth`, counted from 0.
pub fn kill_before(command: Command, nth: usize) -> Result<Interrupted> {
    kill_before_such(command, nth, |_| true)
}

/// The calls that put a program into the place of another: links at XDP and TCX, filters at clsact.
#[must_use]
pub fn replaces_a_program(call: &str) -> bool {
    ["bpf LINK_UPDATE", "netlink NEWTFILTER"].contains(&call)
}

/// The same where only calls count that are `such`, by their names.
pub fn kill_before_such(
    mut command: Command,
    nth: usize,
    such: fn(&str) -> bool,
) -> Result<Interrupted> {
    let what = described(&command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: between fork and exec the closure makes one system call and neither allocates nor locks.
    unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
    let child = command
        .spawn()
        .with_context(|| format!("cannot start `{what}` to be traced"))?;
    let traced = Traced(Pid::from_raw(i32::try_from(child.id())?));
    traced
        .follow(nth, such)
        .with_context(|| format!("tracing `{what}`"))
}

/// A traced child of this thread; killed and awaited when dropped.
struct Traced(Pid);

impl Traced {
    fn follow(&self, nth: usize, such: fn(&str) -> bool) -> Result<Interrupted> {
        // The first stop is the one that exec makes.
        if let WaitStatus::Exited(_, code) = waitpid(self.0, None)? {
            bail!("it ended before it began, with code {code}");
        }
        ptrace::setoptions(
            self.0,
            Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL,
        )?;
        let mut seen = 0;
        let mut signal = None;
        loop {
            ptrace::syscall(self.0, signal.take())?;
            match waitpid(self.0, None)? {
                WaitStatus::Exited(_, code) => return Ok(Interrupted::Ended(code)),
                WaitStatus::Signaled(_, by, _) => bail!("it ended by {by}"),
                WaitStatus::Stopped(_, other) => signal = Some(other),
                WaitStatus::PtraceSyscall(_) => match self.entered()? {
                    Some(Call::Waiting) => return Ok(Interrupted::Resting),
                    Some(Call::Lasting(name)) if such(name) && seen == nth => {
                        return Ok(Interrupted::Before(name));
                    }
                    Some(Call::Lasting(name)) => seen += usize::from(such(name)),
                    None => {}
                },
                other => bail!("it stopped in a way that was not asked for: {other:?}"),
            }
        }
    }

    /// The call that it is about to make, if that is one of those that matter.
    fn entered(&self) -> Result<Option<Call>> {
        let info = ptrace::syscall_info(self.0)?;
        if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return Ok(None);
        }
        // SAFETY: the kernel has filled this member of the union, as `op` says.
        let entry = unsafe { info.u.entry };
        let number = libc::c_long::try_from(entry.nr)?;
        if WAITING.contains(&number) {
            return Ok(Some(Call::Waiting));
        }
        let name = match number {
            libc::SYS_bpf => named(&LASTING_BPF, entry.args[0]),
            libc::SYS_sendto => named(&CHANGING, self.message_type(entry.args[1])),
            _ => LASTING
                .iter()
                .find(|(it, _)| *it == number)
                .map(|(_, name)| *name),
        };
        Ok(name.map(Call::Lasting))
    }

    /// The type in a netlink message's header, if what is sent is one: 32 bits of length, then 16 of type.
    fn message_type(&self, at: u64) -> u64 {
        let word = usize::try_from(at)
            .ok()
            .and_then(|at| ptrace::read(self.0, at as ptrace::AddressType).ok());
        let octets = word.unwrap_or(0).to_ne_bytes();
        u64::from(u16::from_ne_bytes([octets[4], octets[5]]))
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Both fail only when it is already gone and reaped, which is the aim.
        let _ = kill(self.0, Signal::SIGKILL);
        while let Ok(
            WaitStatus::Stopped(..) | WaitStatus::PtraceSyscall(_) | WaitStatus::PtraceEvent(..),
        ) = waitpid(self.0, None)
        {}
    }
}

enum Call {
    Lasting(&'static str),
    Waiting,
}

fn named(names: &[(u64, &'static str)], number: u64) -> Option<&'static str> {
    names
        .iter()
        .find(|(it, _)| *it == number)
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn it_is_killed_before_the_call_and_not_after() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let (first, second) = (dir.path().join("a"), dir.path().join("b"));
        let made = |nth| {
            let mut command = Command::new("mkdir");
            command.args([&first, &second]);
            kill_before(command, nth)
        };
        assert!(matches!(made(0)?, Interrupted::Before(_)));
        assert!(!first.exists());
        assert!(matches!(made(1)?, Interrupted::Before(_)));
        assert!(first.exists() && !second.exists());
        std::fs::remove_dir(&first)?;
        assert_eq!(made(2)?, Interrupted::Ended(0));
        assert!(first.exists() && second.exists());
        Ok(())
    }

    #[test]
    fn the_exit_code_is_told() -> Result<()> {
        assert_eq!(kill_before(sh("exit 3"), 0)?, Interrupted::Ended(3));
        Ok(())
    }
}
