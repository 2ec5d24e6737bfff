//! From samples as they were told to numbers that can be graded: those that a host chose, and those that left in their place.
//!
//! Where the data plane remembers a flow, a sample says where the incarnation before ended. Of hosts that are not guarded it
//! remembers nothing: there the number of the connection before on the same 4-tuple stands for its end, since data that was
//! sent cannot be known. A regression that is found so is one; one that lies within that data is missed. And the same number again
//! on the same 4-tuple is taken for a repetition.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use isn_common::{
    abi::{policy::Mode, sample::Flags, settings::Settings},
    tcp::seq::Seq,
};

use super::{Host, Kept, Samples};
use crate::grading::{ENOUGH, Graded, Sample, rewritten};

/// How long the connection before counts: as long as isnguard remembers one by default, in nanoseconds.
const HORIZON: u64 = Settings::DEFAULT_HISTORY_SECONDS as u64 * 1_000_000_000;

/// The numbers of a host.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// What the host chose.
    pub chosen: Samples,
    /// What left, while the host was in the mode that it is in now.
    pub left: Samples,
    /// That mode; `None` if the host is not guarded.
    pub mode: Option<Mode>,
}

/// What was seen last on a 4-tuple.
#[derive(Clone, Copy)]
struct Last {
    at: u64,
    host_isn: u32,
    wire_isn: u32,
}

/// The numbers in the samples of a host, which are in order of time.
#[must_use]
pub fn numbers(host: &Host) -> Numbers {
    let mut numbers = Numbers {
        mode: host.samples.last().and_then(|sample| sample.flags.mode()),
        ..Numbers::default()
    };
    let mut seen: HashMap<([u8; 16], [[u8; 2]; 2]), Last> = HashMap::new();
    for kept in &host.samples {
        let last = seen
            .insert((kept.peer, kept.ports), Last::of(kept))
            .filter(|last| kept.at.saturating_sub(last.at) < HORIZON);
        let remembered = kept.flags.has(Flags::REMEMBERED);
        let repeated = |number: u32, before: Option<u32>| !remembered && before == Some(number);
        if !repeated(kept.host_isn, last.map(|last| last.host_isn)) {
            let before = last.map(|last| last.host_isn);
            numbers
                .chosen
                .push(kept.number(kept.host_isn, kept.host_mark, before));
        }
        // Another number of the host for a SYN that nobody has answered leaves as the same one (S5).
        let again = !kept.flags.has(Flags::MARKED)
            && last.is_some_and(|last| last.wire_isn == kept.wire_isn);
        if kept.flags.mode() == numbers.mode && !again {
            let before = last.map(|last| last.wire_isn);
            numbers
                .left
                .push(kept.number(kept.wire_isn, kept.wire_mark, before));
        }
    }
    numbers
}

impl Numbers {
    /// Whether what left says something: isnguard is at work, and enough has left.
    #[must_use]
    pub fn are_measured(&self) -> bool {
        matches!(self.mode, Some(Mode::Monotonic | Mode::Keyed)) && self.left.len() >= ENOUGH
    }

    /// Grades of the host with this address.
    #[must_use]
    pub fn graded(&self, host: IpAddr) -> Graded {
        if self.are_measured() {
            Graded::measured(host, &self.chosen, &self.left)
        } else {
            Graded::predicted(host, &self.chosen)
        }
    }

    /// What left or would leave in the mode that is advised; `None` if that is what the host chose.
    #[must_use]
    pub fn after(&self, graded: &Graded) -> Option<Samples> {
        if self.are_measured() {
            Some(self.left.clone())
        } else {
            rewritten(graded.before.advice, graded.host, &self.chosen)
        }
    }
}

impl Last {
    const fn of(kept: &Kept) -> Self {
        Self {
            at: kept.at,
            host_isn: kept.host_isn,
            wire_isn: kept.wire_isn,
        }
    }
}

