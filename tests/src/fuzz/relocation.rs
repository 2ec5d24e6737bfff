//! Numbers in an episode's frames that are known only when it is played: a SYN may leave with another number, and everything
//! said later about that incarnation moves along.
//!
//! A SYN of the host bears a *label*. What it shifts its numbers by is remembered under that label, on the host's side and on the
//! wire; a [`Relocation`] adds such a shift to a field and brings the checksums over it up to date (RFC 1624), so that an
//! episode remains plain data and still follows a data plane whose jumps are unpredictable.

/// Which shift is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Sequence numbers as the host says them.
    HostSequence,
    /// Sequence numbers as the peer sees them.
    WireSequence,
    /// Timestamps as the host says them.
    HostTime,
    /// Timestamps as the peer sees them.
    WireTime,
}

/// A field to which a shift is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Which shift.
    pub space: Space,
    /// Of which incarnation.
    pub label: u16,
    /// Where the field lies in the frame.
    pub at: u16,
    /// Where the checksums over it lie: the innermost first; 0 for none.
    pub sums: [u16; 2],
}

/// Where a SYN of the host bears what its incarnation is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The incarnation's label.
    pub label: u16,
    /// Where the sequence number lies.
    pub sequence_at: u16,
    /// Where TSval lies, if there is one.
    pub time_at: Option<u16>,
}

/// What is added to the numbers of an incarnation.
#[derive(Clone, Copy, Debug, Default)]
struct Shift {
    host_sequence: u32,
    wire_sequence: u32,
    host_time: u32,
    wire_time: u32,
}

/// The shifts of an episode's incarnations so far.
#[derive(Debug, Default)]
pub struct Shifts(Vec<Shift>);

impl Shifts {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn of(&self, space: Space, label: u16) -> u32 {
        let shift = self.0.get(usize::from(label)).copied().unwrap_or_default();
        match space {
            Space::HostSequence => shift.host_sequence,
            Space::WireSequence => shift.wire_sequence,
            Space::HostTime => shift.host_time,
            Space::WireTime => shift.wire_time,
        }
    }

    /// Adds the shifts to a frame's fields. Fields and checksums that a mutation has cut off are left out.
    pub fn relocate(&self, frame: &mut [u8], relocations: &[Relocation]) {
        for relocation in relocations {
            let by = self.of(relocation.space, relocation.label);
            if by != 0 {
                add(frame, relocation, by);
            }
        }
    }

    /// Remembers what became of a marked SYN: as it is written in the episode, as it was sent, and as it left, if it did.
    pub fn learn(&mut self, mark: &Mark, written: &[u8], sent: &[u8], left: Option<&[u8]>) {
        let label = usize::from(mark.label);
        if self.0.len() <= label {
            self.0.resize(label + 1, Shift::default());
        }
        let shift = &mut self.0[label];
        let left = left.unwrap_or(sent);
        let by = |frame: &[u8], at| moved(written, frame, at);
        shift.host_sequence = by(sent, mark.sequence_at);
        shift.wire_sequence = by(left, mark.sequence_at);
        if let Some(at) = mark.time_at {
            shift.host_time = by(sent, at);
            shift.wire_time = by(left, at);
        }
    }
}

fn word(frame: &[u8], at: u16) -> Option<u32> {
    let octets = frame.get(usize::from(at)..)?.first_chunk()?;
    Some(u32::from_be_bytes(*octets))
}

fn moved(before: &[u8], after: &[u8], at: u16) -> u32 {
    match (word(before, at), word(after, at)) {
        (Some(before), Some(after)) => after.wrapping_sub(before),
        _ => 0,
    }
}

fn add(frame: &mut [u8], relocation: &Relocation, by: u32) {
    let Some(before) = word(frame, relocation.at) else {
        return;
    };
    let after = before.wrapping_add(by).to_be_bytes();
    write(frame, relocation.at, &after, &relocation.sums);
}

