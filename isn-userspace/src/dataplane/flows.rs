//! The flows of an instance, both families and all tables together.

use std::net::IpAddr;

use isn_common::{
    abi::flow::{Control, Record},
    expiry::Place,
    flow::{Key4, Key6, Vlan},
};

use super::{Table, instance::Instance, lifetime, lifetime::Life};
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
    /// The table that it lies in.
    pub place: Place,
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
        for (place, v4, v6) in [
            (Place::Translated, &maps.translated_v4, &maps.translated_v6),
            (Place::HalfOpen, &maps.half_open_v4, &maps.half_open_v6),
            (Place::History, &maps.history_v4, &maps.history_v6),
        ] {
            flows.extend(v4.flows()?.iter().map(|flow| Flow::v4(place, flow)));
            flows.extend(v6.flows()?.iter().map(|flow| Flow::v6(place, flow)));
        }
        Ok(flows)
    }

    /// Counts the flows that have an offset.
    pub fn translated(&self) -> Result<Translated, Failure> {
        let maps = &self.maps;
        let mut count = Translated::default();
        self.count_in(Place::Translated, &maps.translated_v4, &mut count)?;
        self.count_in(Place::Translated, &maps.translated_v6, &mut count)?;
        self.count_in(Place::HalfOpen, &maps.half_open_v4, &mut count)?;
        self.count_in(Place::HalfOpen, &maps.half_open_v6, &mut count)?;
        // Keyed flows whose offset follows from their packets.
        self.count_in(Place::History, &maps.history_v4, &mut count)?;
        self.count_in(Place::History, &maps.history_v6, &mut count)?;
        Ok(count)
    }

    fn count_in<K: super::upkeep::Key>(
        &self,
        place: Place,
        table: &Table<K>,
        count: &mut Translated,
    ) -> Result<(), Failure> {
        let now = super::now();
        table.for_each(|_, record| {
            if record.control().has(Control::MOVED) {
                return Ok(());
            }
            match lifetime::life(place, record, &self.settings, now) {
                Life::Live => count.live += 1,
                Life::JustClosed => {
                    count.closed += 1;
                    count.just_closed += 1;
                }
                Life::Closed => count.closed += 1,
                Life::Over => {}
            }
            Ok(())
        })
    }
}

impl Flow {
    pub(super) fn v4(place: Place, (key, record): &(Key4, Record)) -> Self {
        Self {
            host: key.host.into(),
            host_port: u16::from_be_bytes(key.host_port),
            peer: key.peer.into(),
            peer_port: u16::from_be_bytes(key.peer_port),
            vlan: Vlan(key.vlan),
            record: *record,
            place,
        }
    }

    pub(super) fn v6(place: Place, (key, record): &(Key6, Record)) -> Self {
        Self {
            host: key.host.into(),
            host_port: u16::from_be_bytes(key.host_port),
            peer: key.peer.into(),
            peer_port: u16::from_be_bytes(key.peer_port),
            vlan: Vlan(key.vlan),
            record: *record,
            place,
        }
    }
}