impl Kept {
    /// One of its numbers, with its distance from the end of the incarnation before, which is `mark` if it is known, or
    /// from the number with which that one began.
    fn number(&self, isn: u32, mark: u32, before: Option<u32>) -> Sample {
        let from = |end: Seq| Seq(isn).distance_from(end);
        let ahead = if self.flags.has(Flags::MARKED) {
            Some(from(Seq(mark)))
        } else if self.flags.has(Flags::REMEMBERED) {
            None
        } else {
            before.map(|before| from(Seq(before).advanced(1)))
        };
        Sample {
            at: Duration::from_nanos(self.at),
            peer: Ipv6Addr::from(self.peer).to_canonical(),
            peer_port: u16::from_be_bytes(self.ports[1]),
            host_port: u16::from_be_bytes(self.ports[0]),
            isn,
            ahead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{grading::After, hosts::collector::tests::id};

    const SECOND: u64 = 1_000_000_000;
    const MONOTONIC: Flags = Flags::of_mode(Some(Mode::Monotonic));

    fn kept(at: u64, port: u16, host_isn: u32, flags: Flags) -> Kept {
        Kept {
            at,
            peer: Ipv6Addr::LOCALHOST.octets(),
            ports: [port.to_be_bytes(), [0, 80]],
            host_isn,
            wire_isn: host_isn.wrapping_add(100_000),
            host_mark: 50,
            wire_mark: 60,
            flags,
        }
    }

    fn of(samples: Vec<Kept>) -> Numbers {
        numbers(&Host {
            id: id(1),
            syns: 0,
            rewritten: 0,
            samples,
        })
    }

    fn shown(samples: &[Sample]) -> Vec<(u32, Option<i32>)> {
        samples.iter().map(|it| (it.isn, it.ahead)).collect()
    }

    #[test]
    fn marks_of_the_data_plane_count_in_both_numberings() {
        let marked = MONOTONIC.with(Flags::REMEMBERED | Flags::MARKED);
        let numbers = of(vec![kept(1, 1, 10, marked)]);
        assert_eq!(shown(&numbers.chosen), [(10, Some(-40))]);
        assert_eq!(shown(&numbers.left), [(100_010, Some(99_950))]);
    }

    #[test]
    fn without_memory_the_connection_before_stands_for_its_end_within_the_horizon() {
        let stranger = Flags::of_mode(None);
        let numbers = of(vec![
            kept(SECOND, 1, 10, stranger),
            kept(2 * SECOND, 2, 5, stranger),
            kept(3 * SECOND, 1, 10, stranger),
            kept(4 * SECOND, 1, 11, stranger),
            kept(5 * SECOND, 1, 20, stranger),
            kept(5 * SECOND + HORIZON, 1, 1, stranger),
        ]);
        let wanted = [
            (10, None),
            (5, None),
            (11, Some(0)),
            (20, Some(8)),
            (1, None),
        ];
        assert_eq!(shown(&numbers.chosen), wanted);
        assert_eq!(numbers.mode, None);
    }

    #[test]
    fn a_remembered_flow_without_an_end_says_nothing_and_repeats_nothing() {
        let remembered = MONOTONIC.with(Flags::REMEMBERED);
        let mut second = kept(2, 1, 10, remembered);
        let numbers = of(vec![kept(1, 1, 10, MONOTONIC), second]);
        assert_eq!(shown(&numbers.chosen), [(10, None), (10, None)]);
        // Half-open: another number, which leaves as the one before.
        second.host_isn = 11;
        let numbers = of(vec![kept(1, 1, 10, MONOTONIC), second]);
        assert_eq!(shown(&numbers.chosen), [(10, None), (11, None)]);
        assert_eq!(shown(&numbers.left), [(100_010, None)]);
    }

    #[test]
    fn only_numbers_that_left_in_the_mode_of_now_are_measured() {
        let many = |flags: Flags, from: u16, count: u16| -> Vec<Kept> {
            (from..from + count)
                .map(|port| kept(port.into(), port, port.into(), flags))
                .collect()
        };
        let enough = u16::try_from(ENOUGH).unwrap();
        let keyed = Flags::of_mode(Some(Mode::Keyed));
        let mut samples = many(MONOTONIC, 0, 20);
        samples.extend(many(keyed, 20, enough - 1));
        let numbers = of(samples.clone());
        assert_eq!(numbers.mode, Some(Mode::Keyed));
        assert!(!numbers.are_measured());
        assert_eq!(numbers.graded(id(1).address).is_after, After::Predicted);
        samples.extend(many(keyed, 100, 1));
        let numbers = of(samples);
        assert_eq!(numbers.left.len(), ENOUGH);
        assert_eq!(numbers.chosen.len(), 20 + ENOUGH);
        assert_eq!(numbers.graded(id(1).address).is_after, After::Measured);
    }

    #[test]
    fn an_observed_host_is_predicted() {
        let samples = (0..30).map(|port| {
            kept(
                port.into(),
                port,
                64_000 * u32::from(port),
                Flags::of_mode(Some(Mode::Observe)),
            )
        });
        let numbers = of(samples.collect());
        let graded = numbers.graded(id(1).address);
        assert_eq!(graded.is_after, After::Predicted);
        assert!(graded.after.grade < graded.before.grade, "{graded:?}");
    }
}
