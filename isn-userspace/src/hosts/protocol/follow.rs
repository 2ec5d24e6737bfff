//! Decisions as they go over the socket: frames of one size, each a sample, or the number of those that the one who follows
//! was too slow for.
//!
//! | frame, 80 octets |
//! |---|
//! | samples lost since the last frame (u64); 0 before a sample |
//! | the sample; zeros behind a number of lost ones |

use isn_common::abi::sample::Sample;

/// What somebody who follows hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A decision.
    Decision(Sample),
    /// So many were lost, since he did not listen fast enough.
    Lost(u64),
}

impl Event {
    /// Octets of a frame.
    pub const SIZE: usize = 8 + Sample::SIZE;

    /// Puts its frame behind what is there.
    pub fn write(&self, octets: &mut Vec<u8>) {
        match self {
            Self::Decision(sample) => {
                octets.extend([0; 8]);
                octets.extend(sample.to_octets());
            }
            Self::Lost(number) => {
                octets.extend(number.to_ne_bytes());
                octets.extend([0; Sample::SIZE]);
            }
        }
    }

    /// The event in a frame.
    #[must_use]
    pub fn read(frame: &[u8; Self::SIZE]) -> Self {
        let (lost, sample) = frame.split_at(8);
        let lost = lost.first_chunk().map_or(0, |it| u64::from_ne_bytes(*it));
        match sample.first_chunk() {
            Some(sample) if lost == 0 => Self::Decision(Sample::from_octets(sample)),
            _ => Self::Lost(lost),
        }
    }
}

/// Takes the whole frames out of what was read so far.
pub fn take(octets: &mut Vec<u8>) -> Vec<Event> {
    let (frames, rest) = octets.as_chunks::<{ Event::SIZE }>();
    let events = frames.iter().map(Event::read).collect();
    let rest = octets.len() - rest.len();
    octets.drain(..rest);
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::collector::tests::sample;

    #[test]
    fn events_come_through_in_order_however_they_are_cut() {
        let events = [
            Event::Decision(sample(1, 5)),
            Event::Lost(7),
            Event::Decision(sample(2, 6)),
        ];
        let mut sent = Vec::new();
        for event in &events {
            event.write(&mut sent);
        }
        assert_eq!(sent.len(), 3 * Event::SIZE);
        for cut in 0..sent.len() {
            let mut read = sent[..cut].to_vec();
            let mut heard = take(&mut read);
            assert_eq!(heard.len(), cut / Event::SIZE);
            read.extend(&sent[cut..]);
            heard.extend(take(&mut read));
            assert_eq!(heard, events);
            assert!(read.is_empty());
        }
    }
}
