//! Who writes an episode: the steps so far, chance, and what is needed to speak of earlier packets.

use std::rc::Rc;

use fastrand::Rng;
use isn_common::flow::Direction::{self, Inbound, Outbound};

use super::{
    checksum::sum,
    conversation::Conversation,
    draft::Draft,
    episode::{Instance, Packet, Step},
    relocation::{Relocation, Space},
    stencil::{Part, Stencil},
};

/// A segment that was said, for those who quote or repeat it.
struct Said {
    step: usize,
    stencil: Rc<Stencil>,
}

/// Writes steps.
pub struct Author {
    /// Chance.
    pub rng: Rng,
    /// What happens.
    pub steps: Vec<Step>,
    said: Vec<Said>,
    labels: u16,
    /// Whether keyed mode is in use from the beginning.
    pub(super) has_keys: bool,
    /// The settings as they are.
    pub(super) instance: Instance,
}

impl Author {
    /// An empty page.
    #[must_use]
    pub const fn new(rng: Rng) -> Self {
        Self {
            rng,
            steps: Vec::new(),
            said: Vec::new(),
            labels: 0,
            has_keys: false,
            instance: Instance::DEFAULT,
        }
    }

    /// A label that nobody has.
    pub const fn label(&mut self) -> u16 {
        self.labels += 1;
        self.labels
    }

    /// One in `of`.
    pub fn chance(&mut self, of: u32) -> bool {
        self.rng.u32(..of) == 0
    }

    /// Lets a segment be sent, and its sender remember it.
    pub fn say(&mut self, conversation: &mut Conversation, draft: &Draft) {
        self.aside(conversation, draft);
        conversation.follow(draft, draft.length());
    }

    /// Lets a segment be sent that its sender does not count.
    pub fn aside(&mut self, conversation: &Conversation, draft: &Draft) {
        let packet = draft.packet(&conversation.stencil, conversation.ports);
        self.said.push(Said {
            step: self.steps.len(),
            stencil: Rc::clone(&conversation.stencil),
        });
        self.steps.push(Step::Packet(packet));
    }

    /// Lets the fragments of a segment be sent.
    pub fn fragments(&mut self, conversation: &Conversation, draft: &Draft) {
        let first = 8 * self.rng.usize(1..=9);
        for piece in [Some(first), None] {
            let packet = draft.fragment(&conversation.stencil, conversation.ports, piece);
            self.steps.push(Step::Packet(packet));
        }
    }

    fn recent(&mut self, depth: usize) -> Option<(Packet, Rc<Stencil>)> {
        let known = self.said.len();
        let at = known.checked_sub(1 + self.rng.usize(..depth))?;
        let said = &self.said[at];
        match &self.steps[said.step] {
            Step::Packet(packet) => Some((packet.clone(), Rc::clone(&said.stencil))),
            _ => None,
        }
    }

    /// Sends a packet again that was sent before: one of the last so many.
    pub fn repeat(&mut self, depth: usize) {
        if let Some((mut packet, _)) = self.recent(depth) {
            // A repeated SYN opens what the first one did, by what it leaves with now.
            if self.chance(2) {
                packet.mark = None;
            }
            self.steps.push(Step::Packet(packet));
        }
    }

    /// An ICMP message about a recent segment, to its sender.
    pub fn complain(&mut self) {
        let Some((packet, stencil)) = self.recent(12) else {
            return;
        };
        let direction = packet.direction.opposite();
        let part = if self.chance(2) {
            Part::Icmp
        } else {
            Part::RouterIcmp
        };
        let tcp_at = stencil.headers(packet.direction, Part::Whole);
        let datagram = stencil.datagram(&packet.octets);
        let shown = match self.rng.u8(..6) {
            0 => self.rng.usize(..20),
            1 => 8,
            2 | 3 => self.rng.usize(18..70),
            _ => usize::MAX,
        };
        let end = datagram.end.min(tcp_at.saturating_add(shown));
        let quote = &packet.octets[datagram.start..end];
        let mut message = self.icmp_header(&stencil, quote.len());
        message.extend_from_slice(quote);
        let behind = if self.chance(4) {
            self.rng.usize(..40)
        } else {
            0
        };
        message.resize(message.len() + behind, 0xe7);
        let headers = stencil.headers(direction, part);
        let right = !sum(&message, stencil.pseudo(direction, part, message.len()));
        let error = if self.chance(10) { self.rng.u16(..) } else { 0 };
        let checksum = sum(&[], u32::from(right) + u32::from(error));
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
        let mut frame = stencil.frame(direction, part, &message);
        if stencil.is_v4 && self.chance(25) {
            // More fragments, or an offset; nobody here looks at the header's own checksum.
            frame[stencil.network_at + 6] = self.rng.choice([0x20, 0x01]).unwrap_or(0x20);
        }
        let mut error = Packet::new(direction, frame);
        error.stripped = stencil.stripped;
        let quoted_at = headers + 8;
        let moves = quoted(&packet, datagram.start..end, quoted_at, tcp_at, headers + 2);
        error.relocations.extend(moves);
        self.steps.push(Step::Packet(error));
    }

