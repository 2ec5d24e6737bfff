//! Carriers cut out once, so that a frame is made by copying and two or three patches.

use std::ops::Range;

use isn_common::flow::Direction;

use super::checksum::sum;
use crate::packet_builder::{ACK, Carrier, Icmp, Quote, icmp::ICMP_HEADER, segment};

/// What a frame carries behind its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A segment.
    Whole,
    /// The first fragment of one.
    First,
    /// The last fragment of one.
    Last,
    /// An ICMP message of the other end.
    Icmp,
    /// An ICMP message of a router.
    RouterIcmp,
}

/// A carrier as octets: everything around what it carries.
#[derive(Clone, Debug)]
pub struct Stencil {
    /// Whether it is IPv4.
    pub is_v4: bool,
    /// Where the network header begins.
    pub network_at: usize,
    /// A tag that the device has taken out.
    pub stripped: Option<u16>,
    /// By direction and part.
    shapes: [[Shape; 5]; 2],
    trailer: Vec<u8>,
}

/// Headers, and the one's complement sum of the pseudo header without the length.
#[derive(Clone, Debug)]
struct Shape {
    headers: Vec<u8>,
    pseudo: u32,
}

/// Octets of TCP before the piece that a last fragment carries.
const BEFORE_LAST: usize = 8;

impl Stencil {
    /// Cuts it out.
    #[must_use]
    pub fn of(carrier: &Carrier) -> Self {
        Self {
            is_v4: carrier.key4().is_some(),
            network_at: carrier.network_at(),
            stripped: carrier.stripped,
            shapes: [Direction::Outbound, Direction::Inbound].map(|it| shapes(carrier, it)),
            trailer: carrier.trailer.clone(),
        }
    }

    const fn shape(&self, direction: Direction, part: Part) -> &Shape {
        let way = match direction {
            Direction::Outbound => 0,
            Direction::Inbound => 1,
        };
        &self.shapes[way][part as usize]
    }

    /// Where the headers end.
    #[must_use]
    pub const fn headers(&self, direction: Direction, part: Part) -> usize {
        self.shape(direction, part).headers.len()
    }

    /// The sum of the pseudo header over so many octets (RFC 9293 section 3.1, RFC 4443 section 2.3).
    ///
    /// # Panics
    ///
    /// If there are more than 4 GiB.
    #[must_use]
    pub fn pseudo(&self, direction: Direction, part: Part, length: usize) -> u32 {
        if self.is_v4 && matches!(part, Part::Icmp | Part::RouterIcmp) {
            return 0;
        }
        self.shape(direction, part).pseudo + u32::try_from(length).expect("frames are short")
    }

    /// The frame that carries these octets.
    #[must_use]
    pub fn frame(&self, direction: Direction, part: Part, payload: &[u8]) -> Vec<u8> {
        let headers = &self.shape(direction, part).headers;
        let mut frame = Vec::with_capacity(headers.len() + payload.len() + self.trailer.len());
        frame.extend_from_slice(headers);
        frame.extend_from_slice(payload);
        fit_length(&mut frame, self.network_at, self.is_v4);
        frame.extend_from_slice(&self.trailer);
        frame
    }

    /// Where the datagram lies in a frame of this carrier.
    #[must_use]
    pub fn datagram(&self, frame: &[u8]) -> Range<usize> {
        self.network_at..frame.len().saturating_sub(self.trailer.len())
    }
}

/// In the order of [`Part`].
fn shapes(carrier: &Carrier, direction: Direction) -> [Shape; 5] {
    let plain = segment(direction, ACK, 0, 0);
    let longer = plain.clone().octets(BEFORE_LAST);
    let quote = Quote {
        octets: Vec::new(),
        tcp_at: 0,
    };
    let message = Icmp::new(direction, 0, quote);
    let shape = |frame, carried| shape(carrier, frame, carried);
    [
        shape(carrier.frame(&plain), 20),
        shape(carrier.first_fragment(&longer, 24), 24),
        shape(carrier.last_fragment(&longer, BEFORE_LAST), 20),
        shape(carrier.icmp_frame(&message), ICMP_HEADER),
        shape(
            carrier.clone().of_router(direction).icmp_frame(&message),
            ICMP_HEADER,
        ),
    ]
}

fn shape(carrier: &Carrier, mut frame: Vec<u8>, octets: usize) -> Shape {
    frame.truncate(frame.len() - carrier.trailer.len());
    let payload = frame.split_off(frame.len() - octets);
    // With the right checksum all is 0xffff together: what the payload lacks is the pseudo header, whose length is taken out.
    let length = u32::try_from(octets).expect("frames are short");
    let pseudo = u32::from(!sum(&payload, 0)) + 0xffff - length;
    Shape {
        headers: frame,
        pseudo,
    }
}

/// Says in the IP header that the datagram ends with the frame.
pub(super) fn fit_length(frame: &mut [u8], network_at: usize, is_v4: bool) {
    let length = frame.len() - network_at;
    let (at, length) = if is_v4 {
        (network_at + 2, length)
    } else {
        (network_at + 4, length - 40)
    };
    let length = u16::try_from(length).expect("a datagram is shorter than 64 KiB");
    frame[at..at + 2].copy_from_slice(&length.to_be_bytes());
    if is_v4 {
        let header = network_at..network_at + usize::from(frame[network_at] & 15) * 4;
        frame[network_at + 10..network_at + 12].fill(0);
        let right = !sum(&frame[header], 0);
        frame[network_at + 10..network_at + 12].copy_from_slice(&right.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use isn_common::flow::Direction::{Inbound, Outbound};

    use super::*;
    use crate::{
        fuzz::{
            carriers::carriers,
            draft::{Draft, Number},
        },
        packet_builder::{SYN, segment},
    };

    #[test]
    fn frames_are_those_of_the_packet_builder() {
        for carrier in carriers() {
            let stencil = Stencil::of(&carrier);
            for direction in [Outbound, Inbound] {
                let (sequence, acknowledgment) = (0xfedc_ba98, 0x0123_4567);
                let number = Number::fixed;
                let mut draft =
                    Draft::new(direction, SYN, number(sequence), number(acknowledgment));
                draft.options.raw(&[2, 4, 5, 0xb4, 3, 3, 7]);
                let tcp = segment(direction, SYN, sequence, acknowledgment)
                    .raw_options(&[2, 4, 5, 0xb4, 3, 3, 7]);
                let ports = [carrier.host_port, carrier.peer_port];
                let packet = draft.packet(&stencil, ports);
                assert_eq!(packet.octets, carrier.frame(&tcp), "{}", carrier.name);
                assert_eq!(packet.stripped, carrier.stripped);
                let piece = draft.fragment(&stencil, ports, Some(16));
                assert_eq!(piece.octets, carrier.first_fragment(&tcp, 16));
                let piece = draft.fragment(&stencil, ports, None);
                assert_eq!(piece.octets, carrier.last_fragment(&tcp, 8));
            }
        }
    }
}
