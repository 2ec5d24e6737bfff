//! The classic capture format (draft-ietf-opsawg-pcap): one header, one link type, packets.

use std::{
    io::{self, Read},
    time::Duration,
};

use pcap_parser::{
    LegacyPcapBlock, PcapError, PcapHeader,
    nom::{Err as Parsing, IResult, Needed},
    parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header,
};

use super::{
    capture::{Ending, LARGEST, Reader, at_end, damaged},
    frame::Frame,
    link::LinkType,
    source::Source,
};

/// Octets of the file's header.
const HEADER: usize = 24;
/// The link type shares its field with the length of the frame check sequence.
const LINK_TYPE: u32 = 0x03ff_ffff;

type Parser = fn(&[u8]) -> IResult<&[u8], LegacyPcapBlock<'_>, PcapError<&[u8]>>;

/// What the header settles for all packets.
struct Shape {
    parser: Parser,
    in_nanoseconds: bool,
    link: LinkType,
}

/// Hands over every packet.
pub fn read<R: Read>(source: &mut Source<R>, reader: &mut impl Reader) -> io::Result<Ending> {
    source.want(HEADER)?;
    let Ok((_, header)) = parse_pcap_header(source.data()) else {
        return Ok(Ending::Cut { place: 0 });
    };
    let shape = Shape::of(&header);
    source.consume(HEADER);
    loop {
        let missing = match (shape.parser)(source.data()) {
            Ok((rest, packet)) => {
                let used = source.data().len() - rest.len();
                shape.hand_over(&packet, reader);
                source.consume(used);
                continue;
            }
            Err(Parsing::Incomplete(Needed::Size(missing))) => missing.get(),
            Err(_) => return Ok(damaged(source, "it is no packet")),
        };
        if missing > LARGEST {
            return Ok(damaged(
                source,
                format!("a packet of {missing} octets or more cannot be"),
            ));
        }
        if !source.want(source.data().len() + missing)? {
            return Ok(at_end(source));
        }
    }
}

impl Shape {
    fn of(header: &PcapHeader) -> Self {
        Self {
            parser: if header.is_modified_format() {
                parse_pcap_frame_modified
            } else if header.is_bigendian() {
                parse_pcap_frame_be
            } else {
                parse_pcap_frame
            },
            in_nanoseconds: header.is_nanosecond_precision(),
            link: LinkType(header.network.0.cast_unsigned() & LINK_TYPE),
        }
    }

    fn hand_over(&self, packet: &LegacyPcapBlock, reader: &mut impl Reader) {
        if !self.link.is_known() {
            return reader.strange_link(self.link);
        }
        let fraction = if self.in_nanoseconds {
            Duration::from_nanos(packet.ts_usec.into())
        } else {
            Duration::from_micros(packet.ts_usec.into())
        };
        reader.frame(Frame {
            at: Duration::from_secs(packet.ts_sec.into()) + fraction,
            link: self.link,
            octets: packet.data,
            length: packet.origlen,
        });
    }
}
