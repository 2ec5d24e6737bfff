//! Makes frames for a gateway out of nothing, and ends them behind it.
//!
//! The frames are live: the kernel takes them for frames that have arrived, and gives their memory to this program again when
//! they are gone. What lies there is what the gateway has made of an earlier one, so each is written anew.

use aya_ebpf::{
    macros::map,
    maps::{Array, PerCpuArray},
};
use isn_bench_ebpf::{Course, HEADER_WORDS, HEADER_WORDS_V6, Traffic, fresh};

use crate::{
    floor::updated,
    frame::Frame,
    restore::{INCREMENT, MULTIPLIER},
};

/// What is sent.
#[map]
static TRAFFIC: Array<Traffic> = Array::with_max_entries(1, 0);
/// Where each flow stands; the benchmark asks for its own number.
#[map]
static COURSES: Array<Course> = Array::with_max_entries(1024, 0);
/// Segments of TCP that have come to their end.
#[map]
static SUNK: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

const ETHER_TYPE: usize = 12;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const PROTOCOL: usize = 23;
const NEXT_HEADER: usize = 20;
const TCP: u8 = 6;
const IP_CHECKSUM: usize = 24;
const SOURCE: usize = 26;
const DESTINATION: usize = 30;
const TCP_V4: usize = 34;
const PORT: usize = TCP_V4;
const TCP_CHECKSUM: usize = TCP_V4 + 16;
/// The last 32 bits of each address.
const SOURCE_V6: usize = 34;
const DESTINATION_V6: usize = 50;
const TCP_V6: usize = 54;

#[inline(always)]
fn write<const WORDS: usize>(frame: &Frame, header: &[u64]) -> Option<()> {
    for (word, octets) in header.iter().take(WORDS).enumerate() {
        frame.store(8 * word, *octets)?;
    }
    Some(())
}

/// What is sent.
#[inline(always)]
fn given() -> Option<&'static mut Traffic> {
    // SAFETY: one CPU makes frames, and nobody else writes meanwhile.
    Some(unsafe { &mut *TRAFFIC.get_ptr_mut(0)? })
}

/// The next random number.
#[inline(always)]
fn next(traffic: &mut Traffic) -> u64 {
    traffic.state = traffic
        .state
        .wrapping_mul(MULTIPLIER)
        .wrapping_add(INCREMENT);
    traffic.state
}

/// What sets one flow apart, taken at random.
#[inline(always)]
fn course(traffic: &mut Traffic) -> Option<&'static Course> {
    let number = (next(traffic) >> 40) as u32 & traffic.mask;
    COURSES.get(traffic.first + number)
}

/// A segment of an open flow, one of them at random.
#[inline(always)]
pub fn established(frame: &Frame) -> Option<()> {
    v4::<SOURCE, PORT>(frame)
}

/// The same from the peer.
#[inline(always)]
pub fn established_inbound(frame: &Frame) -> Option<()> {
    v4::<DESTINATION, { PORT + 2 }>(frame)
}

/// The same as the first, IPv6.
#[inline(always)]
pub fn established_v6(frame: &Frame) -> Option<()> {
    v6::<SOURCE_V6, TCP_V6>(frame)
}

/// The same from the peer, IPv6.
#[inline(always)]
pub fn established_v6_inbound(frame: &Frame) -> Option<()> {
    v6::<DESTINATION_V6, { TCP_V6 + 2 }>(frame)
}

#[inline(always)]
fn v4<const ADDRESS: usize, const PORT: usize>(frame: &Frame) -> Option<()> {
    let traffic = given()?;
    let course = course(traffic)?;
    write::<HEADER_WORDS>(frame, &traffic.header)?;
    frame.store(IP_CHECKSUM, course.ip_checksum)?;
    frame.store(ADDRESS, course.address)?;
    frame.store(PORT, course.port)?;
    numbers::<TCP_V4>(frame, course)
}

