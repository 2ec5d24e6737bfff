//! What the kernel complains about from now on.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
};

use anyhow::{Context as _, Result};

const DEVICE: &str = "/dev/kmsg";
/// Longer than any record (`PRINTK_MESSAGE_MAX`).
const RECORD: usize = 8 << 10;
/// Whatever has one of these in it is a complaint.
const COMPLAINTS: [&str; 13] = [
    "WARNING:",
    "BUG:",
    "BUG ",
    "Oops",
    "Call Trace",
    "general protection",
    "blocked for more than",
    "lockup",
    "rcu: INFO",
    "UBSAN",
    "unregister_netdevice: waiting",
    "bpf",
    "BPF",
];

/// The kernel's log, read from where it was opened.
#[derive(Debug)]
pub struct KernelLog(File);

impl KernelLog {
    /// Begins to listen.
    pub fn listen() -> Result<Self> {
        let open = || -> io::Result<File> {
            let mut log = OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(DEVICE)?;
            log.seek(SeekFrom::End(0))?;
            Ok(log)
        };
        open()
            .map(Self)
            .with_context(|| format!("cannot read {DEVICE}"))
    }

    /// What it complained about since it was last asked, a line each.
    pub fn complaints(&mut self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut record = vec![0; RECORD];
        loop {
            match self.0.read(&mut record) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(&record[..length]).into_owned();
                    found.extend(complaint(&text).map(str::to_owned));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(found),
                // Records were overwritten before they were read: the next is there.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(error) => return Err(error).with_context(|| format!("reading {DEVICE}")),
            }
        }
    }
}

/// The message of a record, if it is a complaint. Before the message stand numbers and a semicolon, behind it lines of details.
fn complaint(record: &str) -> Option<&str> {
    let message = record.split_once(';')?.1.lines().next()?;
    let is_complaint = COMPLAINTS.iter().any(|word| message.contains(word));
    is_complaint.then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_told_from_the_rest() {
        let warning = "4,1,2,-;WARNING: CPU: 1 PID: 7 at net/core/filter.c:1\n DEVICE=x\n";
        assert_eq!(
            complaint(warning),
            Some("WARNING: CPU: 1 PID: 7 at net/core/filter.c:1")
        );
        assert_eq!(
            complaint("6,1,2,-;peer0: left promiscuous mode\n BPF=1\n"),
            None
        );
        assert_eq!(complaint("no record"), None);
    }
}
