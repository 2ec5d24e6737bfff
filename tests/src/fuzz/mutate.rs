//! Damage: flipped bits, cut, spliced, doubled and reordered packets, wrong lengths and checksums.

use fastrand::Rng;

use super::episode::{Episode, Packet, Step};

/// No hook gets a frame without an Ethernet header.
const SHORTEST: usize = 14;
/// Longer frames are not made.
const LONGEST: usize = 2900;

/// Damages some of an episode's packets.
pub fn mutate(episode: &mut Episode, rng: &mut Rng) {
    let one_in = rng.choice([8, 20, 60]).unwrap_or(20);
    let mut at = 0;
    while at < episode.steps.len() {
        if rng.u32(..one_in) == 0 {
            alter(&mut episode.steps, at, rng);
        }
        at += 1;
    }
}

fn alter(steps: &mut Vec<Step>, at: usize, rng: &mut Rng) {
    match rng.u8(..12) {
        0 => steps.insert(at, steps[at].clone()),
        1 if at > 0 => steps.swap(at, at - 1),
        2 if at > 0 => splice(steps, at, rng),
        _ => {
            if let Step::Packet(packet) = &mut steps[at] {
                for _ in 0..rng.usize(1..3) {
                    damage(packet, rng);
                }
            }
        }
    }
}

/// The end of an earlier frame behind the beginning of this one.
fn splice(steps: &mut [Step], at: usize, rng: &mut Rng) {
    let (before, rest) = steps.split_at_mut(at);
    let donor = &before[rng.usize(..before.len())];
    if let (Step::Packet(donor), Step::Packet(packet)) = (donor, &mut rest[0]) {
        let cut = rng.usize(SHORTEST..=packet.octets.len().min(donor.octets.len()));
        packet.octets.truncate(cut);
        packet.octets.extend_from_slice(&donor.octets[cut..]);
    }
}

fn damage(packet: &mut Packet, rng: &mut Rng) {
    let octets = &mut packet.octets;
    let length = octets.len();
    match rng.u8(..10) {
        0 => octets.truncate(rng.usize(SHORTEST..=length)),
        1 => octets.resize((length + rng.usize(..60)).min(LONGEST), 0x5a),
        2 => packet.direction = packet.direction.opposite(),
        3 => packet.stripped = Some(rng.u16(..16)),
        4 | 5 => {
            // The fields that rule the walks: versions, lengths, fragments, protocols, data offsets, options.
            let at = rng.usize(SHORTEST - 2..length.min(90));
            octets[at] = rng
                .choice([0, 1, 2, 5, 6, 8, 10, 0x45, 0x4f, 0x50, 0xf0, 0xff, 60])
                .unwrap_or(0);
        }
        _ => {
            let at = rng.usize(SHORTEST - 2..length.min(110));
            octets[at] ^= 1 << rng.u8(..8);
        }
    }
}
