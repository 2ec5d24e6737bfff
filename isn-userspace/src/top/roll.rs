//! The flows, gone through a part a look. Of those that are wanted the first ones in the order that is asked for are kept.

use std::{net::SocketAddr, time::Duration};

use isn_common::{abi::flow::Reason, flow::Vlan, tick::Tick};

use crate::{
    dataplane::{Flow, Instance, Walk},
    failure::Failure,
};

/// Flows that are kept in the list.
const KEPT: usize = 2_000;

/// In which order flows are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Those that spoke last first.
    #[default]
    Idle,
    /// Those that opened last first.
    Age,
    /// By the host's end.
    Host,
    /// By the peer's end.
    Peer,
    /// Translated ones first, the largest offset first.
    Offset,
}

impl Order {
    /// The one behind it, in a circle.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Idle => Self::Age,
            Self::Age => Self::Host,
            Self::Host => Self::Peer,
            Self::Peer => Self::Offset,
            Self::Offset => Self::Idle,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Age => "age",
            Self::Host => "host",
            Self::Peer => "peer",
            Self::Offset => "offset",
        }
    }
}

/// A flow as it is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The host's end.
    pub host: SocketAddr,
    /// The peer's end.
    pub peer: SocketAddr,
    /// The VLAN.
    pub vlan: Vlan,
    /// Name of the state.
    pub state: &'static str,
    /// Name of the reason.
    pub reason: &'static str,
    /// Wire minus host.
    pub offset: u32,
    /// Ticks since it opened.
    pub age: u32,
    /// Ticks since its last packet.
    pub idle: u32,
}

impl Listed {
    /// A flow as it is `now`.
    #[must_use]
    pub fn new(flow: &Flow, now: Tick) -> Self {
        let control = flow.record.control();
        Self {
            host: SocketAddr::new(flow.host, flow.host_port),
            peer: SocketAddr::new(flow.peer, flow.peer_port),
            vlan: flow.vlan,
            state: control.phase().name(),
            reason: control.reason().map_or("unknown", Reason::name),
            offset: flow.record.offset().0,
            age: now.since(flow.record.opened()),
            idle: now.since(flow.record.last_seen()),
        }
    }

    /// Whether a filter takes it: all its words are in what is shown of it.
    #[must_use]
    pub fn matches(&self, filter: &str) -> bool {
        if filter.trim().is_empty() {
            return true;
        }
        let shown = format!("{} {} {} {}", self.host, self.peer, self.state, self.reason);
        filter
            .split_whitespace()
            .all(|word| shown.contains(&word.to_lowercase()))
    }

    fn key(&self, order: Order) -> (u32, SocketAddr, SocketAddr) {
        let Self { host, peer, .. } = *self;
        match order {
            Order::Idle => (self.idle, host, peer),
            Order::Age => (self.age, host, peer),
            Order::Host => (0, host, peer),
            Order::Peer => (0, peer, host),
            Order::Offset => (u32::MAX - self.offset, host, peer),
        }
    }
}

/// What a round through all tables has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The first ones that are wanted, in order.
    pub flows: Vec<Listed>,
    /// How many are wanted in all.
    pub matching: usize,
    /// Flows in each table: translated, half-open, history, each IPv4 and IPv6.
    pub tables: [usize; 6],
    /// Looks that the round took.
    pub looks: usize,
    /// Whether it was gone round: the first one is shown before that.
    pub is_whole: bool,
}

/// The flows of the last round, and the round that is under way.
#[derive(Clone, Debug, Default)]
pub struct Roll {
    order: Order,
    filter: String,
    walk: Walk,
    gathered: Vec<Listed>,
    matching: usize,
    looks: usize,
    /// The last round, or as much as there is of the first.
    pub found: Option<Found>,
}

impl Roll {
    /// Begins anew where something else is wanted.
    pub fn want(&mut self, order: Order, filter: &str) {
        if (self.order, self.filter.as_str()) != (order, filter) {
            *self = Self {
                order,
                filter: filter.to_owned(),
                ..Self::default()
            };
        }
    }

