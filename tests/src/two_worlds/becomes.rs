//! Segments of which more than one number may change, each said as a whole: as it comes, and as it leaves.

use isn_common::{flow::Direction, verdict::Verdict};

use super::{Stepped, flow::Flow};
use crate::{expected_counters::Events, packet_builder::Tcp};

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
}
