//! Captures made for the tests: packets of etherparse, in files of pcap-file.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use etherparse::{IpHeaders, PacketBuilder, TcpHeader};
use pcap_file::{
    DataLink, Endianness, TsResolution,
    pcap::{PcapHeader, PcapPacket, PcapWriter},
    pcapng::{
        PcapNgWriter,
        blocks::{
            enhanced_packet::EnhancedPacketBlock,
            interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
            section_header::SectionHeaderBlock,
        },
    },
};

pub const SYN: u8 = 0x02;
pub const ACK: u8 = 0x10;
pub const FIN: u8 = 0x11;
const SNAPLEN: u32 = 0xffff;

/// When every capture of the tests begins.
pub const BEGIN: Duration = Duration::from_secs(1_700_000_000);

/// An IP packet and when it was seen.
pub type Seen = (Duration, Vec<u8>);

pub fn end(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// An IP packet with a TCP segment.
pub fn segment(
    from: SocketAddr,
    to: SocketAddr,
    flags: u8,
    numbers: [u32; 2],
    data: usize,
) -> Vec<u8> {
    let mut tcp = TcpHeader::new(from.port(), to.port(), numbers[0], 8_192);
    (tcp.syn, tcp.ack, tcp.fin) = (flags & 2 != 0, flags & 16 != 0, flags & 1 != 0);
    tcp.acknowledgment_number = numbers[1];
    let builder = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => PacketBuilder::ipv6(from.octets(), to.octets(), 64),
        _ => panic!("two families"),
    };
    let mut packet = Vec::new();
    builder
        .tcp_header(tcp)
        .write(&mut packet, &vec![b'x'; data])
        .unwrap();
    assert!(IpHeaders::from_slice(&packet).is_ok());
    packet
}

/// A connection of `host` that starts at `isn`, sends 100 octets and ends at `isn + 102`; the peer's numbers are `peer_isn` and on.
pub fn connection(
    at: Duration,
    [host, peer]: [SocketAddr; 2],
    isn: u32,
    peer_isn: u32,
) -> Vec<Seen> {
    let mine = |more: u32| isn.wrapping_add(more);
    let theirs = |more: u32| peer_isn.wrapping_add(more);
    let packets = [
        segment(host, peer, SYN, [isn, 0], 0),
        segment(peer, host, SYN | ACK, [peer_isn, mine(1)], 0),
        segment(host, peer, ACK, [mine(1), theirs(1)], 100),
        segment(host, peer, FIN, [mine(101), theirs(1)], 0),
        segment(peer, host, FIN, [theirs(1), mine(102)], 0),
        segment(host, peer, ACK, [mine(102), theirs(2)], 0),
    ];
    let times = (0..).map(|number| at + Duration::from_micros(number * 10));
    times.zip(packets).collect()
}

/// What packets are wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Ethernet,
    Vlan,
    QinQ,
    Raw,
    Cooked,
    CookedV2,
    Null,
    Loop,
    WiFi,
}

impl Link {
    pub const READABLE: [Self; 8] = [
        Self::Ethernet,
        Self::Vlan,
        Self::QinQ,
        Self::Raw,
        Self::Cooked,
        Self::CookedV2,
        Self::Null,
        Self::Loop,
    ];

    fn number(self) -> DataLink {
        match self {
            Self::Ethernet | Self::Vlan | Self::QinQ => DataLink::ETHERNET,
            Self::Raw => DataLink::RAW,
            Self::Cooked => DataLink::LINUX_SLL,
            Self::CookedV2 => DataLink::LINUX_SLL2,
            Self::Null => DataLink::NULL,
            Self::Loop => DataLink::LOOP,
            Self::WiFi => DataLink::IEEE802_11,
        }
    }

    fn wrapped(self, packet: &[u8]) -> Vec<u8> {
        let ether_type: [u8; 2] = if packet[0] >> 4 == 4 {
            [8, 0]
        } else {
            [0x86, 0xdd]
        };
        let family = if packet[0] >> 4 == 4 { 2 } else { 30 };
        let header: Vec<u8> = match self {
            Self::Ethernet => [&[2; 12], &ether_type[..]].concat(),
            Self::Vlan => [&[2; 12], &[0x81, 0, 0, 7][..], &ether_type].concat(),
            Self::QinQ => [
                &[2; 12],
                &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7][..],
                &ether_type,
            ]
            .concat(),
            Self::Raw => Vec::new(),
            Self::Cooked => [&[0; 14], &ether_type[..]].concat(),
            Self::CookedV2 => [&ether_type[..], &[0; 18]].concat(),
            Self::Null => vec![family, 0, 0, 0],
            Self::Loop => vec![0, 0, 0, family],
            Self::WiFi => vec![8; 24],
        };
        [&header[..], packet].concat()
    }
}

/// A pcap file.
pub fn pcap(
    link: Link,
    endianness: Endianness,
    resolution: TsResolution,
    packets: &[Seen],
) -> Vec<u8> {
    let header = PcapHeader {
        datalink: link.number(),
        endianness,
        ts_resolution: resolution,
        snaplen: SNAPLEN,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for (at, packet) in packets {
        let frame = link.wrapped(packet);
        let length = u32::try_from(frame.len()).unwrap();
        let packet = PcapPacket::new(*at, length, &frame);
        writer.write_packet(&packet).unwrap();
    }
    writer.into_writer()
}

/// The usual sort of pcap file.
pub fn usual(packets: &[Seen]) -> Vec<u8> {
    pcap(
        Link::Ethernet,
        Endianness::Little,
        TsResolution::MicroSecond,
        packets,
    )
}

/// A section of a pcapng file, with an interface of each link type; packets take turns on them. Times are in units of a second
/// divided by what `resolution` says: tenths as often as its number, or, with its highest bit, halves.
pub fn pcapng(links: &[Link], endianness: Endianness, resolution: u8, packets: &[Seen]) -> Vec<u8> {
    let section = SectionHeaderBlock {
        endianness,
        ..SectionHeaderBlock::default()
    };
    let mut writer = PcapNgWriter::with_section_header(Vec::new(), section).unwrap();
    for link in links {
        let interface = InterfaceDescriptionBlock {
            linktype: link.number(),
            snaplen: SNAPLEN,
            options: vec![InterfaceDescriptionOption::IfTsResol(resolution)],
        };
        writer.write_pcapng_block(interface).unwrap();
    }
    for (number, (at, packet)) in packets.iter().enumerate() {
        let interface = number % links.len();
        let frame = links[interface].wrapped(packet);
        let block = EnhancedPacketBlock {
            interface_id: u32::try_from(interface).unwrap(),
            // The writer takes a unit for a nanosecond.
            timestamp: Duration::from_nanos(units(*at, resolution)),
            original_len: u32::try_from(frame.len()).unwrap(),
            data: Cow::Owned(frame),
            options: Vec::new(),
        };
        writer.write_pcapng_block(block).unwrap();
    }
    writer.into_inner()
}

fn units(at: Duration, resolution: u8) -> u64 {
    let in_a_second = if resolution & 0x80 == 0 {
        10_u128.pow(resolution.into())
    } else {
        1 << (resolution & 0x7f)
    };
    // Rounded up, so that no moment of a nanosecond is lost by rounding down twice.
    u64::try_from((at.as_nanos() * in_a_second).div_ceil(1_000_000_000)).unwrap()
}
