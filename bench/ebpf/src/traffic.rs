//! Makes frames for a gateway out of nothing, and ends them behind it.
//!
//! The frames are live: the kernel takes them for frames that have arrived, and gives their memory to this program again when
//! they are gone. What lies there is what the gateway has made of an earlier one, so each is written anew.

use aya_ebpf::{
    macros::map,
    maps::{Array, PerCpuArray},
};
use isn_bench_ebpf::{Course, HEADER_WORDS, Traffic, fresh};

use crate::{
    frame::Frame,
    restore::{INCREMENT, MULTIPLIER},
};

/// What is sent.
#[map]
static TRAFFIC: Array<Traffic> = Array::with_max_entries(1, 0);
/// Where each flow stands; the benchmark asks for its own number.
#[map]
static COURSES: Array<Course> = Array::with_max_entries(1024, 0);
/// Frames of TCP over IPv4 that have come to their end.
#[map]
static SUNK: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

const ETHER_TYPE: usize = 12;
const IPV4: u16 = 0x0800;
const PROTOCOL: usize = 23;
const TCP: u8 = 6;
const IP_CHECKSUM: usize = 24;
const SOURCE: usize = 26;
const DESTINATION: usize = 30;
const PORT: usize = 34;
const SEQUENCE: usize = 38;
const ACKNOWLEDGMENT: usize = 42;
const TCP_CHECKSUM: usize = 50;

#[inline(always)]
fn write(frame: &Frame, header: &[u64; HEADER_WORDS]) -> Option<()> {
    for (word, octets) in header.iter().enumerate() {
        frame.store(8 * word, *octets)?;
    }
    Some(())
}

/// A segment of an open flow, one of them at random.
#[inline(always)]
pub fn established(frame: &Frame) -> Option<()> {
    // SAFETY: one CPU makes frames, and nobody else writes meanwhile.
    let traffic = unsafe { &mut *TRAFFIC.get_ptr_mut(0)? };
    traffic.state = traffic
        .state
        .wrapping_mul(MULTIPLIER)
        .wrapping_add(INCREMENT);
    let number = (traffic.state >> 40) as u32 & traffic.mask;
    let course = COURSES.get(number)?;
    write(frame, &traffic.header)?;
    frame.store(IP_CHECKSUM, course.ip_checksum)?;
    frame.store(SOURCE, course.address)?;
    frame.store(PORT, course.port)?;
    frame.store(SEQUENCE, course.sequence)?;
    frame.store(ACKNOWLEDGMENT, course.acknowledgment)?;
    frame.store(TCP_CHECKSUM, course.tcp_checksum)
}

/// The opening segment of a flow that has not been before.
#[inline(always)]
pub fn opening(frame: &Frame) -> Option<()> {
    // SAFETY: as above.
    let traffic = unsafe { &mut *TRAFFIC.get_ptr_mut(0)? };
    let flow = fresh(traffic.state as u32);
    traffic.state = traffic.state.wrapping_add(1);
    write(frame, &traffic.header)?;
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

/// Counts a frame, if it is one of those that are sent here.
#[inline(always)]
pub fn sink(frame: &Frame) -> Option<()> {
    if frame.load::<u16>(ETHER_TYPE)? != IPV4.to_be() || frame.load::<u8>(PROTOCOL)? != TCP {
        return None;
    }
    // SAFETY: the value is this CPU's own.
    unsafe { *SUNK.get_ptr_mut(0)? += 1 };
    Some(())
}
