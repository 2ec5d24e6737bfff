//! A pseudo terminal with a program in it: what it draws, keys for it, another size, and whether it leaves the terminal as it was.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::{
    pty::{OpenptyResult, Winsize, openpty},
    sys::termios::{Termios, tcgetattr},
};

use crate::{process::Process, wait};

/// The keyboard and screen of a program.
#[derive(Debug)]
pub struct PseudoTerminal {
    keyboard: File,
    line: OwnedFd,
    before: Termios,
    drawn: Arc<Mutex<Vec<u8>>>,
    /// The program.
    pub process: Process,
}

const fn size(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

impl PseudoTerminal {
    /// Starts `command` as the one that the terminal belongs to.
    pub fn start(mut command: Command, columns: u16, rows: u16) -> Result<Self> {
        let OpenptyResult { master, slave } = openpty(&size(columns, rows), None)?;
        let before = tcgetattr(&slave)?;
        command
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .stdin(slave.try_clone()?)
            .stdout(slave.try_clone()?)
            .stderr(slave.try_clone()?);
        let own_terminal = || {
            // SAFETY: system calls without memory of ours; standard input is the terminal by now.
            let done = unsafe { libc::setsid() != -1 && libc::ioctl(0, libc::TIOCSCTTY, 0) != -1 };
            if done {
                Ok(())
            } else {
                Err(io::Error::last_os_error())
            }
        };
        // SAFETY: between fork and exec the closure makes two system calls and neither allocates nor locks.
        unsafe { command.pre_exec(own_terminal) };
        let process = Process::spawn(command)?;
        let drawn = Arc::<Mutex<Vec<u8>>>::default();
        let mut screen = File::from(master.try_clone()?);
        let shared = Arc::clone(&drawn);
        thread::spawn(move || {
            let mut octets = [0; 4096];
            // It ends with an error once nobody has the other side open.
            while let Ok(length @ 1..) = screen.read(&mut octets) {
                let mut drawn = shared.lock().unwrap_or_else(PoisonError::into_inner);
                drawn.extend(&octets[..length]);
            }
        });
        Ok(Self {
            keyboard: File::from(master),
            line: slave,
            before,
            drawn,
            process,
        })
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        self.keyboard
            .write_all(keys.as_bytes())
            .context("cannot press keys")
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let to = size(columns, rows);
        // SAFETY: the request takes a `winsize`, which lives as long as the call.
        let done =
            unsafe { libc::ioctl(self.keyboard.as_raw_fd(), libc::TIOCSWINSZ, &raw const to) };
        if done == -1 {
            return Err(io::Error::last_os_error()).context("cannot change the size");
        }
        Ok(())
    }

    /// What was drawn since the beginning, escapes included.
    #[must_use]
    pub fn drawn(&self) -> String {
        let drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&drawn).into_owned()
    }

    /// Forgets what was drawn.
    pub fn forget(&self) {
        self.drawn
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Waits until this was drawn.
    pub fn until(&self, limit: Duration, text: &str) -> Result<()> {
        let what = format!("`{text}` on the screen");
        let seen = wait::until(limit, &what, || {
            Ok(self.drawn().contains(text).then_some(()))
        });
        seen.with_context(|| format!("{:?}", self.drawn()))
    }

    /// Whether the terminal's settings are those of the beginning.
    pub fn is_as_before(&self) -> Result<bool> {
        let now = tcgetattr(self.line.as_fd())?;
        Ok(now == self.before)
    }
}
