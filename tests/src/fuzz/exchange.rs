//! What is said on an open connection, and how it ends (S9, S21).

use isn_common::flow::Direction::{self, Inbound, Outbound};

use super::{
    author::Author,
    conversation::{Conversation, DATA, LAST, Stage},
    draft::{Draft, Number},
};
use crate::packet_builder::{ACK, FIN, RST, SYN, URG};

impl Author {
    fn says(&mut self, it: &mut Conversation, direction: Direction, flags: u8) -> Draft {
        match direction {
            Outbound => it.host_says(flags, &mut self.rng),
            Inbound => it.peer_says(flags, &mut self.rng),
        }
    }

    fn some_direction(&mut self) -> Direction {
        if self.rng.bool() { Outbound } else { Inbound }
    }

    fn amount(&mut self) -> usize {
        match self.rng.u8(..20) {
            0 => self.rng.usize(..1461),
            1 => 1460,
            2..=4 => 1,
            _ => self.rng.usize(1..100),
        }
    }

    /// A few segments with data, mostly acknowledged.
    pub fn exchange(&mut self, it: &mut Conversation) {
        for _ in 0..self.rng.usize(1..4) {
            let direction = self.some_direction();
            let mut data = self.says(it, direction, DATA);
            data.data = self.amount();
            if self.chance(20) {
                data.flags |= URG;
            }
            if self.chance(15) {
                data.error = self.rng.u16(..);
            }
            if self.chance(12) {
                self.fragments(it, &data);
                it.follow(&data, data.length());
            } else {
                self.say(it, &data);
            }
            if self.chance(3) {
                let answers = direction.opposite();
                let ack = self.says(it, answers, ACK);
                self.say(it, &ack);
            }
        }
    }

    /// Far ahead in one step, as after many segments that are not shown: within the window, or not.
    pub fn leap(&mut self, it: &mut Conversation) {
        let ack = it.peer_says(ACK, &mut self.rng);
        self.say(it, &ack);
        let room = it.edge.wrapping_sub(it.host);
        let by = match self.rng.u8(..4) {
            0 => room.wrapping_add(self.rng.u32(..5)).wrapping_sub(2),
            1 => self.rng.u32(..1 << 20),
            _ => self.rng.u32(..room.clamp(1, 1 << 30)),
        };
        it.host = it.host.wrapping_add(by);
        self.exchange(it);
    }

    /// Keepalives and probes of a closed window.
    pub fn probe(&mut self, it: &mut Conversation) {
        let direction = self.some_direction();
        let mut probe = self.says(it, direction, ACK);
        match self.rng.u8(..3) {
            0 => {
                probe.sequence = probe.sequence.plus(u32::MAX);
                probe.data = self.rng.usize(..2);
            }
            1 => {
                let mut full = it.peer_says(ACK, &mut self.rng);
                full.window = 0;
                self.say(it, &full);
                probe = it.host_says(ACK, &mut self.rng);
                probe.data = 1;
            }
            _ => probe.flags |= FIN,
        }
        self.aside(it, &probe);
        let answers = probe.direction.opposite();
        let answer = self.says(it, answers, ACK);
        self.say(it, &answer);
    }

    /// The same two acknowledgments by turns, of a connection that nobody in between knows. Where nothing is damaged: a
    /// flow that is made of another may share its cell and break the circle, and the model knows no cells.
    pub fn circle(&mut self, it: &mut Conversation) {
        let one = it.host_says(ACK, &mut self.rng);
        let other = it.peer_says(ACK, &mut self.rng);
        for _ in 0..self.rng.usize(12..24) {
            self.aside(it, &one);
            self.aside(it, &other);
        }
    }

