//! Where the headers of a frame end, told at a glance: what must be within reach before they are read in earnest.

use super::{
    ethernet::{IPV4, IPV6, is_tag},
    tcp,
};
use crate::packet::Packet;

const TYPE_AT: usize = 12;
const ETHERNET: usize = 14;
const SHORTEST_IPV4: usize = 20;
const IPV6_HEADER: usize = 40;
/// Octets into an IP header, of the number of what it carries.
const PROTOCOL: usize = 9;
const NEXT_HEADER: usize = 6;
const UDP: u8 = 17;

/// Offset of the first octet that nobody asks for, where a glance tells it: not of frames with tags or extension headers, nor of ICMP, of which the
/// quote counts. `None` as well where the glance does not reach.
#[must_use]
#[inline(always)]
pub fn end<P: Packet>(packet: &P) -> Option<usize> {
    let (protocol, at) = match u16::from_be_bytes(packet.load(TYPE_AT)?) {
        IPV4 => {
            let [first] = packet.load(ETHERNET)?;
            let [protocol] = packet.load(ETHERNET.wrapping_add(PROTOCOL))?;
            (protocol, words(first & 0x0f).max(SHORTEST_IPV4))
        }
        IPV6 => {
            let [next] = packet.load(ETHERNET.wrapping_add(NEXT_HEADER))?;
            (next, IPV6_HEADER)
        }
        other => return (!is_tag(other)).then_some(ETHERNET),
    };
    let at = ETHERNET.wrapping_add(at);
    match protocol {
        tcp::PROTOCOL => {
            let [length] = packet.load(at.wrapping_add(tcp::DATA_OFFSET))?;
            Some(at.wrapping_add(words(length >> 4).max(tcp::SHORTEST)))
        }
        UDP => Some(at),
        _ => None,
    }
}

const fn words(number: u8) -> usize {
    (number as usize).wrapping_mul(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{headers::icmp, host::Frame};

    fn frame(ether_type: u16, ip: &[u8], carried: &[u8]) -> Frame {
        let mut octets = vec![0; TYPE_AT];
        octets.extend(ether_type.to_be_bytes());
        octets.extend(ip);
        octets.extend(carried);
        Frame::new(octets)
    }

    fn ipv4(first: u8, protocol: u8, length: usize) -> Vec<u8> {
        let mut header = vec![0; length];
        header[0] = first;
        header[PROTOCOL] = protocol;
        header
    }

    fn ipv6(next: u8) -> Vec<u8> {
        let mut header = vec![0; IPV6_HEADER];
        header[0] = 0x60;
        header[NEXT_HEADER] = next;
        header
    }

    fn tcp(length: u8) -> Vec<u8> {
        let mut header = vec![0; 60];
        header[tcp::DATA_OFFSET] = length << 4;
        header
    }

    #[test]
    fn of_tcp_they_end_behind_the_options() {
        for (words, length) in [(5, 20), (8, 32), (15, 60)] {
            let there = tcp(words);
            let cases = [
                (frame(IPV4, &ipv4(0x45, tcp::PROTOCOL, 20), &there), 34),
                (frame(IPV4, &ipv4(0x4f, tcp::PROTOCOL, 60), &there), 74),
                (frame(IPV6, &ipv6(tcp::PROTOCOL), &there), 54),
            ];
            for (frame, at) in cases {
                assert_eq!(end(&frame), Some(at + length));
            }
        }
    }

    /// What is shorter than it can be is read as if it were not, before it is refused.
    #[test]
    fn lengths_that_cannot_be_hide_nothing() {
        let short = frame(IPV4, &ipv4(0x41, tcp::PROTOCOL, 20), &tcp(2));
        assert_eq!(end(&short), Some(54));
        let short = frame(IPV6, &ipv6(tcp::PROTOCOL), &tcp(0));
        assert_eq!(end(&short), Some(74));
    }

    #[test]
    fn of_what_is_left_alone_the_rest_does_not_matter() {
        assert_eq!(end(&frame(IPV4, &ipv4(0x46, UDP, 24), &[])), Some(38));
        assert_eq!(end(&frame(IPV6, &ipv6(UDP), &[])), Some(54));
        assert_eq!(end(&frame(0x0806, &[], &[])), Some(14));
    }

    #[test]
    fn tags_extension_headers_and_quotes_are_not_for_a_glance() {
        let there = [0; 80];
        assert_eq!(end(&frame(0x8100, &there, &[])), None);
        assert_eq!(end(&frame(0x88a8, &there, &[])), None);
        assert_eq!(end(&frame(IPV6, &ipv6(0), &there)), None);
        for (type_, header) in [
            (IPV4, ipv4(0x45, icmp::PROTOCOL_V4, 20)),
            (IPV6, ipv6(icmp::PROTOCOL_V6)),
        ] {
            assert_eq!(end(&frame(type_, &header, &there)), None);
        }
    }

    #[test]
    fn what_is_out_of_reach_is_not_guessed() {
        let whole = frame(IPV4, &ipv4(0x45, tcp::PROTOCOL, 20), &tcp(5)).octets;
        for length in 0..=TYPE_AT + 2 + 20 + tcp::DATA_OFFSET {
            assert_eq!(end(&Frame::new(whole[..length].to_vec())), None, "{length}");
        }
    }
}
