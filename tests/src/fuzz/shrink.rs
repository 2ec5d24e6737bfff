//! Makes an episode that fails as short as it can be: steps are left out (delta debugging, Zeller and Hildebrandt 2002), then
//! what is left of each is made plainer.

use super::{
    episode::{Episode, Packet, Step},
    stencil::fit_length,
};

/// The shortest episode found for which `fails` holds, as it does for the given one.
#[must_use]
pub fn shrink(episode: &Episode, mut fails: impl FnMut(&Episode) -> bool) -> Episode {
    let mut best = episode.clone();
    loop {
        let before = best.clone();
        best = fewer_steps(best, &mut fails);
        best = plainer_steps(best, &mut fails);
        if best == before {
            return best;
        }
    }
}

fn fewer_steps(mut best: Episode, fails: &mut impl FnMut(&Episode) -> bool) -> Episode {
    let mut size = best.steps.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut found = false;
        while at < best.steps.len() {
            let mut shorter = best.clone();
            shorter.steps.drain(at..(at + size).min(best.steps.len()));
            if fails(&shorter) {
                best = shorter;
                found = true;
            } else {
                at += size;
            }
        }
        if size == 1 && !found {
            return best;
        }
        size = if size > 1 { size / 2 } else { 1 };
    }
}

fn plainer_steps(mut best: Episode, fails: &mut impl FnMut(&Episode) -> bool) -> Episode {
    for at in 0..best.steps.len() {
        for plainer in plainer(&best.steps[at]) {
            let mut candidate = best.clone();
            candidate.steps[at] = plainer;
            if candidate != best && fails(&candidate) {
                best = candidate;
            }
        }
    }
    best
}

/// Simpler steps to put in the place of one.
fn plainer(step: &Step) -> Vec<Step> {
    match step {
        Step::Wait(seconds) if *seconds > 300 => vec![Step::Wait(300)],
        Step::Packet(packet) => plainer_packets(packet)
            .into_iter()
            .map(Step::Packet)
            .collect(),
        _ => Vec::new(),
    }
}

fn plainer_packets(packet: &Packet) -> Vec<Packet> {
    let mut plainer = Vec::new();
    if packet.mark.is_some() {
        plainer.push(Packet {
            mark: None,
            ..packet.clone()
        });
    }
    for at in 0..packet.relocations.len() {
        let mut candidate = packet.clone();
        candidate.relocations.remove(at);
        plainer.push(candidate);
    }
    for kept in [0, 1] {
        plainer.extend(with_less_data(packet, kept));
    }
    plainer
}

/// The same with so much data at most; its checksum is wrong by what the data were.
fn with_less_data(packet: &Packet, kept: usize) -> Option<Packet> {
    let frame = &packet.octets;
    let (network_at, is_v4, headers) = match frame.get(12..14)? {
        [8, 0] => (14, true, usize::from(frame.get(14)? & 15) * 4),
        [0x86, 0xdd] if frame.get(20) == Some(&6) => (14, false, 40),
        _ => return None,
    };
    let tcp_at = network_at + headers;
    let end = tcp_at + usize::from(frame.get(tcp_at + 12)? >> 4) * 4 + kept;
    if end >= frame.len() || end < tcp_at + 20 {
        return None;
    }
    let mut shorter = packet.clone();
    shorter.octets.truncate(end);
    fit_length(&mut shorter.octets, network_at, is_v4);
    Some(shorter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(seconds: impl IntoIterator<Item = u32>) -> Episode {
        Episode {
            tick: None,
            steps: seconds.into_iter().map(Step::Wait).collect(),
        }
    }

    #[test]
    fn what_does_not_matter_is_left_out() {
        let matters = [Step::Wait(17), Step::Wait(61), Step::Wait(62)];
        let fails = |it: &Episode| matters.iter().all(|step| it.steps.contains(step));
        assert_eq!(shrink(&waits(0..100), fails), waits([17, 61, 62]));
    }

    #[test]
    fn nothing_is_left_of_what_always_fails() {
        assert_eq!(shrink(&waits(0..7), |_| true), waits([]));
    }

    #[test]
    fn data_that_do_not_matter_are_cut_off() {
        use isn_common::flow::Direction;

        use crate::packet_builder::{Carrier, host_data};
        let frame = |octets| Carrier::v4().frame(&host_data(1, 2, b"").octets(octets));
        let packet = |octets| Step::Packet(Packet::new(Direction::Outbound, frame(octets)));
        let episode = Episode {
            tick: None,
            steps: vec![packet(1000)],
        };
        let short = shrink(&episode, |it| it.steps.len() == 1);
        let Step::Packet(left) = &short.steps[0] else {
            panic!("another step")
        };
        assert_eq!(left.octets.len(), 54);
        assert_eq!(left.octets[..36], frame(0)[..36]);
    }
}
