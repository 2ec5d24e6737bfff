//! The least that translating takes: Ethernet, IPv4, TCP, one lookup, the sequence number, the checksum (RFC 1624).

use aya_ebpf::{macros::map, maps::HashMap};

use crate::frame::Frame;

const ETHERNET: usize = 14;
const IPV4: u16 = 0x0800;
const TCP: u8 = 6;

/// Addresses and ports as they lie in the frame: 16 octets with what fills them up.
#[derive(Clone, Copy)]
#[repr(C)]
struct Key {
    addresses: u64,
    ports: u32,
    rest: u32,
}

/// 32 octets, of which the offset counts.
#[derive(Clone, Copy)]
#[repr(C)]
struct Value {
    offset: u32,
    rest: [u32; 7],
}

/// Flows of the floor; the benchmark asks for its own number.
#[map]
static FLOOR: HashMap<Key, Value> = HashMap::with_max_entries(1024, 0);

/// The flow's key and where its TCP header begins; `None` if it is no TCP over IPv4.
#[inline(always)]
pub fn parse(frame: &Frame) -> Option<(u64, u32, usize)> {
    if frame.load::<u16>(12)? != IPV4.to_be() {
        return None;
    }
    let first: u8 = frame.load(ETHERNET)?;
    let protocol: u8 = frame.load(ETHERNET + 9)?;
    let fragment: u16 = frame.load(ETHERNET + 6)?;
    if first >> 4 != 4 || protocol != TCP || u16::from_be(fragment) & 0x1fff != 0 {
        return None;
    }
    let addresses = frame.load(ETHERNET + 12)?;
    let tcp = ETHERNET + usize::from(first & 0x0f) * 4;
    let ports = frame.load(tcp)?;
    Some((addresses, ports, tcp))
}

/// Translates; `None` where there is nothing to translate, which no measurement lets happen.
#[inline(always)]
pub fn translate(frame: &Frame) -> Option<()> {
    let (addresses, ports, tcp) = parse(frame)?;
    let key = Key {
        addresses,
        ports,
        rest: 0,
    };
    // SAFETY: nobody writes to these flows while programs run.
    let flow = unsafe { FLOOR.get(key) }?;
    let before: u32 = u32::from_be(frame.load(tcp + 4)?);
    let after = before.wrapping_add(flow.offset);
    let checksum: u16 = u16::from_be(frame.load(tcp + 16)?);
    frame.store(tcp + 4, after.to_be())?;
    frame.store(tcp + 16, updated(checksum, before, after).to_be())
}

/// RFC 1624 equation 3, for one word of 32 bits.
#[inline(always)]
pub fn updated(checksum: u16, before: u32, after: u32) -> u16 {
    let halves = |word: u32| u64::from(word >> 16) + u64::from(word & 0xffff);
    let sum = u64::from(!checksum) + halves(!before) + halves(after);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}
