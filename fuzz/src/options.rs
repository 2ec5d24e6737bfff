//! The walks over TCP options: SACK edges and timestamps move there and back, and nothing else does; the change that is given for
//! the checksum is the one that happened.
//!
//! The input is an offset of four octets, one octet of misalignment, and up to 40 octets of options.

use isn_common::{
    checksum::Change,
    host::Frame,
    tcp::{
        options::{self, Layout, SynOptions},
        sack,
        seq::Offset,
        timestamps::{self, Field, Move},
    },
};

use super::sum::sum;

/// Octets of the fixed header.
const FIXED: usize = 20;
/// Longest options.
const MOST: usize = 40;

/// Tries an input.
pub fn run(input: &[u8]) {
    let Some((offset, rest)) = input.split_first_chunk() else {
        return;
    };
    let Some((misaligned, options)) = rest.split_first() else {
        return;
    };
    let by = Offset(u32::from_be_bytes(*offset));
    let tcp = usize::from(misaligned % 8);
    let mut octets = vec![0; tcp + FIXED];
    octets.extend_from_slice(&options[..options.len().min(MOST)]);
    let frame = Frame::new(octets);
    let (start, end) = (tcp + FIXED, frame.octets.len());
    let read = SynOptions::read(&frame, start, end);
    assert_eq!(SynOptions::from_bits(read.to_bits()), read);
    let layout = options::layout(&frame, start, end);
    if layout != Layout::Other {
        assert!(!read.authenticated, "plain options are not signed");
    }
    if let Layout::Sacks(blocks) = layout {
        let (mut here, mut there) = (frame.clone(), frame.clone());
        assert_eq!(
            sack::behind_stamps_to_host(&mut here, start, blocks, by),
            sack::to_host(&mut there, start, end, tcp, by),
        );
        assert_eq!(here, there, "a walk finds the same edges");
    }
    if sack::may_hold(layout, start, end) {
        there_and_back(
            &frame,
            tcp,
            |frame, by| sack::to_host(frame, start, end, tcp, by).map(|moved| moved.change),
            by,
        );
    }
    let to = |field, by| Move { tcp, field, by };
    there_and_back(
        &frame,
        tcp,
        |frame, by| timestamps::shift(frame, start, end, to(Field::Value, by)),
        by,
    );
    echoes(&frame, start, end, to(Field::EchoReply, by));
}

fn there_and_back(
    came: &Frame,
    tcp: usize,
    shift: impl Fn(&mut Frame, Offset) -> Option<Change>,
    by: Offset,
) {
    let mut frame = came.clone();
    for by in [by, by.inverse()] {
        let before = sum(&frame.octets[tcp..]);
        let change = shift(&mut frame, by).expect("all octets are within reach");
        let after = sum(&frame.octets[tcp..]);
        let expected = (before + u64::from(change.folded())) % 0xffff;
        assert_eq!(after, expected, "the change is not the one that happened");
    }
    assert_eq!(frame, *came, "there and back is not the same");
}

/// An echo of 0 stays, so there may be no way back for one that becomes 0; but its place is the only one that changes.
fn echoes(came: &Frame, start: usize, end: usize, to: Move) {
    let mut frame = came.clone();
    let moved = timestamps::shift(&mut frame, start, end, to);
    assert!(moved.is_some(), "all octets are within reach");
    let value = |frame: &Frame| timestamps::value(frame, start, end);
    assert_eq!(
        value(&frame),
        value(came),
        "TSval is none of an echo's business"
    );
}