/// Writes octets and updates the checksums over them, each of which the outer ones cover too.
pub(super) fn write(frame: &mut [u8], at: u16, octets: &[u8], sums: &[u16]) {
    let start = usize::from(at);
    let field = start..start + octets.len();
    let old: Vec<u8> = frame[field.clone()].to_vec();
    frame[field].copy_from_slice(octets);
    let Some((inner, outer)) = sums.split_first() else {
        return;
    };
    if *inner != 0
        && let Some(sum) = frame
            .get(usize::from(*inner)..)
            .and_then(<[u8]>::first_chunk)
    {
        let odd = (at ^ inner) & 1 != 0;
        let updated = updated(u16::from_be_bytes(*sum), &old, octets, odd);
        write(frame, *inner, &updated.to_be_bytes(), outer);
    }
    write_nothing_but_sums(frame, at, &old, octets, outer);
}

/// The outer checksums cover the field itself as well.
fn write_nothing_but_sums(frame: &mut [u8], at: u16, old: &[u8], new: &[u8], sums: &[u16]) {
    for sum_at in sums.iter().filter(|at| **at != 0) {
        let place = usize::from(*sum_at);
        if let Some(sum) = frame.get(place..).and_then(<[u8]>::first_chunk) {
            let odd = (at ^ sum_at) & 1 != 0;
            let updated = updated(u16::from_be_bytes(*sum), old, new, odd);
            frame[place..place + 2].copy_from_slice(&updated.to_be_bytes());
        }
    }
}

/// RFC 1624 eqn. 3 over octets that begin in the upper or, if `odd`, in the lower half of a summed word.
fn updated(checksum: u16, old: &[u8], new: &[u8], odd: bool) -> u16 {
    let weight =
        |at: usize, octet: u8| u32::from(octet) << if (at % 2 == 1) == odd { 8 } else { 0 };
    let mut sum = u32::from(!checksum);
    for (at, (old, new)) in old.iter().zip(new).enumerate() {
        sum += 0xffff - weight(at, *old) + weight(at, *new);
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).expect("folded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::checksum::sum;

    const SEQUENCE: Relocation = Relocation {
        space: Space::WireSequence,
        label: 2,
        at: 3,
        sums: [8, 0],
    };

    fn shifted_by(by: u32) -> Shifts {
        let mut shifts = Shifts::default();
        let mark = Mark {
            label: 2,
            sequence_at: 0,
            time_at: None,
        };
        shifts.learn(&mark, &[0; 4], &[0; 4], Some(&by.to_be_bytes()));
        shifts
    }

    #[test]
    fn a_right_sum_stays_right_at_odd_offsets() {
        let mut frame = [7u8; 12];
        frame[8..10].copy_from_slice(&[0, 0]);
        let right = !sum(&frame, 0);
        frame[8..10].copy_from_slice(&right.to_be_bytes());
        shifted_by(0xfffe_fd03).relocate(&mut frame, &[SEQUENCE]);
        assert_eq!(
            frame[3..7],
            0x0707_0707u32.wrapping_add(0xfffe_fd03).to_be_bytes()
        );
        assert_eq!(sum(&frame, 0), 0xffff);
    }

    #[test]
    fn an_outer_sum_follows_the_field_and_the_inner_sum() {
        let mut frame: Vec<u8> = (0..32).collect();
        frame[2..4].copy_from_slice(&[0, 0]);
        let outer = !sum(&frame, 0);
        frame[2..4].copy_from_slice(&outer.to_be_bytes());
        let relocation = Relocation {
            at: 13,
            sums: [20, 2],
            ..SEQUENCE
        };
        shifted_by(0x1234_5678).relocate(&mut frame, &[relocation]);
        assert_ne!(frame[20..22], [20, 21]);
        assert_eq!(sum(&frame, 0), 0xffff);
    }

    #[test]
    fn fields_that_are_cut_off_are_left_out() {
        let mut frame = [1, 2, 3, 4, 5];
        shifted_by(9).relocate(&mut frame, &[SEQUENCE]);
        assert_eq!(frame, [1, 2, 3, 4, 5]);
    }
}
