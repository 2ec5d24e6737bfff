//! Why a file has nothing that could be graded, in the operator's words.

use super::input::{cannot, unreadable};
use crate::{
    audit::{Findings, Format, LinkType, Refusal},
    failure::Failure,
};

/// How a capture that can be graded is made.
const RECORD: &str = "record one where the hosts' packets pass: tcpdump -i IF -w FILE tcp";

/// Of something that is no capture.
pub fn of_file(name: &str, refused: Refusal) -> Failure {
    let format = match refused {
        Refusal::Unreadable(error) => return unreadable(name, &error),
        Refusal::NotACapture(format) => format,
    };
    let cannot = cannot(name);
    match format {
        Format::Compressed(method, program) => Failure::new(
            cannot,
            format!("it is compressed with {method}"),
            format!("decompress it first: {program} FILE | isnguard audit -"),
        ),
        Format::Foreign(what) => Failure::new(
            cannot,
            format!("it is {what}, and only pcap and pcapng are read"),
            "convert it with Wireshark's editcap: editcap -F pcap FILE NEW",
        ),
        Format::Empty => Failure::new(cannot, "it is empty", RECORD),
        Format::Pcap | Format::PcapNg | Format::Unknown => Failure::new(
            cannot,
            "it is no capture: it begins neither like pcap nor like pcapng",
            RECORD,
        ),
    }
}

/// Of `--plot -` beside `--json`.
pub fn picture_in_json() -> Failure {
    Failure::new(
        "cannot draw with characters",
        "--json asks for one object on standard output, and nothing else",
        "leave --json away, or name a file: --plot FILE.svg",
    )
}

/// Of a capture without SYNs of the hosts that are wanted.
pub fn of_contents(name: &str, findings: &Findings) -> Failure {
    let links: Vec<String> = findings
        .left_out
        .links()
        .keys()
        .map(LinkType::to_string)
        .collect();
    if findings.segments == 0 && !links.is_empty() {
        return Failure::new(
            cannot(name),
            format!(
                "its packets are of {}, which is not read",
                links.join(" and ")
            ),
            "record on an Ethernet interface, or on all: tcpdump -i any -w FILE tcp",
        );
    }
    if findings.syns > 0 {
        return Failure::new(
            cannot(name),
            format!(
                "none of its {} SYNs is of a host that --host names",
                findings.syns
            ),
            "leave --host away to see which hosts there are",
        );
    }
    let mut why = format!(
        "there is no SYN in it, only {} packets, {} of them TCP segments",
        findings.packets, findings.segments
    );
    let left_out = findings.left_out.words();
    if !left_out.is_empty() {
        why.push_str(" (");
        why.push_str(&left_out.join(", "));
        why.push(')');
    }
    let remedy =
        "record for longer, so that connections are opened meanwhile: tcpdump -i IF -w FILE tcp";
    Failure::new(cannot(name), why, remedy)
}
