//! Episodes as text, one step a line, so that a failure can be read, kept and played again.
//!
//! ```text
//! # anything
//! tick 1234567
//! settings history=240 full=pass draining=no
//! policy hosts4 80-80=observe 0-65535=monotonic
//! settings generation=7 adopting=600 before=key
//! lose memory
//! wait 60
//! out 0200…5a*1460 vlan=0x0064 mark=1@38,58
//! in 0200… W1@42:50 w1@62:50
//! ```
//!
//! `HH*N` is an octet N times. `mark=LABEL@SEQUENCE,TSVAL` says what a SYN opens, `h`, `W`, `t`, `w` with `LABEL@FIELD:CHECKSUM…`
//! which fields move with it: host's and wire sequence numbers, host's and wire timestamps.

use std::fmt::{self, Write as _};

use isn_common::{
    abi::policy::{Mode, Rule},
    flow::Direction,
    verdict::Verdict,
};

use super::{
    episode::{Episode, Instance, Packet, Step},
    relocation::Space,
};
use crate::two_worlds::{
    quoting::locate_quote,
    reading::{locate, word},
};

pub(super) const SPACES: [(&str, Space); 4] = [
    ("h", Space::HostSequence),
    ("W", Space::WireSequence),
    ("t", Space::HostTime),
    ("w", Space::WireTime),
];
pub(super) const MODES: [(&str, Mode); 3] = [
    ("observe", Mode::Observe),
    ("monotonic", Mode::Monotonic),
    ("keyed", Mode::Keyed),
];
/// A rule that takes its ports out.
pub(super) const EXEMPT: &str = "off";
/// As many equal octets are written as one with a count.
const RUN: usize = 8;

impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tick) = self.tick {
            writeln!(f, "tick {tick}")?;
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(instance) => {
                let full = if instance.drop_when_full {
                    "drop"
                } else {
                    "pass"
                };
                let draining = if instance.draining { "yes" } else { "no" };
                let history = instance.history;
                write!(
                    f,
                    "settings history={history} full={full} draining={draining}"
                )?;
                write_keyed(f, *instance)
            }
            Self::Policy(guarded, rules) => {
                write!(f, "policy {}", guarded.name())?;
                rules.iter().try_for_each(|rule| write_rule(f, *rule))
            }
            Self::Wait(seconds) => write!(f, "wait {seconds}"),
            Self::Lose(loss) => write!(f, "lose {}", loss.name()),
            Self::Packet(packet) => write!(f, "{packet}"),
        }
    }
}

/// What concerns keyed mode, as far as it is not the default.
fn write_keyed(f: &mut fmt::Formatter<'_>, instance: Instance) -> fmt::Result {
    if instance.generation != 0 {
        write!(f, " generation={}", instance.generation)?;
    }
    if instance.adopting != 0 {
        let before = if instance.after_key { "key" } else { "nothing" };
        write!(f, " adopting={} before={before}", instance.adopting)?;
    }
    Ok(())
}

fn write_rule(f: &mut fmt::Formatter<'_>, rule: Rule) -> fmt::Result {
    let mode = MODES.iter().find(|(_, mode)| rule.mode() == Some(*mode));
    let unnamed = if rule.is_exempt() { EXEMPT } else { "none" };
    let mode = mode.map_or(unnamed, |(name, _)| name);
    write!(f, " {}-{}={mode}", rule.first_port, rule.last_port)
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.direction {
            Direction::Outbound => "out",
            Direction::Inbound => "in",
        };
        write!(f, "{way} {}", hex(&self.octets))?;
        if let Some(tci) = self.stripped {
            write!(f, " vlan={tci:#06x}")?;
        }
        if let Some(mark) = self.mark {
            write!(f, " mark={}@{}", mark.label, mark.sequence_at)?;
            if let Some(at) = mark.time_at {
                write!(f, ",{at}")?;
            }
        }
        for relocation in &self.relocations {
            let space = SPACES.iter().find(|(_, space)| *space == relocation.space);
            let space = space.map_or("", |(name, _)| name);
            write!(f, " {space}{}@{}", relocation.label, relocation.at)?;
            match relocation.sums {
                [0, 0] => {}
                [inner, 0] => write!(f, ":{inner}")?,
                [inner, outer] => write!(f, ":{inner}:{outer}")?,
            }
        }
        Ok(())
    }
}

