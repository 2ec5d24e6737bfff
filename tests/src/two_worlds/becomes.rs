//! Segments of which more than one number may change, each said as a whole: as it comes, and as it leaves.

use isn_common::{flow::Direction, verdict::Verdict};

use super::{
    Stepped,
    flow::Flow,
    leaves::{Leaves, NOTHING_IN_IT, ack},
};
use crate::{
    expected_counters::Events,
    packet_builder::{ACK, Tcp},
};

impl Flow<'_> {
    /// Sends a segment, which must leave with the octets of another one: translated if they differ, and either
    /// if not; it must add to no counters but these and its outcome's.
    #[track_caller]
    pub fn becomes(&mut self, came: &Tcp, leaves: &Tcp, events: &Events) -> Stepped {
        let frame = self.frame(came);
        let stepped = self.send(came.direction, &frame, &format!("{came:?}"));
        let fits = match (&stepped.verdict, came.direction) {
            (Verdict::TranslatedOut, Direction::Outbound)
            | (Verdict::TranslatedIn, Direction::Inbound) => true,
            (Verdict::Pass(_), _) => came == leaves,
            _ => false,
        };
        self.require(
            fits,
            format!("{:?}, expected to leave as {leaves:?}", stepped.verdict),
        );
        self.same_octets(leaves, &stepped.frame);
        self.count(&stepped, stepped.verdict, events);
        stepped
    }

    /// Sends a segment of a flow with this offset, which must be translated like any other.
    #[track_caller]
    pub fn moved_by(&mut self, offset: u32, tcp: &Tcp, events: &Events) {
        let leaves = match tcp.direction {
            Direction::Outbound => Leaves::Seq(tcp.sequence.wrapping_add(offset)),
            Direction::Inbound if tcp.flags & ACK == 0 => NOTHING_IN_IT,
            Direction::Inbound => ack(tcp.acknowledgment.wrapping_sub(offset)),
        };
        self.expect(tcp, &leaves, events);
    }
}
