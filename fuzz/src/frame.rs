//! Frames through the whole data plane: none makes it panic, none changes its length, and what passes passes as it came.
//!
//! The input is frames behind one another: an octet of flags (1: inbound; 2: a tag was taken out, and two octets say which), two
//! octets of length, and as many of the frame.

use isn_common::{
    counter::{Counter, Kind},
    datapath,
    flow::Direction,
    host::{Frame, Memory},
    verdict::Verdict,
};

use super::world::world;

const INBOUND: u8 = 1;
const STRIPPED: u8 = 2;

/// Tries an input.
pub fn run(input: &[u8]) {
    let memory = world();
    let mut rest = input;
    let mut frames = 0;
    while let Some((direction, frame, behind)) = first(rest) {
        judge(&memory, direction, &frame);
        frames += 1;
        rest = behind;
    }
    let outcomes = Counter::ALL.iter().filter(|it| it.kind() == Kind::Outcome);
    let counted: u64 = outcomes.map(|it| memory.counter(*it)).sum();
    assert_eq!(counted, frames, "each frame is counted as one outcome");
}

fn judge(memory: &Memory, direction: Direction, came: &Frame) {
    let mut frame = came.clone();
    let verdict = datapath::run(&mut frame, memory, direction);
    assert_eq!(frame.octets.len(), came.octets.len(), "{verdict:?}");
    if matches!(verdict, Verdict::Pass(_)) {
        assert_eq!(frame, *came, "{verdict:?}, and yet octets changed");
    }
}

fn first(input: &[u8]) -> Option<(Direction, Frame, &[u8])> {
    let (flags, mut rest) = input.split_first()?;
    let direction = if flags & INBOUND == 0 {
        Direction::Outbound
    } else {
        Direction::Inbound
    };
    let mut stripped_tag = None;
    if flags & STRIPPED != 0 {
        let (tag, behind) = rest.split_first_chunk()?;
        (stripped_tag, rest) = (Some(u16::from_be_bytes(*tag)), behind);
    }
    let (length, behind) = rest.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
    let (octets, behind) = behind.split_at(length);
    let frame = Frame {
        octets: octets.to_vec(),
        stripped_tag,
    };
    Some((direction, frame, behind))
}