/// A packet in words, if it carries a segment.
fn describe(packet: &Packet) -> String {
    let way = match packet.direction {
        Direction::Outbound => "from host",
        Direction::Inbound => "from peer",
    };
    let octets = &packet.octets;
    let Some(found) = locate(packet.direction, octets) else {
        let kind = if locate_quote(packet.direction, octets).is_some() {
            "an ICMP error"
        } else {
            "no whole segment"
        };
        return format!("{way}: {kind}, {} octets", octets.len());
    };
    let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
    let flags = octets[found.at + 13];
    let set = names
        .iter()
        .enumerate()
        .filter(|(bit, _)| flags >> bit & 1 != 0);
    let flags: Vec<&str> = set.map(|(_, name)| *name).collect();
    let (sequence, acknowledgment) = (word(octets, found.at + 4), word(octets, found.at + 8));
    let data = found.end - found.at - found.header;
    let flags = flags.join("|");
    format!("{way}: {flags} seq={sequence:#x} ack={acknowledgment:#x} data={data}")
}

fn hex(octets: &[u8]) -> String {
    let mut text = String::new();
    for run in octets.chunk_by(PartialEq::eq) {
        if run.len() >= RUN {
            let _ = write!(text, "{:02x}*{}.", run[0], run.len());
        } else {
            for octet in run {
                let _ = write!(text, "{octet:02x}");
            }
        }
    }
    text
}

impl Episode {
    /// The same with what became of each packet beside it, as comments.
    #[must_use]
    pub fn annotated(&self, verdicts: &[Verdict]) -> String {
        let mut verdicts = verdicts.iter();
        let mut text = self
            .tick
            .map_or_else(String::new, |tick| format!("tick {tick}\n"));
        for step in &self.steps {
            if let Step::Packet(packet) = step {
                let verdict = verdicts
                    .next()
                    .map_or_else(String::new, |it| format!(" => {it:?}"));
                let _ = writeln!(text, "# {}{verdict}", describe(packet));
            }
            let _ = writeln!(text, "{step}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let text = "tick 99\n\
            settings history=30 full=drop draining=yes\n\
            settings history=240 full=pass draining=no generation=7 adopting=45 before=key\n\
            policy host6 80-80=observe 0-65535=keyed\n\
            lose memory\n\
            policy hosts4\n\
            wait 60\n\
            out 0200*13.0800ff vlan=0x2064 mark=3@38,58 h2@38:50\n\
            in 0102 W3@42:50 w3@62:50 W3@80:92:36 W3@7:0:36 h1@9\n";
        let episode = Episode::parse(text).unwrap();
        assert_eq!(episode.to_string(), text);
        let Step::Packet(packet) = &episode.steps[6] else {
            panic!("another step")
        };
        assert_eq!(packet.octets.len(), 2 + 12 + 3);
        assert_eq!(packet.stripped, Some(0x2064));
    }

    #[test]
    fn comments_and_empty_lines_are_nothing() {
        assert_eq!(
            Episode::parse("# a\n\n  # b\n").unwrap(),
            Episode::default()
        );
    }

    #[test]
    fn nonsense_is_refused_with_its_line() {
        for (text, why) in [
            ("fly 3", "`fly` is no step"),
            ("wait", "how many seconds?"),
            ("out 0g", "`0g` is no octet"),
            ("out 012", "half an octet"),
            ("in 00 X1@3", "no relocation"),
            ("policy hosts5", "`hosts5` is no prefix"),
            ("policy hosts4 80=observe", "no rule"),
            ("settings colour=blue", "no setting"),
            ("lose heart", "`heart` is no loss"),
        ] {
            let error = format!("{:#}", Episode::parse(text).unwrap_err());
            assert!(
                error.starts_with("line 1: ") && error.contains(why),
                "{error}"
            );
        }
    }
}
