//! What was on the wire, taken by tcpdump and read back.
//!
//! A capture counts only if it is complete: `stop` waits until tcpdump has handled every packet that the kernel gave it, and refuses
//! a recording of which the kernel lost a part.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use pcap_file::pcap::PcapReader;

use crate::{namespace::Namespace, process, process::Process, segment::Segment, wait};

/// tcpdump's answers take up to a second: it looks at its ring when a block is full or a second old.
const ANSWER: Duration = Duration::from_secs(20);
/// Kernel buffer in KiB: the largest transfer of a test fits in, so that a slow disk loses nothing.
const RING_KIB: &str = "393216";

/// A running tcpdump.
#[derive(Debug)]
pub struct Capture {
    process: Process,
    said: Receiver<String>,
    file: PathBuf,
    interface: String,
}

impl Capture {
    /// Starts to record every frame of `interface` into `file`; returns once tcpdump listens.
    pub fn start(namespace: &Namespace, interface: &str, file: &Path) -> Result<Self> {
        let mut command = namespace.command("tcpdump")?;
        command
            .args([
                "-i", interface, "-n", "-s", "0", "-B", RING_KIB, "-U", "-Z", "root", "-w",
            ])
            .arg(file);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = Process::spawn(command)?;
        let said = lines_of(&mut process)?;
        let capture = Self {
            process,
            said,
            file: file.to_owned(),
            interface: interface.to_owned(),
        };
        capture.until_said("listening on")?;
        Ok(capture)
    }

    /// Ends the recording when every packet is in the file.
    pub fn stop(mut self) -> Result<Recording> {
        wait::until(ANSWER, "tcpdump to have handled every packet", || {
            self.process.signal(Signal::SIGUSR1)?;
            let (handled, matched) = counts(&self.until_said("captured")?)?;
            Ok((handled >= matched).then_some(()))
        })?;
        self.process.signal(Signal::SIGINT)?;
        let dropped = leading_number(&self.until_said("dropped by kernel")?)?;
        ensure!(
            dropped == 0,
            "the kernel lost {dropped} packets of the capture on {}: it proves nothing",
            self.interface
        );
        self.process.wait(ANSWER)?;
        Ok(Recording {
            file: self.file.clone(),
        })
    }

    fn until_said(&self, what: &str) -> Result<String> {
        let mut heard = Vec::new();
        loop {
            let line = self.said.recv_timeout(ANSWER).with_context(|| {
                format!(
                    "tcpdump on {} did not say `{what}`; it said: {}",
                    self.interface,
                    heard.join(" / ")
                )
            })?;
            if line.contains(what) {
                return Ok(line);
            }
            heard.push(line);
        }
    }
}

fn lines_of(process: &mut Process) -> Result<Receiver<String>> {
    let stderr = process
        .child()
        .stderr
        .take()
        .context("tcpdump was started without a pipe for its messages")?;
    let (sender, receiver) = channel();
    // Ends by itself when tcpdump closes its side or nobody listens any more.
    thread::spawn(move || {
        BufReader::new(stderr)
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    Ok(receiver)
}

/// From `10 packets captured, 12 packets received by filter, 0 packets dropped by kernel`: 10 and 12.
fn counts(line: &str) -> Result<(u64, u64)> {
    let mut numbers = line.split(", ").map(leading_number);
    let mut next = || {
        numbers
            .next()
            .with_context(|| format!("tcpdump's counts are not understood: {line}"))?
    };
    Ok((next()?, next()?))
}

fn leading_number(line: &str) -> Result<u64> {
    let digits = line
        .trim_start_matches("tcpdump: ")
        .split(' ')
        .next()
        .unwrap_or_default();
    digits
        .parse()
        .with_context(|| format!("no number at the start of tcpdump's line `{line}`"))
}

/// A finished capture.
#[derive(Debug, Clone)]
pub struct Recording {
    file: PathBuf,
}

impl Recording {
    /// A capture file made earlier.
    #[must_use]
    pub fn open(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
        }
    }

    /// The capture file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Every TCP segment, in the order of capture.
    pub fn segments(&self) -> Result<Vec<Segment>> {
        let mut segments = Vec::new();
        self.for_each_segment(|segment| {
            segments.push(segment);
            Ok(())
        })?;
        Ok(segments)
    }

    /// Hands over every TCP segment in turn, for captures too large to hold.
    pub fn for_each_segment(&self, mut handle: impl FnMut(Segment) -> Result<()>) -> Result<()> {
        let what = || format!("cannot read the capture {}", self.file.display());
        let mut reader =
            PcapReader::new(File::open(&self.file).with_context(what)?).with_context(what)?;
        while let Some(packet) = reader.next_packet() {
            let packet = packet.with_context(what)?;
            ensure!(
                packet.data.len() == packet.orig_len as usize,
                "the capture {} holds a cut packet",
                self.file.display()
            );
            if let Some(segment) = Segment::parse(packet.timestamp, &packet.data) {
                handle(segment)?;
            }
        }
        Ok(())
    }

    /// How many packets tcpdump itself calls incorrect: a second opinion on every checksum.
    pub fn tcpdump_verdict(&self) -> Result<usize> {
        let mut command = Command::new("tcpdump");
        command.args(["-vvnn", "-Z", "root", "-r"]).arg(&self.file);
        Ok(process::run(command)?
            .lines()
            .filter(|line| line.contains("incorrect"))
            .count())
    }
}
