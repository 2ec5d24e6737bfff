//! A segment being written: numbers that may move with an incarnation, options at any alignment, right checksums.

use isn_common::flow::Direction;

use super::{
    checksum::sum,
    episode::Packet,
    relocation::{Mark, Relocation, Space},
    stencil::{Part, Stencil},
};
use crate::packet_builder::ACK;

/// A number, and what it moves with.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    /// As it is written.
    pub value: u32,
    /// Space and label.
    pub moves: Option<(Space, u16)>,
}

impl Number {
    /// One that stays.
    #[must_use]
    pub const fn fixed(value: u32) -> Self {
        Self { value, moves: None }
    }

    /// One that moves with this incarnation.
    #[must_use]
    pub const fn of(space: Space, label: u16, value: u32) -> Self {
        Self {
            value,
            moves: Some((space, label)),
        }
    }

    /// This much ahead.
    #[must_use]
    pub const fn plus(self, by: u32) -> Self {
        Self {
            value: self.value.wrapping_add(by),
            moves: self.moves,
        }
    }

    fn relocation(self, at: usize, sums: [usize; 2]) -> Option<Relocation> {
        let (space, label) = self.moves?;
        let short = |place| u16::try_from(place).expect("frames are short");
        Some(Relocation {
            space,
            label,
            at: short(at),
            sums: sums.map(short),
        })
    }
}

/// Options, at most 40 octets: what does not fit is left out.
#[derive(Clone, Debug, Default)]
pub struct Options {
    octets: Vec<u8>,
    moving: Vec<(usize, Number)>,
    time_at: Option<usize>,
}

impl Options {
    const MOST: usize = 40;

    fn has_room(&self, octets: usize) -> bool {
        self.octets.len() + octets <= Self::MOST
    }

    /// Any octets.
    pub fn raw(&mut self, octets: &[u8]) {
        if self.has_room(octets.len()) {
            self.octets.extend_from_slice(octets);
        }
    }

    /// NOPs.
    pub fn nops(&mut self, count: usize) {
        if self.has_room(count) {
            self.octets.resize(self.octets.len() + count, 1);
        }
    }

    /// Timestamps (RFC 7323).
    pub fn time(&mut self, value: Number, echo: Number) {
        if self.has_room(10) {
            self.octets.extend_from_slice(&[8, 10]);
            self.time_at.get_or_insert(self.octets.len());
            self.number(value);
            self.number(echo);
        }
    }

    /// SACK blocks (RFC 2018).
    pub fn sack(&mut self, blocks: &[(Number, Number)]) {
        let length = 2 + 8 * blocks.len();
        if self.has_room(length) {
            self.octets.push(5);
            self.octets.extend(u8::try_from(length));
            for (left, right) in blocks {
                self.number(*left);
                self.number(*right);
            }
        }
    }

    fn number(&mut self, number: Number) {
        self.moving.push((self.octets.len(), number));
        self.octets.extend_from_slice(&number.value.to_be_bytes());
    }
}

/// A segment.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Which way.
    pub direction: Direction,
    /// Control bits.
    pub flags: u8,
    /// Sequence number.
    pub sequence: Number,
    /// Acknowledgment field.
    pub acknowledgment: Number,
    /// Window field.
    pub window: u16,
    /// Options.
    pub options: Options,
    /// Octets of data.
    pub data: usize,
    /// What the data, and fields of no meaning, are filled with.
    pub fill: u8,
    /// Added to the right checksum.
    pub error: u16,
    /// The label of the incarnation that it opens.
    pub opens: Option<u16>,
}

impl Draft {
    /// A segment without options and data.
    #[must_use]
    pub fn new(direction: Direction, flags: u8, sequence: Number, acknowledgment: Number) -> Self {
        Self {
            direction,
            flags,
            sequence,
            acknowledgment,
            window: 0xffff,
            options: Options::default(),
            data: 0,
            fill: 0,
            error: 0,
            opens: None,
        }
    }

    /// Numbers that it occupies.
    ///
    /// # Panics
    ///
    /// If it is longer than 4 GiB.
    #[must_use]
    pub fn length(&self) -> u32 {
        let flags = u32::from(self.flags & 1) + u32::from(self.flags >> 1 & 1);
        u32::try_from(self.data).expect("frames are short") + flags
    }