    /// The end, by one of the many ways.
    pub fn close(&mut self, it: &mut Conversation) {
        match self.rng.u8(..10) {
            0 => self.reset(it, Outbound),
            1 => self.reset(it, Inbound),
            2 => {
                let direction = self.some_direction();
                self.finish(it, direction);
                self.exchange(it);
                return;
            }
            3 => {
                let fins = [Outbound, Inbound].map(|way| self.says(it, way, LAST));
                for fin in &fins {
                    self.say(it, fin);
                }
            }
            _ => {
                let first = self.some_direction();
                self.finish(it, first);
                let second = first.opposite();
                self.finish(it, second);
            }
        }
        it.stage = Stage::Closed;
    }

    fn finish(&mut self, it: &mut Conversation, direction: Direction) {
        let mut fin = self.says(it, direction, LAST);
        if self.chance(4) {
            fin.data = self.amount();
        }
        self.say(it, &fin);
        if self.chance(6) {
            self.aside(it, &fin);
        }
        let answers = direction.opposite();
        let ack = self.says(it, answers, ACK);
        self.say(it, &ack);
    }

    /// A late segment of the peer, and a host that knows nothing of it any more (RFC 9293 section 3.10.7.1).
    pub fn knock(&mut self, it: &mut Conversation) {
        let flags = if self.chance(3) { SYN } else { ACK };
        let late = it.peer_says(flags, &mut self.rng);
        self.aside(it, &late);
        let mut answer = it.host_says(RST, &mut self.rng);
        if late.flags & ACK == 0 || self.chance(4) {
            answer.flags |= ACK;
            answer.sequence = Number::fixed(0);
            answer.acknowledgment = late.sequence.plus(late.length());
        }
        self.aside(it, &answer);
    }

    fn reset(&mut self, it: &mut Conversation, direction: Direction) {
        let flags = if self.rng.bool() { RST } else { RST | ACK };
        let mut reset = self.says(it, direction, flags);
        match self.rng.u8(..8) {
            0 => reset.sequence = Number::fixed(0),
            1 => reset.acknowledgment = Number::fixed(0),
            2 => reset.sequence = reset.sequence.plus(self.rng.u32(..100_000)),
            3 => reset.data = self.rng.usize(..30),
            4 => reset.acknowledgment = Number::fixed(self.rng.u32(..)),
            _ => {}
        }
        self.aside(it, &reset);
    }

    /// A segment with any flags and numbers near or far.
    pub fn forge(&mut self, it: &mut Conversation) {
        let direction = self.some_direction();
        let flags = match self.rng.u8(..12) {
            0 => SYN,
            1 => SYN | ACK,
            2 => SYN | RST,
            3 => SYN | FIN,
            4 => RST,
            5 => RST | ACK,
            6 => FIN | ACK,
            7 | 8 => ACK,
            _ => self.rng.u8(..),
        };
        let scratch = (it.acknowledged, it.edge);
        let mut forged = self.says(it, direction, flags);
        (it.acknowledged, it.edge) = scratch;
        forged.sequence = self.near(forged.sequence);
        if flags & ACK != 0 || self.rng.bool() {
            forged.acknowledgment = self.near(forged.acknowledgment);
        }
        forged.data = if self.rng.bool() { 0 } else { self.amount() };
        forged.window = self.rng.u16(..);
        if self.chance(8) {
            self.fragments(it, &forged);
        } else {
            self.aside(it, &forged);
        }
    }

    fn near(&mut self, number: Number) -> Number {
        let limit = self
            .rng
            .choice([1u32 << 16, 1 << 20, 1 << 23, 1 << 26, 1 << 30, 1 << 31]);
        let around = limit
            .unwrap_or(0)
            .wrapping_add(self.rng.u32(..5))
            .wrapping_sub(2);
        match self.rng.u8(..10) {
            0 => Number::fixed(self.rng.u32(..)),
            1 => Number::fixed(0),
            2 => number.plus(around),
            3 => number.plus(0u32.wrapping_sub(around)),
            4 => number.plus(self.rng.u32(..1 << 20)),
            5 => number.plus(0u32.wrapping_sub(self.rng.u32(..1 << 20))),
            6 => number.plus(self.rng.u32(..5).wrapping_sub(2)),
            _ => number,
        }
    }
}
