//! The world in which octets are tried: everything is guarded, and one flow of each family is open and translated.

use isn_common::{
    abi::{
        flow::{Control, Record, pack},
        policy::{Mode, Policy, Rule},
        settings::{OnFull, Settings},
    },
    flow::{Key4, Key6},
    host::Memory,
    siphash::Key,
};

/// The host and peer of the IPv4 flow, and their ports.
pub const FLOW4: Key4 = Key4 {
    host: [192, 0, 2, 10],
    peer: [198, 51, 100, 20],
    host_port: [4, 1],
    peer_port: [0, 80],
    vlan: 0,
};

/// The same of the IPv6 flow.
pub const FLOW6: Key6 = Key6 {
    host: [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10],
    peer: [0x20, 1, 0xd, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20],
    host_port: [4, 1],
    peer_port: [0, 80],
    vlan: 0,
};

/// A world with these two flows.
#[must_use]
pub fn world() -> Memory {
    let mut memory = Memory::new(Settings::new(1788, OnFull::Pass, 0, Key([1, 2])));
    let mut rules = [Rule::NONE; Policy::MOST_RULES];
    rules[0] = Rule::new(0, u16::MAX, Mode::Monotonic);
    memory.guard(&[0; 4], 0, Policy { rules });
    memory.guard(&[0; 16], 0, Policy { rules });
    let open = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN | Control::STAMPED;
    let record = Record {
        identity: pack(0x0102_0304, 1000),
        sent: pack(0x0102_0304 + 5000, 0),
        received: pack(0x0102_0304 + 70_000, 0x0900_0000),
        stamps: pack(0x1111_1111, 0x2222_2222),
        life: pack(open, 0),
    };
    memory.translated_v4.put(FLOW4, &record);
    memory.translated_v6.put(FLOW6, &record);
    memory
}
