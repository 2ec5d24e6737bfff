//! What the two ends of a flow know, and how each says something next.

use std::rc::Rc;

use fastrand::Rng;
use isn_common::flow::Direction::{Inbound, Outbound};

use super::{
    draft::{Draft, Number, Options},
    relocation::Space,
    stencil::Stencil,
};
use crate::packet_builder::{ACK, FIN, PSH, RST, SYN};

/// How far the flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has said anything, or it is over.
    Closed,
    /// A SYN of the host is unanswered.
    HalfOpen,
    /// Both speak.
    Open,
}

/// A flow and its two ends. The host's numbers are written as if none was ever moved.
pub struct Conversation {
    /// Its carrier.
    pub stencil: Rc<Stencil>,
    /// Which of the carriers that is.
    pub carrier: usize,
    /// The host's port and the peer's.
    pub ports: [u16; 2],
    /// How far it has come.
    pub stage: Stage,
    /// The incarnation's label; 0 before the first one.
    pub label: u16,
    /// The host's initial number.
    pub isn: u32,
    /// The host's next number.
    pub host: u32,
    /// What the peer has acknowledged.
    pub acknowledged: u32,
    /// The highest acknowledgment and window of the peer.
    pub edge: u32,
    /// The peer's next number.
    pub peer: u32,
    /// The timestamp clocks of host and peer.
    pub clocks: [u32; 2],
    /// The shifts of the host's and the peer's windows.
    pub scales: [u8; 2],
    /// Whether segments bear timestamps, and SACK blocks may occur.
    pub timed: bool,
    /// Whether the ends' clocks may go back.
    pub may_regress: bool,
}

impl Conversation {
    /// An end's number in its own space.
    #[must_use]
    pub const fn host_number(&self, value: u32) -> Number {
        Number::of(Space::HostSequence, self.label, value)
    }

    /// A number of the host as the peer says it.
    #[must_use]
    pub const fn wire_number(&self, value: u32) -> Number {
        Number::of(Space::WireSequence, self.label, value)
    }

    /// What the host says next, with these control bits.
    pub fn host_says(&mut self, flags: u8, rng: &mut Rng) -> Draft {
        let mut draft = Draft::new(
            Outbound,
            flags,
            self.host_number(self.host),
            Number::fixed(if flags & ACK == 0 { 0 } else { self.peer }),
        );
        draft.fill = rng.u8(..);
        draft.window = rng.choice([0xffff, 0xffff, 1000, 1, 0]).unwrap_or(0);
        if self.timed {
            self.clocks[0] = self.clocks[0].wrapping_add(rng.u32(..20));
        }
        self.options(&mut draft, rng);
        draft
    }

    /// What the peer says next, with these control bits.
    pub fn peer_says(&mut self, flags: u8, rng: &mut Rng) -> Draft {
        let acknowledgment = if flags & ACK == 0 {
            Number::fixed(0)
        } else {
            self.acknowledged = self.host;
            self.wire_number(self.host)
        };
        let mut draft = Draft::new(Inbound, flags, Number::fixed(self.peer), acknowledgment);
        draft.fill = rng.u8(..);
        draft.window = rng
            .choice([0xffff, 0xffff, 0xffff, 8000, 1, 0])
            .unwrap_or(0);
        if flags & ACK != 0 {
            let shift = if flags & SYN == 0 { self.scales[1] } else { 0 };
            let edge = self
                .host
                .wrapping_add(u32::from(draft.window) << shift.min(14));
            if edge.wrapping_sub(self.edge) < 1 << 31 {
                self.edge = edge;
            }
        }
        if self.timed {
            self.clocks[1] = self.clocks[1].wrapping_add(rng.u32(..20));
        }
        self.options(&mut draft, rng);
        draft
    }

    /// The end that spoke has now said this.
    pub const fn follow(&mut self, draft: &Draft, length: u32) {
        if matches!(draft.direction, Outbound) {
            self.host = draft.sequence.value.wrapping_add(length);
        } else {
            self.peer = draft.sequence.value.wrapping_add(length);
        }
    }

    fn options(&self, draft: &mut Draft, rng: &mut Rng) {
        let syn = draft.flags & SYN != 0;
        let mut options = Options::default();
        if syn && rng.bool() {
            options.raw(&[2, 4, 5, 0xb4]);
        }
        if self.timed && (draft.flags & RST == 0 || rng.bool()) {
            options.nops(rng.usize(..3));
            self.time(&mut options, draft, rng);
        }
        if syn {
            let scale = self.scales[usize::from(draft.direction == Inbound)];
            if scale < 16 {
                options.nops(rng.usize(..2));
                options.raw(&[3, 3, scale]);
            }
            oddities(&mut options, rng);
        } else if draft.flags & ACK != 0 && rng.u8(..4) == 0 {
            options.nops(rng.usize(..4));
            options.sack(&Self::blocks(draft, rng));
            if rng.u8(..8) == 0 {
                options.nops(rng.usize(..2));
                options.sack(&Self::blocks(draft, rng)[..1]);
            }
        }
        if self.timed && rng.u8(..40) == 0 {
            self.time(&mut options, draft, rng);
        }
        if !syn && rng.u8(..60) == 0 {
            options.raw(&[29, 4, 1, 1]);
        }
        if rng.u8(..40) == 0 {
            options.raw(&[rng.u8(..), rng.u8(..12), rng.u8(..), 0]);
        }
        draft.options = options;
    }

    fn time(&self, options: &mut Options, draft: &Draft, rng: &mut Rng) {
        let has_echo = draft.flags & ACK != 0 || rng.u8(..8) == 0;
        let host = |space| Number::of(space, self.label, self.clocks[0]);
        let peer = Number::fixed(self.clocks[1]);
        let has_echo = has_echo && rng.u8(..30) != 0;
        let nothing = Number::fixed(0);
        let (value, echo) = match draft.direction {
            Outbound => (host(Space::HostTime), peer),
            Inbound => (peer, host(Space::WireTime)),
        };
        options.time(value, if has_echo { echo } else { nothing });
    }

    /// One to four blocks of what the other end has said: mostly behind what is acknowledged, sometimes D-SACK, sometimes anything.
    fn blocks(draft: &Draft, rng: &mut Rng) -> Vec<(Number, Number)> {
        let base = draft.acknowledgment;
        (0..rng.usize(1..5))
            .map(|_| {
                let left = match rng.u8(..6) {
                    0 => base.plus(0u32.wrapping_sub(rng.u32(..3000))),
                    1 => base.plus(rng.u32(..)),
                    _ => base.plus(rng.u32(..60_000)),
                };
                let right = left.plus(rng.u32(..3000));
                (left, right)
            })
            .collect()
    }
}

/// What a SYN may have besides: SACK permitted, TFO, MPTCP, signatures.
fn oddities(options: &mut Options, rng: &mut Rng) {
    match rng.u8(..40) {
        0 => {
            options.raw(&[19, 18]);
            options.raw(&[0x5a; 16]);
        }
        1 => {
            options.raw(&[29, 16, 1, 1]);
            options.raw(&[0xa5; 12]);
        }
        2 => options.raw(&[34, 2]),
        3 => options.raw(&[34, 10, 1, 2, 3, 4, 5, 6, 7, 8]),
        4 => options.raw(&[30, 12, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8]),
        5 => options.raw(&[0]),
        6..=20 => options.raw(&[4, 2]),
        _ => {}
    }
}

/// Plain data.
pub const DATA: u8 = ACK | PSH;
/// The end of one direction.
pub const LAST: u8 = ACK | FIN;
