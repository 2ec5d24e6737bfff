//! A gateway with a variant in it, and open flows that it knows.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use isn_common::counter::Counter;
use isn_tests::{family::Family, gateway::Isnguard, wait};

use super::{
    ground::{Ends, Ground},
    handshakes,
    injector::{Injector, Sending, Sent},
    lines,
    traffic::{self, ACKNOWLEDGMENT, MOST, SEQUENCE, course},
    variant::{self, Kind, Variant},
};
use crate::{cpu::Softirqs, flows::HIGH_WATER};

/// One of those that are measured.
pub struct Stage<'a> {
    /// What sits there.
    pub variant: Variant,
    ground: &'a Ground,
    injector: Injector,
    isnguard: Option<Isnguard<'a>>,
}

/// Every flow is looked at this far apart from the next, whether it goes through as it should.
const EVERY: usize = 1021;
const PATIENCE: Duration = Duration::from_secs(5);

impl<'a> Stage<'a> {
    /// Sets it up, opens all flows, and sees to it that the gateway does with them what it says it does.
    pub fn new(ground: &'a Ground, variant: Variant) -> Result<Self> {
        let ends = ground.ends()?;
        let (isnguard, acknowledged) = set_up(ground, variant, &ends)?;
        let mut courses = Vec::with_capacity(acknowledged.len());
        for (flow, number) in (0..).zip(&acknowledged) {
            let segment = traffic::acknowledgment(flow, *number)?;
            courses.push(course(&segment.frame(ground.near)?));
        }
        let mut injector = Injector::new(ground, &courses)?;
        if let Kind::Pass = variant.kind {
            injector.pass(&ground.lab.gateway)?;
        }
        for (flow, number) in (0..).zip(&acknowledged).step_by(EVERY) {
            goes_through(&ends, variant, flow, *number)
                .with_context(|| format!("flow {flow} through {}", variant.what))?;
        }
        if lines::is_measured(variant) {
            lines::go_through(&ends, ground, variant)?;
        }
        injector.end_frames(ground)?;
        Ok(Self {
            variant,
            ground,
            injector,
            isnguard,
        })
    }

    /// Sets it up for data that may be joined on its way through the gateway, and leaves it like that as a network card would take
    /// it; what XDP forwards is never joined.
    pub fn joining(ground: &'a Ground, variant: Variant) -> Result<Self> {
        let ends = ground.ends()?;
        let (isnguard, _) = set_up(ground, variant, &ends)?;
        let mut injector = Injector::new(ground, &[])?;
        if variant.id == variant::FORWARD.id {
            injector.end_frames(ground)?;
        } else {
            ground.joins()?;
            injector.end_joined(ground)?;
        }
        Ok(Self {
            variant,
            ground,
            injector,
            isnguard,
        })
    }

    /// Sends frames through.
    pub fn send(&mut self, what: Sending, frames: u32, softirqs: &Softirqs) -> Result<Sent> {
        self.injector.send(what, frames, self.ground, softirqs)
    }

    /// Packets that isnguard has translated on their way out, if it is there.
    pub fn translated(&self) -> Result<Option<u64>> {
        let name = Counter::PacketsTranslatedOut.name();
        let count = self.isnguard.as_ref().map(|it| it.counter(name));
        count.transpose()
    }

    /// The gateway's namespace.
    pub fn ground(&self) -> &Ground {
        self.ground
    }

    /// isnguard, if it is there.
    pub fn isnguard(&self) -> Option<&Isnguard<'a>> {
        self.isnguard.as_ref()
    }
}

/// Puts the variant into the gateway, and lets it know all flows; what their hosts then acknowledge.
fn set_up<'a>(
    ground: &'a Ground,
    variant: Variant,
    ends: &Ends,
) -> Result<(Option<Isnguard<'a>>, Vec<u32>)> {
    let untouched = vec![ACKNOWLEDGMENT; MOST as usize];
    match variant.kind {
        Kind::Plain | Kind::Pass => Ok((None, untouched)),
        Kind::Isnguard(hook, options) => {
            let isnguard = variant::guard_open_flows(&ground.lab, hook, options, MOST)?;
            Ok((Some(isnguard), untouched))
        }
        Kind::Rules(rules) | Kind::Proxy(rules) => {
            variant::rule(&ground.lab, rules)?;
            Ok((None, handshakes::open(ends, MOST)?))
        }
    }
}

/// Fails unless an acknowledgment of the flow's host arrives at the peer as the variant has to change it.
fn goes_through(ends: &Ends, variant: Variant, flow: u32, acknowledged: u32) -> Result<()> {
    let sent = traffic::acknowledgment(flow, acknowledged)?;
    ends.host.say(&sent)?;
    let arrived = wait::until(PATIENCE, "an acknowledgment to arrive at the peer", || {
        ends.peer.hear()
    })?;
    let source = match variant.id {
        id if id == variant::MASQUERADE.id => Family::V4.address(2, 1),
        _ => IpAddr::from(sent.from.0),
    };
    let sequence = match variant.kind {
        Kind::Isnguard(..) => HIGH_WATER,
        _ => SEQUENCE,
    };
    let wanted = (source, sent.from.1, sequence, ACKNOWLEDGMENT);
    let end = arrived.source;
    let is = (end.ip(), end.port(), arrived.seq, arrived.ack);
    ensure!(is == wanted, "it arrived as {is:?} and not as {wanted:?}");
    if let Kind::Proxy(_) = variant.kind {
        ensure!(
            acknowledged != ACKNOWLEDGMENT,
            "the peer's own number reached the host, so nobody had answered for it"
        );
    }
    Ok(())
}
