//! How connections open: by the host, by the peer, by both; with everything that can happen to a SYN (S1 to S8).

use isn_common::flow::Direction::{Inbound, Outbound};

use super::{
    author::Author,
    conversation::{Conversation, Stage},
    draft::{Draft, Number},
    relocation::Space,
};
use crate::packet_builder::{ACK, CWR, ECE, RST, SYN};

impl Author {
    /// Opens a connection, or tries to.
    pub fn open(&mut self, it: &mut Conversation) {
        self.choose_ends(it);
        match self.rng.u8(..10) {
            0 | 1 => self.open_passive(it),
            2 => self.open_from_both(it),
            _ => self.open_active(it),
        }
    }

    fn choose_ends(&mut self, it: &mut Conversation) {
        if it.label == 0 || self.chance(6) {
            it.timed = self.rng.bool();
            let scale =
                |author: &mut Self| author.rng.choice([0, 2, 7, 14, 15, 99, 99]).unwrap_or(0);
            it.scales = [scale(self), scale(self)];
        }
        it.peer = self.around_edges();
        it.clocks[1] = it.clocks[1].wrapping_add(self.rng.u32(..1000));
    }

    /// Any number, often one near a place where arithmetic goes wrong.
    pub fn around_edges(&mut self) -> u32 {
        let edge = self.rng.choice([0u32, 0, 0x7fff_ffff, 0x8000_0000, 1]);
        match self.rng.u8(..4) {
            0 => edge.unwrap_or(0).wrapping_sub(self.rng.u32(..3000)),
            1 => edge.unwrap_or(0),
            _ => self.rng.u32(..),
        }
    }

    /// The next initial number: mostly one that goes back, sometimes one at a limit, sometimes a good one.
    fn next_isn(&mut self, it: &Conversation) -> Number {
        if it.label == 0 {
            return Number::fixed(self.around_edges());
        }
        let beyond_edge = it.wire_number(it.edge);
        let beyond_mark = it.wire_number(it.host);
        match self.rng.u8(..16) {
            0 => it.host_number(it.isn),
            1 => Number::fixed(self.around_edges()),
            2 => beyond_mark.plus(self.rng.u32(..3).wrapping_sub(1)),
            3 => beyond_edge.plus(self.rng.u32(..3).wrapping_sub(1)),
            4 => beyond_mark.plus((1u32 << 31).wrapping_add(self.rng.u32(..3)).wrapping_sub(1)),
            5 => beyond_mark.plus(self.rng.u32(..1 << 31)),
            6 => it.host_number(it.host).plus(self.rng.u32(..70_000)),
            7 | 8 => it
                .host_number(it.isn)
                .plus(0u32.wrapping_sub(self.rng.u32(1..100_000))),
            _ => it
                .host_number(it.host)
                .plus(0u32.wrapping_sub(self.rng.u32(..1 << 30))),
        }
    }

    /// The host's clock at a new incarnation: it goes on, or it has begun again.
    fn next_clock(&mut self, it: &mut Conversation) -> Number {
        let host = |value| Number::of(Space::HostTime, it.label, value);
        let wire = |value| Number::of(Space::WireTime, it.label, value);
        let now = it.clocks[0];
        if !it.may_regress || it.label == 0 {
            return Number::fixed(now.wrapping_add(self.rng.u32(1..2000)));
        }
        match self.rng.u8(..8) {
            0..=2 => host(now.wrapping_add(self.rng.u32(..2000))),
            3 | 4 => host(now.wrapping_sub(self.rng.u32(1..1 << 30))),
            5 => wire(now.wrapping_add(self.rng.u32(..3)).wrapping_sub(1)),
            6 => Number::fixed(self.rng.u32(..1000)),
            _ => wire(
                now.wrapping_add((1 << 31) - 1)
                    .wrapping_add(self.rng.u32(..3)),
            ),
        }
    }

    /// A SYN or SYN-ACK of the host with which a new incarnation begins.
    fn first_of_host(&mut self, it: &mut Conversation, flags: u8) -> Draft {
        let isn = self.next_isn(it);
        let clock = self.next_clock(it);
        let label = self.label();
        it.clocks[0] = clock.value;
        let mut draft = it.host_says(flags, &mut self.rng);
        draft.sequence = isn;
        draft.options.set_time(clock);
        draft.opens = Some(label);
        it.label = label;
        (it.isn, it.host) = (isn.value, isn.value);
        it.acknowledged = isn.value;
        it.edge = isn.value;
        if self.chance(12) {
            draft.data = self.rng.usize(1..200);
        }
        if self.chance(30) {
            draft.flags |= ECE | CWR;
        }
        draft
    }

