//! `isnguard status`.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use isn_common::{
    abi::{ABI_VERSION, settings::OnFull},
    tick::Tick,
};
use serde::Serialize;

use super::{
    Report, Style,
    key::{AdoptingLine, KeyLine},
    listing::{Column, Listing},
    visible,
};
use crate::{
    config::LastReload,
    dataplane::{Attachment, Hook, Status},
    settings::{TcFlavour, common_mode},
};

/// The state of an instance as `status --json` shows it.
#[derive(Debug, Serialize)]
pub struct StatusReport {
    instance: String,
    attached: Vec<AttachmentLine>,
    mode: Option<&'static str>,
    protect: Vec<GuardedLine>,
    history_seconds: Option<u32>,
    on_full: Option<&'static str>,
    draining: bool,
    key: Option<KeyLine>,
    adopting: Option<AdoptingLine>,
    running: Option<u32>,
    last_reload: Option<ReloadLine>,
    abi_version: u32,
    healthy: bool,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct AttachmentLine {
    interface: String,
    ifindex: u32,
    placement: &'static str,
    hook: Option<&'static str>,
    reason: String,
    tc_flavour: Option<&'static str>,
    forwards: bool,
    mode: &'static str,
    program_id: Option<u32>,
    egress_program_id: Option<u32>,
}

#[derive(Debug, Serialize)]
struct GuardedLine {
    prefix: String,
    ports: String,
    mode: &'static str,
}

#[derive(Debug, Serialize)]
struct ReloadLine {
    file: String,
    process: Option<u32>,
    at: u64,
    successful: bool,
    message: String,
}

impl ReloadLine {
    fn new(last: &LastReload) -> Self {
        Self {
            file: last.file.display().to_string(),
            process: last.process,
            at: last.at_seconds(),
            successful: last.successful,
            message: last.message.clone(),
        }
    }
}

impl StatusReport {
    /// The state of an instance that is there.
    #[must_use]
    pub fn new(status: &Status) -> Self {
        let mode = common_mode(&status.policy);
        let guarded = status.policy.rules().map(|rule| GuardedLine {
            prefix: rule.prefix.to_string(),
            ports: rule.ports.to_string(),
            mode: rule.mode.name(),
        });
        Self {
            instance: status.instance.clone(),
            attached: status
                .attached
                .iter()
                .map(|it| AttachmentLine::new(it, mode))
                .collect(),
            mode: Some(mode),
            protect: guarded.collect(),
            history_seconds: Some(seconds(status.settings.history)),
            on_full: Some(match status.settings.on_full() {
                OnFull::Pass => "pass",
                OnFull::Drop => "drop",
            }),
            draining: status.settings.draining(),
            key: KeyLine::of(&status.key),
            adopting: status.key.adopting.map(AdoptingLine::new),
            running: status.running,
            last_reload: status.last_reload.as_ref().map(ReloadLine::new),
            abi_version: status.settings.abi_version,
            healthy: status.problems.is_empty(),
            problems: status.problems.clone(),
        }
    }

    /// The state of an instance that is not there.
    #[must_use]
    pub fn absent(instance: &str, why: String) -> Self {
        Self {
            instance: instance.into(),
            attached: Vec::new(),
            mode: None,
            protect: Vec::new(),
            history_seconds: None,
            on_full: None,
            draining: false,
            key: None,
            adopting: None,
            running: None,
            last_reload: None,
            abi_version: ABI_VERSION,
            healthy: false,
            problems: vec![why],
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_healthy(&self) -> bool {
        self.healthy
    }
}

/// Whole seconds; ticks are not quite a divisor of a second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "far below 2^32"
)]
fn seconds(ticks: u32) -> u32 {
    Tick::to_seconds(ticks).round() as u32
}

impl AttachmentLine {
    fn new(attachment: &Attachment, mode: &'static str) -> Self {
        Self {
            interface: attachment.interface.clone(),
            ifindex: attachment.ifindex,
            placement: attachment.placement.name(),
            hook: attachment.hook.map(Hook::name),
            reason: attachment.reason.clone(),
            tc_flavour: attachment.flavour.map(|flavour| match flavour {
                TcFlavour::Tcx => "tcx",
                TcFlavour::Clsact => "clsact",
            }),
            forwards: attachment.forwards,
            mode,
            program_id: attachment.ingress_program,
            egress_program_id: attachment.egress_program,
        }
    }

