//! Initial sequence numbers out of a capture: from packets to samples by host. Needs no privilege and nothing of the kernel.

mod capture;
mod flows;
mod frame;
mod hosts;
mod left_out;
mod link;
mod pcap;
mod pcapng;
mod side;
mod source;

use std::{
    collections::BTreeMap,
    io::{self, Read},
    net::IpAddr,
    time::Duration,
};

pub use capture::{Ending, Format};
pub use hosts::Dropped;
pub use left_out::{LeftOut, Why};
pub use link::LinkType;

use crate::grading::Sample;

/// What a capture says of the hosts in it.
#[derive(Debug)]
pub struct Findings {
    /// pcap or pcapng.
    pub format: Format,
    /// The samples of each host, in order of time.
    pub hosts: BTreeMap<IpAddr, Vec<Sample>>,
    /// Packets in the file.
    pub packets: u64,
    /// TCP segments among them.
    pub segments: u64,
    /// SYNs and SYN-ACKs among those, of all hosts.
    pub syns: u64,
    /// SYNs that were the same as one before.
    pub repeated: u64,
    /// Time of the first and the last segment.
    pub span: Option<(Duration, Duration)>,
    /// Packets that were not understood.
    pub left_out: LeftOut,
    /// What found no room.
    pub dropped: Dropped,
    /// Flows that were forgotten before their time.
    pub forgotten: u64,
    /// Whether the file was read to its end.
    pub ending: Ending,
}

/// Why nothing was read.
#[derive(Debug)]
pub enum Refusal {
    /// It cannot be read.
    Unreadable(io::Error),
    /// It is no pcap or pcapng file.
    NotACapture(Format),
}

/// Reads a capture. Only hosts that are `wanted` get samples.
pub fn read(input: impl Read, wanted: impl Fn(IpAddr) -> bool) -> Result<Findings, Refusal> {
    let mut source = source::Source::new(input);
    let format = capture::format(&mut source).map_err(Refusal::Unreadable)?;
    if !matches!(format, Format::Pcap | Format::PcapNg) {
        return Err(Refusal::NotACapture(format));
    }
    let mut listener = Listener::new(wanted);
    let ending = capture::read(&mut source, format, &mut listener);
    Ok(listener.finish(format, ending))
}

/// Makes samples of packets.
struct Listener<W> {
    wanted: W,
    flows: flows::Flows,
    hosts: hosts::Hosts,
    left_out: LeftOut,
    packets: u64,
    segments: u64,
    syns: u64,
    repeated: u64,
    span: Option<(Duration, Duration)>,
}

impl<W: Fn(IpAddr) -> bool> Listener<W> {
    fn new(wanted: W) -> Self {
        Self {
            wanted,
            flows: flows::Flows::default(),
            hosts: hosts::Hosts::default(),
            left_out: LeftOut::default(),
            packets: 0,
            segments: 0,
            syns: 0,
            repeated: 0,
            span: None,
        }
    }

    fn hear(&mut self, spoken: &frame::Spoken) {
        self.segments += 1;
        let (first, last) = self.span.unwrap_or((spoken.at, spoken.at));
        self.span = Some((first.min(spoken.at), last.max(spoken.at)));
        self.syns += u64::from(spoken.flags.opens());
        match self.flows.hear(spoken) {
            flows::Choice::None => {}
            flows::Choice::Repeated => self.repeated += 1,
            flows::Choice::Chosen(ahead) => {
                let host = spoken.from.ip();
                if (self.wanted)(host) {
                    let sample = Sample {
                        at: spoken.at,
                        peer: spoken.to.ip(),
                        peer_port: spoken.to.port(),
                        host_port: spoken.from.port(),
                        isn: spoken.sequence.0,
                        ahead,
                    };
                    self.hosts.add(host, sample);
                }
            }
        }
    }

    fn finish(self, format: Format, ending: Ending) -> Findings {
        let (hosts, dropped) = self.hosts.finish();
        Findings {
            format,
            hosts,
            packets: self.packets,
            segments: self.segments,
            syns: self.syns,
            repeated: self.repeated,
            span: self.span,
            left_out: self.left_out,
            dropped,
            forgotten: self.flows.forgotten(),
            ending,
        }
    }
}

impl<W: Fn(IpAddr) -> bool> capture::Reader for Listener<W> {
    fn frame(&mut self, frame: frame::Frame) {
        self.packets += 1;
        match frame.segment() {
            Ok(spoken) => self.hear(&spoken),
            Err(reason) => self.left_out.count(reason.into()),
        }
    }

    fn left_out(&mut self, why: Why) {
        self.packets += 1;
        self.left_out.count(why);
    }

    fn strange_link(&mut self, link: LinkType) {
        self.packets += 1;
        self.left_out.count_link(link);
    }
}
