//! `isnguard audit`: grades the hosts in a capture by their initial sequence numbers. Nothing of the kernel, no privilege.

mod input;
mod refusal;

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use clap::Args;
use ipnet::IpNet;

use self::input::Input;
pub(super) use self::refusal::picture_in_json;
use super::{
    Common, Outcome,
    pictures::{self, Place, Subject},
};
use crate::{
    audit::{self, Dropped, Ending, Findings},
    grading::{Graded, rewritten},
    report::{AuditReport, Report as _, Style},
};

/// Hosts printed as text unless more are asked for.
pub(super) const FEW: usize = 100;

/// Arguments of `audit`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct AuditArgs {
    /// The capture, pcap or pcapng; `-` for standard input
    file: PathBuf,
    /// Only this host, or the hosts of this prefix; repeatable
    #[arg(long, value_name = "IP|CIDR", value_parser = nets)]
    host: Vec<IpNet>,
    /// Draw the worst host, or each one that --host names, into this file; `-` draws with characters
    ///
    /// The picture shows how its numbers scatter (successive differences in three dimensions, after Zalewski) and their course
    /// over time, before and after. With several hosts each has a file of its own, with its address before the extension.
    #[arg(long, value_name = "FILE.svg|.png|-", value_parser = pictures::name)]
    plot: Option<Place>,
    /// At most this many hosts [default: 100 as text, all as JSON]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

const EXAMPLES: &str = "\
Examples:
  tcpdump -i eth1 -s 128 -w plant.pcap 'tcp'      an hour, facing the hosts
  isnguard audit plant.pcap                       which hosts need which mode
  isnguard audit plant.pcap --host 192.0.2.0/24 --plot worst.svg
  zcat plant.pcap.gz | isnguard audit - --json

Every SYN and SYN-ACK counts for the host that sent it, its repetitions count once. The same 4-tuple again within 240 seconds \
shows whether numbers regress. No privilege is needed.

At most 100,000 connections a host, 4,000,000 in all, 200,000 hosts and 458,752 4-tuples at least are held at a time; a note says \
what found no room.

Exit codes: 0 graded, also where the capture ends in the middle of a packet (a note says so); 1 nothing to grade; 3 graded up to \
a damaged place.";

/// An address alone is a prefix of one.
pub(super) fn nets(text: &str) -> Result<IpNet, String> {
    let one = text.parse().map(|address: std::net::IpAddr| address.into());
    one.or_else(|_| text.parse::<IpNet>())
        .map_err(|_| "neither an IP address nor a prefix such as 192.0.2.0/24".into())
}

/// Reads, grades, draws and reports.
pub fn audit(args: &AuditArgs, common: &Common) -> anyhow::Result<Outcome> {
    let input = Input::open(&args.file)?;
    match &args.plot {
        Some(Place::File(file)) => pictures::ensure_place(file)?,
        Some(Place::Here) if common.json => {
            super::complain(&picture_in_json().into());
            return Ok(Outcome::Usage);
        }
        _ => {}
    }
    let wanted = |host| args.host.is_empty() || args.host.iter().any(|net| net.contains(&host));
    let findings = audit::read(input.reader, wanted);
    input.progress.finish_and_clear();
    let findings = findings.map_err(|refused| refusal::of_file(&input.name, refused))?;
    if findings.hosts.is_empty() {
        return Err(refusal::of_contents(&input.name, &findings).into());
    }
    let limit = args.limit.or((!common.json).then_some(FEW));
    let graded = findings.hosts.iter();
    let graded = graded.map(|(host, samples)| Graded::predicted(*host, samples));
    let mut report = AuditReport::new(&input.name, &findings, graded.collect(), limit);
    let named = !args.host.is_empty();
    let drawn = match &args.plot {
        Some(Place::File(file)) => {
            let several = named && report.hosts.len() > 1;
            let (files, drawn) = pictures::draw(file, subjects(&findings, &report, named), several);
            report.pictures = files;
            drawn
        }
        _ => Ok(()),
    };
    report.print(common.json)?;
    if args.plot == Some(Place::Here) {
        pictures::show(subjects(&findings, &report, named))?;
    }
    tell(&report, &findings, common);
    drawn?;
    Ok(match findings.ending {
        Ending::Damaged { .. } => Outcome::Degraded,
        Ending::Whole | Ending::Cut { .. } => Outcome::Done,
    })
}

/// The hosts that are drawn.
fn subjects<'a>(
    findings: &'a Findings,
    report: &'a AuditReport,
    named: bool,
) -> impl Iterator<Item = Subject<'a>> {
    let lines = report.hosts.iter().take(pictures::most(named));
    lines.filter_map(|line| {
        let samples = findings.hosts.get(&line.host)?;
        Some(Subject {
            name: line.host.to_string(),
            before: samples.into(),
            after: rewritten(line.advice, line.host, samples),
            after_is: format!("in {} mode", line.advice.name()),
        })
    })
}

/// What does not belong into columns, on standard error.
fn tell(report: &AuditReport, findings: &Findings, common: &Common) {
    if !common.json && Style::of_stdout() == Style::Plain && io::stderr().is_terminal() {
        eprintln!("{}", report.summary().join("\n"));
    }
    for picture in &report.pictures {
        eprintln!("drawn: {picture}");
    }
    for note in notes(findings) {
        super::note(&note);
    }
}

/// What the operator should know of the reading.
fn notes(findings: &Findings) -> Vec<String> {
    let mut notes = Vec::new();
    match &findings.ending {
        Ending::Whole => {}
        Ending::Cut { place } => notes.push(format!(
            "the capture ends in the middle of a packet, after {place} octets: it is still being written, or its writer was \
             killed. What stands before it was graded"
        )),
        Ending::Damaged { place, why } => notes.push(format!(
            "the capture cannot be read on after {place} octets: {why}. What stands before it was graded; copy the capture \
             anew if there is more in it"
        )),
    }
    let Dropped { samples, hosts } = findings.dropped;
    if samples > 0 || hosts > 0 {
        notes.push(format!(
            "there are more SYNs than are held at a time: {samples} of hosts with many others were not graded, and {hosts} \
             times a host with few was forgotten. --host names those that matter"
        ));
    }
    if findings.forgotten > 0 {
        notes.push(format!(
            "{} connections were forgotten before their 240 seconds, for want of room: regressions and repetitions on them \
             were not seen",
            findings.forgotten
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_addresses_or_prefixes() {
        assert_eq!(nets("192.0.2.1").unwrap().to_string(), "192.0.2.1/32");
        assert_eq!(nets("2001:db8::/32").unwrap().to_string(), "2001:db8::/32");
        assert!(nets("plant").is_err() && nets("192.0.2.0/33").is_err());
    }
}
