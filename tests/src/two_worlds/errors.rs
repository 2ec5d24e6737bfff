//! ICMP errors in cases: each must leave as said, and no flow may notice.

use isn_common::{
    host::Frame,
    verdict::{PassReason, Verdict},
};

use super::{Stepped, flow::Flow, on_wire, oracle::octets_apart};
use crate::{
    expected_counters::{Events, NOTHING},
    packet_builder::{Carrier, Icmp, icmp::ICMP_HEADER},
};

impl Flow<'_> {
    /// Sends an error over this carrier, which must leave as the other one, and change no flow. Gives the frame that left.
    pub fn expect_error(&mut self, outer: &Carrier, came: &Icmp, leaves: &Icmp) -> Vec<u8> {
        self.expect_error_counting(outer, came, leaves, NOTHING)
    }

    /// The same of an error that adds to these counters besides its outcome's.
    pub fn expect_error_counting(
        &mut self,
        outer: &Carrier,
        came: &Icmp,
        leaves: &Icmp,
        events: &Events,
    ) -> Vec<u8> {
        let leaves = &with_cut_checksum(came, leaves);
        let stepped = self.send_error(outer, came);
        self.require(
            stepped.verdict == Verdict::IcmpTranslated,
            format!("{:?}, expected IcmpTranslated", stepped.verdict),
        );
        self.same_error(outer, leaves, &stepped.frame);
        self.count(&stepped, Verdict::IcmpTranslated, events);
        stepped.frame
    }

    /// Sends an error over this carrier, which must leave as it came, and change no flow.
    pub fn expect_error_untouched(&mut self, outer: &Carrier, came: &Icmp, reason: PassReason) {
        let stepped = self.send_error(outer, came);
        self.require(
            stepped.verdict == Verdict::Pass(reason),
            format!("{:?}, expected Pass({reason:?})", stepped.verdict),
        );
        self.count(&stepped, Verdict::Pass(reason), NOTHING);
    }

    fn send_error(&mut self, outer: &Carrier, message: &Icmp) -> Stepped {
        let frame = error_frame(outer, message);
        let before = self.worlds.state().clone();
        let stepped = self.send(message.direction, &frame, &format!("{message:02x?}"));
        if let Some(difference) = self.worlds.state().difference(&before, ["after", "before"]) {
            self.fail(format!("an ICMP message changed a flow:\n{difference}"));
        }
        stepped
    }

    /// Compares all octets but the checksums, which the oracle has checked and which have two right values for one sum.
    fn same_error(&self, outer: &Carrier, wanted: &Icmp, frame: &[u8]) {
        let mut expected = on_wire(&error_frame(outer, wanted));
        let icmp_at = outer.tcp_at() + 4 * usize::from(outer.stripped.is_some());
        let quote_at = icmp_at + ICMP_HEADER;
        let quoted = quote_at + wanted.quote.tcp_at + 16;
        let shows_checksum = quoted + 2 <= quote_at + wanted.quote.octets.len();
        let exempt = [Some(icmp_at + 2), shows_checksum.then_some(quoted)];
        for at in exempt.into_iter().flatten() {
            if frame.len() == expected.len() {
                expected[at..at + 2].copy_from_slice(&frame[at..at + 2]);
            }
        }
        if expected != frame {
            self.fail(format!(
                "expected -> got:\n{}",
                octets_apart(&expected, frame)
            ));
        }
    }
}

/// Half a quoted checksum cannot be brought up to date: it leaves as it came.
fn with_cut_checksum(came: &Icmp, leaves: &Icmp) -> Icmp {
    let mut leaves = leaves.clone();
    let last = leaves.quote.tcp_at + 16;
    if leaves.quote.octets.len() == last + 1 {
        leaves.quote.octets[last] = came.quote.octets[last];
    }
    leaves
}

fn error_frame(outer: &Carrier, message: &Icmp) -> Frame {
    Frame {
        octets: outer.icmp_frame(message),
        stripped_tag: outer.stripped,
    }
}
