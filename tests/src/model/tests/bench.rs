//! Plays the data plane for a model: says what came and what left.

use std::time::Duration;

use crate::{
    model::{
        Direction, Disagreement, Flow, Given, Guard, Judgement, Mode, Model, Phase, Prefix, Rule,
    },
    packet_builder::{Carrier, Tcp, host_ack, host_data, host_fin, host_syn, peer_ack, peer_fin},
};

/// A model, a clock, and a carrier for all segments.
pub struct Bench {
    pub model: Model,
    pub carrier: Carrier,
    pub now: Duration,
}

/// All IPv4 and IPv6 hosts of the tests in monotonic mode.
pub fn given() -> Given {
    let rules = vec![Rule {
        first_port: 0,
        last_port: 65_535,
        mode: Some(Mode::Monotonic),
    }];
    let host6 = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let prefixes = [Prefix::V4([192, 0, 2, 0], 24), Prefix::V6(host6, 48)];
    let guards = prefixes.map(|prefix| Guard {
        prefix,
        rules: rules.clone(),
    });
    Given {
        guards: guards.to_vec(),
        history_seconds: 240,
        draining: false,
        drop_when_full: false,
        room: 16,
        keyed: crate::model::Keyed::default(),
    }
}

/// The peer's ISN of [`Bench::incarnation`].
pub const PEER_ISN: u32 = 7_000;

impl Bench {
    pub fn new() -> Self {
        Self::over(Carrier::v4())
    }

    pub fn over(carrier: Carrier) -> Self {
        Self {
            model: Model::new(given()),
            carrier,
            now: Duration::from_secs(1_000),
        }
    }

    pub fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// What the model says of these octets.
    pub fn octets(
        &mut self,
        direction: Direction,
        came: &[u8],
        left: Option<&[u8]>,
    ) -> Result<Judgement, Disagreement> {
        self.now += Duration::from_millis(1);
        let stripped = self.carrier.stripped;
        self.model.judge(self.now, direction, came, stripped, left)
    }

    pub fn judge(&mut self, came: &Tcp, left: &Tcp) -> Result<Judgement, Disagreement> {
        let (came, left, direction) = (
            self.carrier.frame(came),
            self.carrier.frame(left),
            direction(came),
        );
        self.octets(direction, &came, Some(&left))
    }

    /// Must leave as `left`; the outcome counter and the events.
    #[track_caller]
    pub fn becomes(&mut self, came: &Tcp, left: &Tcp) -> Judgement {
        match self.judge(came, left) {
            Ok(judgement) => judgement,
            Err(disagreement) => panic!("{came:?} must become {left:?}: {disagreement}"),
        }
    }

    /// Must leave as it came, counted so.
    #[track_caller]
    pub fn passes(&mut self, came: &Tcp, counter: &str) -> Judgement {
        let judgement = self.becomes(came, came);
        assert_eq!(judgement.outcome.counter(), counter, "{came:?}");
        judgement
    }

    /// Must not leave so.
    #[track_caller]
    pub fn never(&mut self, came: &Tcp, left: &Tcp) {
        let kept = self.model.clone();
        if let Ok(judgement) = self.judge(came, left) {
            panic!("{came:?} must not become {left:?}: {judgement:?}");
        }
        self.model = kept;
    }

    /// The only flow.
    #[track_caller]
    pub fn flow(&self) -> Flow {
        let mut flows = self.model.flows();
        let flow = flows.next().expect("a flow");
        assert!(flows.next().is_none(), "one flow");
        *flow.1
    }

    #[track_caller]
    pub fn assert_phase(&self, phase: Phase) {
        assert_eq!(self.flow().phase(), phase);
    }

    /// One connection from the host's ISN on, untranslated, that sends `octets` and ends: HWM is then ISN + octets + 2, and the right edge 65,535 beyond.
    pub fn incarnation(&mut self, isn: u32, octets: u32) -> &mut Self {
        let (mine, theirs) = (isn.wrapping_add(1), PEER_ISN + 1);
        let zero = "pass_offset_zero";
        self.passes(&host_syn(isn), zero);
        self.passes(&crate::packet_builder::peer_syn_ack(PEER_ISN, mine), zero);
        self.passes(&host_ack(mine, theirs), zero);
        let mut at = mine;
        while at != mine.wrapping_add(octets) {
            let size = mine.wrapping_add(octets).wrapping_sub(at).min(1400);
            let data = vec![7; size as usize];
            self.passes(&host_data(at, theirs, &data), zero);
            at = at.wrapping_add(size);
            self.passes(&peer_ack(theirs, at), zero);
        }
        self.passes(&host_fin(at, theirs), zero);
        self.passes(&peer_fin(theirs, at.wrapping_add(1)), zero);
        self.passes(&host_ack(at.wrapping_add(1), theirs + 1), zero);
        self.assert_phase(Phase::Closed);
        self
    }

    /// The host, rebooted, opens the flow again with ISN `int`, which becomes `ext`; the handshake completes.
    pub fn reopened(&mut self, int: u32, ext: u32) -> &mut Self {
        self.becomes(&host_syn(int), &host_syn(ext));
        let (mine, theirs) = (int.wrapping_add(1), PEER_ISN + 100_001);
        self.becomes(
            &crate::packet_builder::peer_syn_ack(theirs - 1, ext.wrapping_add(1)),
            &crate::packet_builder::peer_syn_ack(theirs - 1, mine),
        );
        self.becomes(
            &host_ack(mine, theirs),
            &host_ack(ext.wrapping_add(1), theirs),
        );
        self.assert_phase(Phase::Established);
        self
    }
}

pub fn direction(tcp: &Tcp) -> Direction {
    match tcp.direction {
        isn_common::flow::Direction::Outbound => Direction::Outbound,
        isn_common::flow::Direction::Inbound => Direction::Inbound,
    }
}

/// The peer's next number after [`Bench::reopened`].
pub const THEIRS: u32 = PEER_ISN + 100_001;
