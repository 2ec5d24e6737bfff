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

/// What was drawn, and what is to be seen of it.
struct Screen {
    drawn: Vec<u8>,
    shown: vt100::Parser,
}

/// The keyboard and screen of a program.
pub struct PseudoTerminal {
    keyboard: File,
    line: OwnedFd,
    before: Termios,
    screen: Arc<Mutex<Screen>>,
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
        let screen = Arc::new(Mutex::new(Screen {
            drawn: Vec::new(),
            shown: vt100::Parser::new(rows, columns, 0),
        }));
        let mut far_end = File::from(master.try_clone()?);
        let shared = Arc::clone(&screen);
        thread::spawn(move || {
            let mut octets = [0; 4096];
            // It ends with an error once nobody has the other side open.
            while let Ok(length @ 1..) = far_end.read(&mut octets) {
                let mut screen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                screen.drawn.extend(&octets[..length]);
                screen.shown.process(&octets[..length]);
            }
        });
        Ok(Self {
            keyboard: File::from(master),
            line: slave,
            before,
            screen,
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
        // Before the program hears of it, and draws.
        self.screen().shown.screen_mut().set_size(rows, columns);
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
        String::from_utf8_lossy(&self.screen().drawn).into_owned()
    }

    /// What is to be seen now.
    #[must_use]
    pub fn shown(&self) -> String {
        self.screen().shown.screen().contents()
    }

    /// Whether the program has the screen to itself, and what was there before comes back.
    #[must_use]
    pub fn is_whole_screen(&self) -> bool {
        self.screen().shown.screen().alternate_screen()
    }

    /// Waits until this is to be seen.
    pub fn until(&self, limit: Duration, text: &str) -> Result<()> {
        let what = format!("`{text}` on the screen");
        let seen = wait::until(limit, &what, || {
            Ok(self.shown().contains(text).then_some(()))
        });
        seen.with_context(|| self.shown())
    }

    fn screen(&self) -> std::sync::MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the terminal's settings are those of the beginning.
    pub fn is_as_before(&self) -> Result<bool> {
        let now = tcgetattr(self.line.as_fd())?;
        Ok(now == self.before)
    }
}
