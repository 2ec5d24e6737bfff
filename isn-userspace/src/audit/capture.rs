//! Capture files: which format it is, and its packets one after the other, up to the end or as far as it can be read.

use std::io::{self, Read};

use super::{frame::Frame, left_out::Why, link::LinkType, pcap, pcapng, source::Source};

/// Octets by which formats are told.
const MAGIC: usize = 8;
/// No packet or block is believed to be larger.
pub(super) const LARGEST: usize = 16 << 20;

/// Where and why reading ended before the file did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// At the end.
    Whole,
    /// The file ends in the middle of a packet, as it does while it is being written or if its writer was killed.
    Cut {
        /// Octets before that packet.
        place: u64,
    },
    /// What follows cannot be read.
    Damaged {
        /// Octets before it.
        place: u64,
        /// What is wrong.
        why: String,
    },
}

/// What a file is, by its first octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// pcap, of any byte order and resolution.
    Pcap,
    /// pcapng.
    PcapNg,
    /// Compressed, with the program that undoes it.
    Compressed(&'static str, &'static str),
    /// Another format of captures, with its name.
    Foreign(&'static str),
    /// Nothing at all.
    Empty,
    /// Something else.
    Unknown,
}

/// What is wanted of a capture: its packets, and what else is in it.
pub trait Reader {
    /// A packet.
    fn frame(&mut self, frame: Frame);
    /// A packet that is not handed over.
    fn left_out(&mut self, why: Why);
    /// A packet of a link type that cannot be read.
    fn strange_link(&mut self, link: LinkType);
}

/// Looks at the first octets.
pub fn format<R: Read>(source: &mut Source<R>) -> io::Result<Format> {
    source.want(MAGIC)?;
    let data = source.data();
    let begins = |magic: &[u8]| data.starts_with(magic);
    Ok(match data {
        [] => Format::Empty,
        [0x0a, 0x0d, 0x0d, 0x0a, ..] => Format::PcapNg,
        [0xd4, 0xc3, 0xb2, 0xa1, ..]
        | [0xa1, 0xb2, 0xc3, 0xd4, ..]
        | [0x4d, 0x3c, 0xb2, 0xa1, ..]
        | [0xa1, 0xb2, 0x3c, 0x4d, ..]
        | [0x34, 0xcd, 0xb2, 0xa1, ..] => Format::Pcap,
        [0x1f, 0x8b, ..] => Format::Compressed("gzip", "zcat"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Format::Compressed("zstd", "zstdcat"),
        [0x04, 0x22, 0x4d, 0x18, ..] => Format::Compressed("lz4", "lz4cat"),
        _ if begins(b"\xfd7zXZ") => Format::Compressed("xz", "xzcat"),
        _ if begins(b"BZh") => Format::Compressed("bzip2", "bzcat"),
        _ if begins(b"snoop") => Format::Foreign("a snoop capture"),
        _ if begins(b"GMBU") || begins(b"RTSS") => Format::Foreign("a Network Monitor capture"),
        _ if begins(b"TRSNIFF") => Format::Foreign("a Sniffer capture"),
        _ => Format::Unknown,
    })
}

/// Hands over every packet of a pcap or pcapng file, as [`format`] found it.
pub fn read<R: Read>(source: &mut Source<R>, format: Format, reader: &mut impl Reader) -> Ending {
    let ended = match format {
        Format::PcapNg => pcapng::read(source, reader),
        _ => pcap::read(source, reader),
    };
    ended.unwrap_or_else(|error| Ending::Damaged {
        place: source.place(),
        why: error.to_string(),
    })
}

/// The end of a stream where a record should be: the end of the file, or a record that is cut.
pub(super) fn at_end<R: Read>(source: &Source<R>) -> Ending {
    if source.data().is_empty() {
        Ending::Whole
    } else {
        Ending::Cut {
            place: source.place(),
        }
    }
}

/// What is wrong with the record that comes next.
pub(super) fn damaged<R: Read>(source: &Source<R>, why: impl Into<String>) -> Ending {
    Ending::Damaged {
        place: source.place(),
        why: why.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_octets() {
        let cases: [(&[u8], Format); 9] = [
            (b"", Format::Empty),
            (b"\xd4\xc3\xb2\xa1", Format::Pcap),
            (b"\xa1\xb2\x3c\x4d\0\x02\0\x04", Format::Pcap),
            (b"\n\r\r\n", Format::PcapNg),
            (b"\x1f\x8b\x08", Format::Compressed("gzip", "zcat")),
            (
                b"\x28\xb5\x2f\xfd\0\0",
                Format::Compressed("zstd", "zstdcat"),
            ),
            (b"BZh9", Format::Compressed("bzip2", "bzcat")),
            (b"snoop\0\0\0", Format::Foreign("a snoop capture")),
            (b"hello", Format::Unknown),
        ];
        for (octets, expected) in cases {
            assert_eq!(format(&mut Source::new(octets)).unwrap(), expected);
        }
    }
}
