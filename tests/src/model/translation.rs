//! What becomes of the octets: numbers moved, and checksums that follow (S9 to S12).

use super::{
    checksum::carried_over,
    flow::Translation,
    network::word,
    options::{Options, TcpOption, number},
    segment::{FIXED, Flags, Segment},
};

/// What was translated of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Translated {
    /// Whether anything was.
    pub any: bool,
    /// SACK edges among it.
    pub edges: u64,
}

/// Translates a segment of the host on its way to the peer.
///
/// Returns whether there was any number to translate.
pub fn outbound(frame: &mut [u8], segment: &Segment, translation: Translation) -> bool {
    let header = &mut frame[segment.at..segment.at + segment.header];
    with_checksum(header, |header| {
        move_number(header, 4, translation.sequence);
        let stamps = move_stamps(header, translation.stamp, 2, false);
        translation.sequence != 0 || stamps
    })
}

/// Translates a segment of the peer on its way to the host.
pub fn inbound(frame: &mut [u8], segment: &Segment, translation: Translation) -> Translated {
    if !segment.flags.ack() {
        return Translated::default();
    }
    let header = &mut frame[segment.at..segment.at + segment.header];
    with_checksum(header, |header| {
        acknowledgments(header, segment.flags, translation, u32::wrapping_neg)
    })
}

/// Moves the acknowledgment, the SACK edges and the `TSecr` of a header with ACK by `sign` of the translation: none of them in a
/// reset whose acknowledgment is 0, which acknowledges nothing.
pub fn acknowledgments(
    header: &mut [u8],
    flags: Flags,
    translation: Translation,
    sign: fn(u32) -> u32,
) -> Translated {
    if flags.rst() && number(header, 8) == 0 {
        return Translated::default();
    }
    let sequence = sign(translation.sequence);
    move_number(header, 8, sequence);
    let edges = move_edges(header, sequence);
    let stamps = move_stamps(header, sign(translation.stamp), 6, true);
    Translated {
        any: sequence != 0 || edges > 0 || stamps,
        edges,
    }
}

/// Runs `change` over the octets of a segment from its first on, and lets the checksum follow if it is among them.
pub fn with_checksum<T>(octets: &mut [u8], change: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut before = [0; 60];
    let length = octets.len().min(60);
    before[..length].copy_from_slice(&octets[..length]);
    let done = change(octets);
    if let Some(stored) = word(octets, 16) {
        let sum = carried_over(stored, &before[..length], &octets[..length]);
        octets[16..18].copy_from_slice(&sum.to_be_bytes());
    }
    done
}

/// Adds to the four octets at `at`.
pub fn move_number(octets: &mut [u8], at: usize, by: u32) {
    let moved = number(octets, at).wrapping_add(by);
    octets[at..at + 4].copy_from_slice(&moved.to_be_bytes());
}

/// The options of a header, as far as both it and the octets reach.
#[must_use]
pub fn options_of(header: &[u8]) -> Options<'_> {
    let length = header
        .get(12)
        .map_or(0, |octet| usize::from(octet >> 4) * 4);
    let end = length.min(header.len());
    Options::new(header.get(FIXED..end).unwrap_or(&[]))
}

/// Moves every `TSval` (`field` 2) or `TSecr` (`field` 6); whether there was any to move.
pub fn move_stamps(header: &mut [u8], by: u32, field: usize, zero_stays: bool) -> bool {
    if by == 0 {
        return false;
    }
    let mut found = [0; 4];
    let mut count = 0;
    for option in options_of(header).filter(TcpOption::is_timestamps) {
        if count < found.len() && !(zero_stays && number(option.octets, field) == 0) {
            found[count] = FIXED + option.at + field;
            count += 1;
        }
    }
    for at in &found[..count] {
        move_number(header, *at, by);
    }
    count > 0
}

fn move_edges(header: &mut [u8], by: u32) -> u64 {
    if by == 0 {
        return 0;
    }
    let mut found = [0; 10];
    let mut count = 0;
    for option in options_of(header) {
        for at in option.edges() {
            found[count] = FIXED + at;
            count += 1;
        }
    }
    for at in &found[..count] {
        move_number(header, *at, by);
    }
    count as u64
}