    fn icmp_header(&mut self, stencil: &Stencil, quoted: usize) -> Vec<u8> {
        let kind = if stencil.is_v4 {
            self.rng.choice([3, 3, 3, 4, 5, 11, 12, 8, 0, 13])
        } else {
            self.rng.choice([1, 2, 2, 2, 3, 4, 128, 135, 137])
        };
        let mut header = vec![kind.unwrap_or(3), self.rng.u8(..6), 0, 0, 0, 0, 5, 0x78];
        // RFC 4884: mostly nothing, sometimes right, sometimes anything.
        let unit = if stencil.is_v4 { 4 } else { 8 };
        let length = match self.rng.u8(..8) {
            0 => self.rng.u8(..),
            1 => self.rng.u8(..30),
            2 => u8::try_from(quoted.div_ceil(unit)).unwrap_or(0),
            _ => 0,
        };
        header[if stencil.is_v4 { 5 } else { 4 }] = length;
        header
    }

    /// Octets that mean nothing, behind a beginning that may.
    pub fn babble(&mut self) {
        let direction = if self.rng.bool() { Outbound } else { Inbound };
        let mut octets: Vec<u8> = match self.recent(20) {
            Some((packet, stencil)) if self.rng.bool() => {
                let cut = self.rng.usize(14..60).min(packet.octets.len());
                packet.octets[..cut.max(stencil.network_at)].to_vec()
            }
            _ => {
                let mut start = vec![2; 12];
                let ether_type = [
                    [8, 0],
                    [0x86, 0xdd],
                    [0x81, 0],
                    [0x88, 0xa8],
                    [8, 6],
                    [0x88, 0x47],
                ];
                start.extend(self.rng.choice(ether_type).unwrap_or([8, 0]));
                start
            }
        };
        let more = self.rng.usize(..120);
        octets.extend(std::iter::repeat_with(|| self.rng.u8(..)).take(more));
        self.steps
            .push(Step::Packet(Packet::new(direction, octets)));
    }
}

/// What moves in a quote: the sender is told its own numbers, which it sees on its side.
fn quoted(
    packet: &Packet,
    datagram: std::ops::Range<usize>,
    quoted_at: usize,
    tcp_at: usize,
    outer: usize,
) -> Vec<Relocation> {
    let place = |at: usize| at - datagram.start + quoted_at;
    let short = |at: usize| u16::try_from(at).expect("frames are short");
    let inner = if tcp_at + 18 <= datagram.end {
        short(place(tcp_at + 16))
    } else {
        0
    };
    let shown = |relocation: &&Relocation| usize::from(relocation.at) + 4 <= datagram.end;
    let moved = |relocation: &Relocation| Relocation {
        space: across(relocation.space, packet.direction),
        at: short(place(usize::from(relocation.at))),
        sums: [inner, short(outer)],
        ..*relocation
    };
    packet.relocations.iter().filter(shown).map(moved).collect()
}

/// The space of a number in a packet behind the data plane.
const fn across(space: Space, direction: Direction) -> Space {
    match (direction, space) {
        (Outbound, Space::HostSequence) => Space::WireSequence,
        (Outbound, Space::HostTime) => Space::WireTime,
        (Inbound, Space::WireSequence) => Space::HostSequence,
        (Inbound, Space::WireTime) => Space::HostTime,
        (_, space) => space,
    }
}
