//! What a file of cases needs.

pub use isn_common::{
    abi::{
        flow::{Control, Phase, Record},
        policy::{Mode, Rule},
        settings::OnFull,
    },
    counter::Counter,
    flow::Direction::{self, Inbound, Outbound},
    host::Frame,
    tick::Tick,
    verdict::{DropReason, PassReason, Verdict},
};

pub use super::{
    Stepped, Worlds,
    bench::{Case, all_carriers, both_families, case, one_case, play, play_with},
    claims::{beyond, blocks, damaged, lies_in, marks, record, unmoved},
    connections::PEER_ISN,
    flow::Flow,
    given::{default_settings, everywhere, policy},
    leaves::{AS_IT_CAME, Leaves, Leaves::Seq, NOT_FOLLOWED, NOTHING_IN_IT, ack},
    state::parts,
};
pub use crate::{expected_counters::*, packet_builder::*, test_run::Room};

/// Numbers around which comparisons of sequence numbers go wrong.
pub const EDGES: [u32; 8] = [
    0,
    1,
    0x7fff_fffe,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_fffe,
    0xffff_ffff,
];