    fn open_active(&mut self, it: &mut Conversation) {
        let syn = self.first_of_host(it, SYN);
        self.say(it, &syn);
        it.stage = Stage::HalfOpen;
        let mut syn = syn;
        syn.sequence = it.host_number(it.isn);
        syn.opens = None;
        while self.chance(4) {
            self.repeat_syn(it, &mut syn);
        }
        match self.rng.u8(..12) {
            0 => {}
            1 => self.refuse(it),
            2 => {
                // Another number, unanswered (S5); the answer to the first may be on its way.
                let late = it.peer_says(SYN | ACK, &mut self.rng);
                let again = self.first_of_host(it, SYN);
                self.say(it, &again);
                if self.rng.bool() {
                    self.aside(it, &late);
                }
                self.answer(it);
            }
            _ => self.answer(it),
        }
    }

    fn repeat_syn(&mut self, it: &mut Conversation, syn: &mut Draft) {
        match self.rng.u8(..5) {
            0 => syn.data = self.rng.usize(..100),
            1 => syn.options.clear(),
            2 => {
                it.clocks[0] = it.clocks[0].wrapping_add(1000);
                syn.options
                    .set_time(Number::of(Space::HostTime, it.label, it.clocks[0]));
            }
            3 => self.pause(),
            _ => {}
        }
        self.aside(it, syn);
    }

    /// A SYN-ACK of the peer, sometimes lost or repeated, and what the host says to it.
    fn answer(&mut self, it: &mut Conversation) {
        let syn_ack = it.peer_says(SYN | ACK, &mut self.rng);
        self.say(it, &syn_ack);
        while self.chance(5) {
            self.aside(it, &syn_ack);
        }
        if self.has_keys && self.chance(25) {
            self.change_keys();
        }
        let ack = it.host_says(ACK, &mut self.rng);
        self.say(it, &ack);
        it.stage = Stage::Open;
    }

    /// The peer's port is closed: the several ways to say so.
    fn refuse(&mut self, it: &mut Conversation) {
        let mut reset = it.peer_says(RST | ACK, &mut self.rng);
        reset.sequence = Number::fixed(0);
        match self.rng.u8(..4) {
            0 => reset.acknowledgment = Number::fixed(0),
            1 => reset = reset.without_ack(),
            _ => {}
        }
        self.aside(it, &reset);
        it.stage = Stage::Closed;
    }

    fn open_passive(&mut self, it: &mut Conversation) {
        let syn = it.peer_says(SYN, &mut self.rng);
        self.say(it, &syn);
        if self.chance(5) {
            // The host's port is closed.
            let mut reset = it.host_says(RST | ACK, &mut self.rng);
            reset.sequence = Number::fixed(0);
            self.aside(it, &reset);
            it.stage = Stage::Closed;
            return;
        }
        let syn_ack = self.first_of_host(it, SYN | ACK);
        self.say(it, &syn_ack);
        while self.chance(5) {
            let again = Draft {
                sequence: it.host_number(it.isn),
                opens: None,
                ..syn_ack.clone()
            };
            self.aside(it, &again);
        }
        let ack = it.peer_says(ACK, &mut self.rng);
        self.say(it, &ack);
        it.stage = Stage::Open;
    }

    /// Simultaneous open (RFC 9293 section 3.5, figure 7).
    fn open_from_both(&mut self, it: &mut Conversation) {
        let syn = self.first_of_host(it, SYN);
        self.say(it, &syn);
        let crossing = it.peer_says(SYN, &mut self.rng);
        self.say(it, &crossing);
        let mut host = it.host_says(SYN | ACK, &mut self.rng);
        host.sequence = it.host_number(it.isn);
        let mut peer = it.peer_says(SYN | ACK, &mut self.rng);
        peer.sequence = crossing.sequence;
        self.aside(it, &host);
        self.aside(it, &peer);
        for direction in [Outbound, Inbound] {
            let ack = match direction {
                Outbound => it.host_says(ACK, &mut self.rng),
                Inbound => it.peer_says(ACK, &mut self.rng),
            };
            self.say(it, &ack);
        }
        it.stage = Stage::Open;
    }

    /// A SYN of the host on a flow that is open (S6): the peer challenges it, and the host resets what it does not know.
    pub fn forget_and_open(&mut self, it: &mut Conversation) {
        let living = it.label;
        let mut syn = it.host_says(SYN, &mut self.rng);
        syn.sequence = self.next_isn(it);
        self.aside(it, &syn);
        let challenge = it.peer_says(ACK, &mut self.rng);
        self.aside(it, &challenge);
        let exact = Number::of(Space::HostSequence, living, it.host);
        let reset = Draft::new(Outbound, RST, exact, Number::fixed(0));
        self.aside(it, &reset);
        it.stage = Stage::Closed;
        if self.rng.bool() {
            self.open(it);
        }
    }
}