    /// Goes on with the round for about so long.
    pub fn look(&mut self, instance: &Instance, now: Tick, time: Duration) -> Result<(), Failure> {
        let mut walk = std::mem::take(&mut self.walk);
        let is_round = walk.go_on(instance, time, |flow| self.add(&flow, now))?;
        self.walk = walk;
        self.looks += 1;
        if is_round {
            self.finish();
        } else if self.found.as_ref().is_none_or(|found| !found.is_whole) {
            self.show();
        }
        Ok(())
    }

    fn add(&mut self, flow: &Flow, now: Tick) {
        let listed = Listed::new(flow, now);
        if listed.matches(&self.filter) {
            self.matching += 1;
            self.gathered.push(listed);
            if self.gathered.len() >= 2 * KEPT {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        let order = self.order;
        self.gathered.sort_by_key(|flow| flow.key(order));
        self.gathered.truncate(KEPT);
    }

    /// Shows what there is so far.
    fn show(&mut self) {
        self.cut();
        self.found = Some(Found {
            flows: self.gathered.clone(),
            matching: self.matching,
            tables: self.walk.flows(),
            looks: self.looks,
            is_whole: false,
        });
    }

    fn finish(&mut self) {
        self.show();
        if let Some(found) = &mut self.found {
            found.is_whole = true;
        }
        self.gathered.clear();
        self.walk = Walk::default();
        (self.matching, self.looks) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use isn_common::{
        abi::flow::{Control, Record, pack},
        expiry::Place,
    };

    use super::*;

    const NOW: Tick = Tick(1_000_000);

    fn flow(port: u16, offset: u32, idle: u32) -> Flow {
        Flow {
            host: [192, 0, 2, 10].into(),
            host_port: port,
            peer: [198, 51, 100, 2].into(),
            peer_port: 80,
            vlan: Vlan(0),
            place: Place::Translated,
            record: Record {
                identity: pack(offset, 1),
                sent: pack(2, NOW.0 - 100 - idle),
                life: pack(Control(Control::HOST_SYN).0, NOW.0 - idle),
                ..Record::EMPTY
            },
        }
    }

    fn round(order: Order, filter: &str, flows: impl IntoIterator<Item = Flow>) -> Found {
        let mut roll = Roll::default();
        roll.want(order, filter);
        for flow in flows {
            roll.add(&flow, NOW);
        }
        roll.finish();
        roll.found.expect("a round")
    }

    fn ports(found: &Found) -> Vec<u16> {
        found.flows.iter().map(|flow| flow.host.port()).collect()
    }

    #[test]
    fn flows_are_in_the_order_that_is_wanted() {
        let flows = || [flow(2, 5, 30), flow(3, 0, 10), flow(1, 9, 20)];
        for (order, wanted) in [
            (Order::Idle, [3, 1, 2]),
            (Order::Age, [3, 1, 2]),
            (Order::Host, [1, 2, 3]),
            (Order::Peer, [1, 2, 3]),
            (Order::Offset, [1, 2, 3]),
        ] {
            assert_eq!(ports(&round(order, "", flows())), wanted, "{order:?}");
        }
    }

    #[test]
    fn a_filter_takes_what_has_all_its_words() {
        let flows = || [flow(1025, 5, 30), flow(2048, 0, 10)];
        assert_eq!(ports(&round(Order::Host, "2.10:1025", flows())), [1025]);
        assert_eq!(
            ports(&round(Order::Host, "half NEW", flows())),
            [1025, 2048]
        );
        assert!(round(Order::Host, "half closed", flows()).flows.is_empty());
    }

    #[test]
    fn the_first_ones_are_kept_and_all_are_counted() {
        let many = (0..10_000_u16).rev().map(|port| flow(port, 0, 0));
        let found = round(Order::Host, "", many);
        assert_eq!(found.matching, 10_000);
        let kept: Vec<u16> = (0..u16::try_from(KEPT).unwrap()).collect();
        assert_eq!(ports(&found), kept);
    }

    #[test]
    fn orders_go_round() {
        let mut order = Order::default();
        for _ in 0..5 {
            order = order.next();
        }
        assert_eq!(order, Order::default());
    }
}
