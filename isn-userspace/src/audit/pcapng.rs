//! The newer capture format (draft-ietf-opsawg-pcapng): sections, each with interfaces of their own link type, resolution of time
//! and its offset, and blocks of which some are packets.

use std::{
    io::{self, Read},
    time::Duration,
};

use pcap_parser::{
    Block, EPB_MAGIC, IDB_MAGIC, InterfaceDescriptionBlock, OptionCode, SPB_MAGIC, parse_block_be,
    parse_block_le, traits::PcapNGPacketBlock as _,
};

use super::{
    capture::{Ending, LARGEST, Reader, at_end, damaged},
    frame::Frame,
    left_out::Why,
    link::LinkType,
    source::Source,
};

const SECTION: u32 = 0x0a0d_0d0a;
const ORDER: u32 = 0x1a2b_3c4d;
/// Packets as the first versions of the format had them.
const OBSOLETE_PACKET: u32 = 2;
/// Type, length, and the length again.
const SMALLEST: usize = 12;
/// Interfaces of a section that are remembered.
const MOST_INTERFACES: usize = 65_536;
const NANOSECONDS: u128 = 1_000_000_000;

/// What a section has told so far.
#[derive(Default)]
struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
}

/// What its packets need to know of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interface {
    link: LinkType,
    /// Units of time in a second; `None` for more than can be counted.
    resolution: Option<u128>,
    /// Seconds to add.
    offset: i64,
}

/// Hands over every packet.
pub fn read<R: Read>(source: &mut Source<R>, reader: &mut impl Reader) -> io::Result<Ending> {
    let mut section = Section::default();
    loop {
        if !source.want(SMALLEST)? {
            return Ok(at_end(source));
        }
        let length = match section.next_length(source.data()) {
            Ok(length) => length,
            Err(why) => return Ok(damaged(source, why)),
        };
        if !source.want(length)? {
            return Ok(at_end(source));
        }
        section.block(&source.data()[..length], reader);
        source.consume(length);
    }
}

impl Section {
    fn number(&self, data: &[u8], at: usize) -> u32 {
        let octets = data
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .unwrap_or_default();
        if self.big_endian {
            u32::from_be_bytes(octets)
        } else {
            u32::from_le_bytes(octets)
        }
    }

    /// Octets of the block that begins there. A section's header also says in which order its octets are.
    fn next_length(&mut self, data: &[u8]) -> Result<usize, String> {
        if self.number(data, 0) == SECTION {
            *self = Self::default();
            if self.number(data, 8) != ORDER {
                self.big_endian = true;
            }
            if self.number(data, 8) != ORDER {
                return Err("a section without its mark of byte order".into());
            }
        }
        let length = self.number(data, 4) as usize;
        if length < SMALLEST || !length.is_multiple_of(4) || length > LARGEST {
            return Err(format!("a block of {length} octets cannot be"));
        }
        Ok(length)
    }

    /// One block, whole. What contradicts itself inside is left out: the next one begins behind it all the same.
    fn block(&mut self, octets: &[u8], reader: &mut impl Reader) {
        let parsed = if self.big_endian {
            parse_block_be(octets)
        } else {
            parse_block_le(octets)
        };
        match parsed {
            Ok((_, Block::InterfaceDescription(block))) => {
                if self.interfaces.len() < MOST_INTERFACES {
                    self.interfaces
                        .push(Interface::described(&block, self.big_endian));
                }
            }
            Ok((_, Block::EnhancedPacket(packet))) => self.packet(&packet, reader),
            Ok((_, Block::SimplePacket(_))) => reader.left_out(Why::NoTime),
            Ok(_) | Err(_) => match self.number(octets, 0) {
                EPB_MAGIC | SPB_MAGIC | OBSOLETE_PACKET => reader.left_out(Why::BadBlock),
                // The packets of the others must not move to this one.
                IDB_MAGIC if self.interfaces.len() < MOST_INTERFACES => {
                    self.interfaces.push(Interface::UNREADABLE);
                }
                _ => {}
            },
        }
    }

    fn packet(&self, packet: &pcap_parser::EnhancedPacketBlock, reader: &mut impl Reader) {
        let Some(interface) = self.interfaces.get(packet.if_id as usize) else {
            return reader.left_out(Why::BadBlock);
        };
        if !interface.link.is_known() {
            return reader.strange_link(interface.link);
        }
        let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
        let Some(at) = interface.time(units) else {
            return reader.left_out(Why::NoTime);
        };
        reader.frame(Frame {
            at,
            link: interface.link,
            octets: packet.packet_data(),
            length: packet.origlen,
        });
    }
}

impl Interface {
    const UNREADABLE: Self = Self {
        link: LinkType(u32::MAX),
        resolution: None,
        offset: 0,
    };

    /// The parser reads both options wrongly in some cases (powers of two, offsets of big-endian sections), so not from it.
    fn described(block: &InterfaceDescriptionBlock, big_endian: bool) -> Self {
        let option = |code| {
            let mut options = block.options.iter();
            let found = options.find(|option| option.code == code);
            found.and_then(|option| option.as_bytes().ok())
        };
        let resolution = option(OptionCode::IfTsresol).and_then(|octets| octets.first().copied());
        let offset = option(OptionCode::IfTsoffset)
            .and_then(|octets| octets.first_chunk().copied())
            .unwrap_or_default();
        Self {
            link: LinkType(block.linktype.0.cast_unsigned()),
            resolution: match resolution.unwrap_or(6) {
                power @ 0..0x80 => 10_u128.checked_pow(power.into()),
                power => 1_u128.checked_shl((power & 0x7f).into()),
            },
            offset: if big_endian {
                i64::from_be_bytes(offset)
            } else {
                i64::from_le_bytes(offset)
            },
        }
    }

    /// The moment that so many units are. `None` if it lies before the Unix epoch.
    fn time(&self, units: u64) -> Option<Duration> {
        let (units, resolution) = (u128::from(units), self.resolution?);
        let seconds = u64::try_from(units / resolution).ok()?;
        // Below a second; units have 64 bits, so nothing overflows.
        let nanoseconds = units % resolution * NANOSECONDS / resolution;
        Some(Duration::new(
            seconds.checked_add_signed(self.offset)?,
            u32::try_from(nanoseconds).ok()?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(resolution: u128, offset: i64, units: u64) -> Option<Duration> {
        let interface = Interface {
            link: LinkType::ETHERNET,
            resolution: Some(resolution),
            offset,
        };
        interface.time(units)
    }

    #[test]
    fn units_of_any_resolution_become_a_moment() {
        assert_eq!(
            time(1_000_000, 0, 1_500_001),
            Some(Duration::from_micros(1_500_001))
        );
        assert_eq!(time(1 << 10, 0, 1_536), Some(Duration::from_millis(1_500)));
        assert_eq!(time(1, 100, 7), Some(Duration::from_secs(107)));
        assert_eq!(time(1, -8, 7), None, "before the epoch");
        assert_eq!(time(10_u128.pow(38), 0, u64::MAX), Some(Duration::ZERO));
        let longest = time(1_000_000_000, 0, u64::MAX);
        assert_eq!(longest, Some(Duration::from_nanos(u64::MAX)));
    }
}
