//! Quotes in errors: only the message may change, its checksum leaves as right as it came, and so does the quoted one.
//!
//! The input is an octet of flags (1: inbound; 2: IPv6), and the ICMP message.

use isn_common::{datapath, flow::Direction, host::Frame, verdict::Verdict};

use super::{
    sum::sum,
    world::{FLOW4, FLOW6, world},
};

const INBOUND: u8 = 1;
const V6: u8 = 2;
/// Octets of a message that are looked at.
const LONGEST: usize = 1280;

/// Tries an input.
pub fn run(input: &[u8]) {
    let Some((flags, message)) = input.split_first() else {
        return;
    };
    let message = &message[..message.len().min(LONGEST)];
    let inbound = flags & INBOUND != 0;
    let octets = if flags & V6 == 0 {
        v4(message, inbound)
    } else {
        v6(message, inbound)
    };
    let direction = if inbound {
        Direction::Inbound
    } else {
        Direction::Outbound
    };
    let came = Frame::new(octets);
    let mut frame = came.clone();
    let verdict = datapath::run(&mut frame, &world(), direction);
    let at = frame.octets.len() - message.len();
    assert_eq!(frame.octets.len(), came.octets.len());
    assert_eq!(frame.octets[..at], came.octets[..at], "{verdict:?}");
    if verdict == Verdict::IcmpTranslated {
        let sums = [&came, &frame].map(|frame| sum(&frame.octets[at..]));
        assert_eq!(sums[0], sums[1], "the message's checksum");
    } else {
        assert_eq!(frame, came, "{verdict:?}, and yet octets changed");
    }
}

fn v4(message: &[u8], inbound: bool) -> Vec<u8> {
    let length = u16::try_from(20 + message.len()).expect("the message is short");
    let mut octets = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    octets.extend_from_slice(&length.to_be_bytes());
    octets.extend_from_slice(&[0, 0, 0x40, 0, 64, 1, 0, 0]);
    let ends = if inbound {
        [FLOW4.peer, FLOW4.host]
    } else {
        [FLOW4.host, FLOW4.peer]
    };
    octets.extend_from_slice(ends.as_flattened());
    octets.extend_from_slice(message);
    octets
}

fn v6(message: &[u8], inbound: bool) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("the message is short");
    let mut octets = vec![
        2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0,
    ];
    octets.extend_from_slice(&length.to_be_bytes());
    octets.extend_from_slice(&[58, 64]);
    let ends = if inbound {
        [FLOW6.peer, FLOW6.host]
    } else {
        [FLOW6.host, FLOW6.peer]
    };
    octets.extend_from_slice(ends.as_flattened());
    octets.extend_from_slice(message);
    octets
}
