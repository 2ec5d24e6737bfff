//! Ethernet II with up to two VLAN tags (IEEE 802.3, 802.1Q, 802.1ad).

use crate::{flow::Vlan, packet::Packet, verdict::PassReason};

/// Octets before the EtherType of an untagged frame.
const TYPE_AT: usize = 12;
const DOT1Q: u16 = 0x8100;
const DOT1AD: u16 = 0x88a8;
/// Q-in-Q as built before 802.1ad gave it a number of its own.
const OLD_QINQ: u16 = 0x9100;

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;

/// Where the network layer begins, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// EtherType behind all tags.
    pub ether_type: u16,
    /// Offset of the network header in the frame.
    pub payload_at: usize,
    /// Tags that separate otherwise equal flows.
    pub vlan: Vlan,
}

/// Reads the Ethernet header and its tags. A tag that the device took out counts as the outermost.
#[inline(always)]
pub fn read<P: Packet>(packet: &P) -> Result<Ethernet, PassReason> {
    let mut vlan = Vlan::UNTAGGED;
    let mut tags = 0u32;
    if let Some(tag) = packet.stripped_tag() {
        vlan = vlan.tagged(tag);
        tags = 1;
    }
    let mut at = TYPE_AT;
    let mut ether_type = u16_at(packet, at)?;
    for _ in 0..2 {
        if !is_tag(ether_type) {
            break;
        }
        if tags >= 2 {
            return Err(PassReason::VlanDepth);
        }
        let [a, b, c, d] = packet
            .load(at.wrapping_add(2))
            .ok_or(PassReason::Truncated)?;
        vlan = vlan.tagged(u16::from_be_bytes([a, b]));
        ether_type = u16::from_be_bytes([c, d]);
        tags = tags.wrapping_add(1);
        at = packet.unknown(at.wrapping_add(4));
    }
    if is_tag(ether_type) {
        return Err(PassReason::VlanDepth);
    }
    Ok(Ethernet {
        ether_type,
        payload_at: at.wrapping_add(2),
        vlan,
    })
}

/// Whether an EtherType announces a VLAN tag.
#[must_use]
pub const fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, DOT1Q | DOT1AD | OLD_QINQ)
}

#[inline(always)]
fn u16_at<P: Packet>(packet: &P, at: usize) -> Result<u16, PassReason> {
    packet
        .load(at)
        .map(u16::from_be_bytes)
        .ok_or(PassReason::Truncated)
}