    /// The packet that carries it between these ports, the host's first.
    #[must_use]
    pub fn packet(&self, stencil: &Stencil, ports: [u16; 2]) -> Packet {
        let tcp = self.octets(stencil, ports);
        let frame = stencil.frame(self.direction, Part::Whole, &tcp);
        self.carried(stencil, Part::Whole, frame, tcp.len())
    }

    /// A fragment: the first so many octets of it, or what is behind its first eight.
    #[must_use]
    pub fn fragment(&self, stencil: &Stencil, ports: [u16; 2], first: Option<usize>) -> Packet {
        let tcp = self.octets(stencil, ports);
        if let Some(octets) = first {
            let piece = &tcp[..tcp.len().min(octets)];
            let frame = stencil.frame(self.direction, Part::First, piece);
            self.carried(stencil, Part::First, frame, piece.len())
        } else {
            let frame = stencil.frame(self.direction, Part::Last, &tcp[8..]);
            self.carried(stencil, Part::Last, frame, 0)
        }
    }

    fn octets(&self, stencil: &Stencil, [host, peer]: [u16; 2]) -> Vec<u8> {
        let (from, to) = match self.direction {
            Direction::Outbound => (host, peer),
            Direction::Inbound => (peer, host),
        };
        let header = 20 + self.options.octets.len().next_multiple_of(4);
        let mut tcp = Vec::with_capacity(header + self.data);
        tcp.extend_from_slice(&from.to_be_bytes());
        tcp.extend_from_slice(&to.to_be_bytes());
        tcp.extend_from_slice(&self.sequence.value.to_be_bytes());
        tcp.extend_from_slice(&self.acknowledgment.value.to_be_bytes());
        let offset = u8::try_from(header << 2).expect("at most 60 octets");
        tcp.extend_from_slice(&[offset | self.fill & 1, self.flags]);
        tcp.extend_from_slice(&self.window.to_be_bytes());
        tcp.extend_from_slice(&[0, 0, 0, self.fill]);
        tcp.extend_from_slice(&self.options.octets);
        tcp.resize(header, 0);
        tcp.resize(header + self.data, self.fill);
        let pseudo = stencil.pseudo(self.direction, Part::Whole, tcp.len());
        let wrong = u32::from(!sum(&tcp, pseudo)) + u32::from(self.error);
        tcp[16..18].copy_from_slice(&sum(&[], wrong).to_be_bytes());
        tcp
    }

    /// The frame with what moves in the first `shown` octets of the segment.
    fn carried(&self, stencil: &Stencil, part: Part, frame: Vec<u8>, shown: usize) -> Packet {
        let at = stencil.headers(self.direction, part);
        let sums = [if shown >= 18 { at + 16 } else { 0 }, 0];
        let mut packet = Packet::new(self.direction, frame);
        packet.stripped = stencil.stripped;
        let mut field = |place: usize, number: Number| {
            if place + 4 <= shown {
                packet
                    .relocations
                    .extend(number.relocation(at + place, sums));
            }
        };
        field(4, self.sequence);
        field(8, self.acknowledgment);
        for (place, number) in &self.options.moving {
            field(20 + place, *number);
        }
        let short = |place: usize| u16::try_from(at + place).expect("frames are short");
        packet.mark = self.opens.filter(|_| shown >= 20).map(|label| Mark {
            label,
            sequence_at: short(4),
            time_at: self.options.time_at.map(|place| short(20 + place)),
        });
        packet
    }

    /// With these control bits besides.
    #[must_use]
    pub const fn with(mut self, flags: u8) -> Self {
        self.flags |= flags;
        self
    }

    /// Without an acknowledgment: whatever the field has.
    #[must_use]
    pub const fn without_ack(mut self) -> Self {
        self.flags &= !ACK;
        self
    }
}

impl Options {
    /// Replaces the first TSval.
    pub fn set_time(&mut self, value: Number) {
        let Some(at) = self.time_at else { return };
        self.octets[at..at + 4].copy_from_slice(&value.value.to_be_bytes());
        for (place, number) in &mut self.moving {
            if *place == at {
                *number = value;
            }
        }
    }

    /// Without any.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