#[inline(always)]
fn v6<const ADDRESS: usize, const PORT: usize>(frame: &Frame) -> Option<()> {
    let traffic = given()?;
    let course = course(traffic)?;
    write::<HEADER_WORDS_V6>(frame, &traffic.header)?;
    frame.store(ADDRESS, course.address)?;
    frame.store(PORT, course.port)?;
    numbers::<TCP_V6>(frame, course)
}

#[inline(always)]
fn numbers<const TCP: usize>(frame: &Frame, course: &Course) -> Option<()> {
    frame.store(TCP + 4, course.sequence)?;
    frame.store(TCP + 8, course.acknowledgment)?;
    frame.store(TCP + 16, course.tcp_checksum)
}

/// A segment with data of an open flow. Flows are taken at random, and several segments of each follow one another; each such train
/// begins with the same number.
#[inline(always)]
pub fn train(frame: &Frame) -> Option<()> {
    let traffic = given()?;
    // The low half of the state says how far the train is, the high half which flow it is of.
    let (place, flow) = (traffic.state as u32, (traffic.state >> 32) as u32);
    let (next_place, next_flow) = if place >= traffic.train {
        let multiplied = u64::from(flow).wrapping_mul(MULTIPLIER);
        (0, (multiplied.wrapping_add(INCREMENT) >> 24) as u32)
    } else {
        (place + 1, flow)
    };
    traffic.state = u64::from(next_flow) << 32 | u64::from(next_place);
    let course = COURSES.get(traffic.first + (flow & traffic.mask))?;
    write::<HEADER_WORDS>(frame, &traffic.header)?;
    frame.store(IP_CHECKSUM, course.ip_checksum)?;
    frame.store(SOURCE, course.address)?;
    frame.store(PORT, course.port)?;
    numbers::<TCP_V4>(frame, course)?;
    let first = u32::from_be(course.sequence);
    let sequence = first.wrapping_add(place.wrapping_mul(traffic.step));
    frame.store(TCP_V4 + 4, sequence.to_be())?;
    let checksum = updated(u16::from_be(course.tcp_checksum), first, sequence);
    frame.store(TCP_CHECKSUM, checksum.to_be())
}

/// The opening segment of a flow that has not been before.
#[inline(always)]
pub fn opening(frame: &Frame) -> Option<()> {
    let traffic = given()?;
    let flow = fresh(traffic.state as u32);
    traffic.state = traffic.state.wrapping_add(1);
    write::<HEADER_WORDS>(frame, &traffic.header)?;
    let addresses = u32::from(flow.host) + u32::from(flow.peer);
    add(frame, SOURCE + 2, flow.host)?;
    add(frame, DESTINATION + 2, flow.peer)?;
    add(frame, PORT, flow.port)?;
    less(frame, IP_CHECKSUM, addresses)?;
    less(frame, TCP_CHECKSUM, addresses + u32::from(flow.port))
}

#[inline(always)]
fn add(frame: &Frame, at: usize, more: u16) -> Option<()> {
    let before = u16::from_be(frame.load(at)?);
    frame.store(at, before.wrapping_add(more).to_be())
}

/// A checksum over words that together have become larger by this much (RFC 1624 equation 3).
#[inline(always)]
fn less(frame: &Frame, at: usize, more: u32) -> Option<()> {
    let before = !u16::from_be(frame.load(at)?);
    let sum = u32::from(before) + more;
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    frame.store(at, (!(sum as u16)).to_be())
}

/// Counts a frame, if it is one of those that are sent here, for as many segments as were joined in it.
#[inline(always)]
pub fn sink(frame: &Frame, segments: u64) -> Option<()> {
    let protocol = match u16::from_be(frame.load::<u16>(ETHER_TYPE)?) {
        IPV4 => frame.load::<u8>(PROTOCOL)?,
        IPV6 => frame.load::<u8>(NEXT_HEADER)?,
        _ => return None,
    };
    if protocol != TCP {
        return None;
    }
    // SAFETY: the value is this CPU's own.
    unsafe { *SUNK.get_ptr_mut(0)? += segments };
    Some(())
}