    fn cells(&self) -> [String; 7] {
        let id = |id: Option<u32>| id.map_or("-".into(), |id| id.to_string());
        [
            self.interface.clone(),
            self.placement.into(),
            self.hook.unwrap_or("-").into(),
            self.tc_flavour.unwrap_or("-").into(),
            self.mode.into(),
            id(self.program_id),
            id(self.egress_program_id),
        ]
    }
}

impl Report for StatusReport {
    fn text(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        let state = match (self.healthy, self.mode) {
            (true, _) => style.bold("healthy"),
            (false, Some(_)) => style.alarming("degraded"),
            (false, None) => style.alarming("not attached"),
        };
        field(out, style, "instance", &self.instance)?;
        field(out, style, "state", &state)?;
        if self.mode.is_some() {
            self.fields(out, style)?;
        }
        for problem in &self.problems {
            field(out, style, "problem", &visible(problem))?;
        }
        if self.attached.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        let mut listing = Listing::new(&[
            Column::text("interface"),
            Column::text("placement"),
            Column::text("hook"),
            Column::text("tc"),
            Column::text("mode"),
            Column::number("program_in"),
            Column::number("program_out"),
        ]);
        for line in &self.attached {
            listing.row(line.cells());
        }
        listing.write(out, style)
    }
}

impl StatusReport {
    fn fields(&self, out: &mut impl Write, style: Style) -> io::Result<()> {
        field(out, style, "mode", self.mode.unwrap_or("none"))?;
        for guarded in &self.protect {
            let GuardedLine {
                prefix,
                ports,
                mode,
            } = guarded;
            field(
                out,
                style,
                "protect",
                &format!("{prefix} ports {ports} {mode}"),
            )?;
        }
        let seconds = self.history_seconds.unwrap_or_default();
        field(out, style, "history", &format!("{seconds} s"))?;
        field(out, style, "on full", self.on_full.unwrap_or("pass"))?;
        if self.draining {
            field(out, style, "draining", "yes: no new offset is made")?;
        }
        if let Some(key) = &self.key {
            field(out, style, "key", &key.text())?;
        }
        if let Some(adopting) = &self.adopting {
            field(out, style, "adopting", &adopting.text())?;
        }
        let running = self.running.map_or_else(
            || "no: entries of ended flows stay until `isnguard run` removes them".to_owned(),
            |pid| format!("process {pid}"),
        );
        field(out, style, "running", &running)?;
        if let Some(last) = &self.last_reload {
            let how = if last.successful {
                "taken over"
            } else {
                "not taken over"
            };
            field(out, style, "config", &format!("{}, {how}", last.file))?;
        }
        for line in &self.attached {
            let AttachmentLine {
                interface,
                hook,
                reason,
                ..
            } = line;
            let why = format!("{} on {interface}: {reason}", hook.unwrap_or("no hook"));
            field(out, style, "why", &visible(&why))?;
        }
        Ok(())
    }
}

/// One line of a name and a value, wrapped for people.
pub(super) fn field(out: &mut impl Write, style: Style, name: &str, value: &str) -> io::Result<()> {
    match style {
        Style::Plain => writeln!(out, "{}\t{value}", name.replace(' ', "_")),
        Style::Terminal { width, .. } => {
            let room = usize::from(width).saturating_sub(INDENT).max(20);
            for (nth, line) in wrapped(value, room).iter().enumerate() {
                let label = if nth == 0 { name } else { "" };
                writeln!(out, "{label:INDENT$}{line}")?;
            }
            Ok(())
        }
    }
}

const INDENT: usize = 10;

/// Breaks a sentence between words.
pub(super) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
