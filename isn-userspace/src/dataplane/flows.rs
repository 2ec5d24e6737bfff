//! The flows of an instance, both families and all tables together.

use std::net::IpAddr;

use isn_common::{
    abi::flow::{Control, Record},
    flow::{Key4, Key6, Vlan},
};

use super::{instance::Instance, lifetime, lifetime::Life};
use crate::failure::Failure;

/// A flow as it was when it was read.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// The guarded host.
    pub host: IpAddr,
    /// Its port.
    pub host_port: u16,
    /// The other end.
    pub peer: IpAddr,
    /// Its port.
    pub peer_port: u16,
    /// VLAN.
    pub vlan: Vlan,
    /// What is remembered of it.
    pub record: Record,
}

/// Flows with an offset, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Translated {
    /// Those that detaching would break.
    pub live: usize,
    /// Those that are over, but of which late segments may still come.
    pub closed: usize,
    /// Those of them that ended a moment ago.
    pub just_closed: usize,
}

impl Instance {
    /// Every flow that is remembered.
    pub fn flows(&self) -> Result<Vec<Flow>, Failure> {
        let maps = &self.maps;
        let mut flows: Vec<Flow> = Vec::new();
        for (v4, v6) in [
            (&maps.translated_v4, &maps.translated_v6),
            (&maps.history_v4, &maps.history_v6),
        ] {
            flows.extend(v4.flows()?.iter().map(Flow::v4));
            flows.extend(v6.flows()?.iter().map(Flow::v6));
        }
        // What has moved into the table of translated flows is there already.
        flows.retain(|flow| !flow.record.control().has(Control::MOVED));
        Ok(flows)
    }

    /// Counts the flows that have an offset.
    pub fn translated(&self) -> Result<Translated, Failure> {
        let maps = &self.maps;
        let v4 = maps
            .translated_v4
            .flows()?
            .into_iter()
            .map(|(_, record)| record);
        let v6 = maps
            .translated_v6
            .flows()?
            .into_iter()
            .map(|(_, record)| record);
        let (now, history) = (super::now(), self.settings.history);
        let mut count = Translated::default();
        for record in v4.chain(v6) {
            match lifetime::life(&record, now, history) {
                Life::Live => count.live += 1,
                Life::JustClosed => {
                    count.closed += 1;
                    count.just_closed += 1;
                }
                Life::Closed => count.closed += 1,
                Life::Over => {}
            }
        }
        Ok(count)
    }
}

impl Flow {
    fn v4((key, record): &(Key4, Record)) -> Self {
        Self {
            host: key.host.into(),
            host_port: u16::from_be_bytes(key.host_port),
            peer: key.peer.into(),
            peer_port: u16::from_be_bytes(key.peer_port),
            vlan: Vlan(key.vlan),
            record: *record,
        }
    }

    fn v6((key, record): &(Key6, Record)) -> Self {
        Self {
            host: key.host.into(),
            host_port: u16::from_be_bytes(key.host_port),
            peer: key.peer.into(),
            peer_port: u16::from_be_bytes(key.peer_port),
            vlan: Vlan(key.vlan),
            record: *record,
        }
    }
}
