//! A frame at a TC hook: the only `unsafe` that touches packet memory there.
//!
//! Reads go straight to the linear part; writes go through helpers, which make a private copy of
//! what is shared with a sender's queue, and know checksums that are not finished yet.

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::{bpf_l4_csum_replace, bpf_skb_pull_data, bpf_skb_store_bytes},
};
use isn_common::{
    abi::flow::{pack, unpack},
    checksum::Change,
    headers::extent,
    packet::Packet,
    tcp::{
        options::SynOptions,
        sack::{self, Moved},
        seq::{Offset, Seq},
        timestamps::{self, Move},
    },
};

use crate::hide::{bounded, hide, unknown};

/// Headers are made linear up to here: Ethernet, two tags, IPv6 with extensions, TCP with options.
const HEADERS: u32 = 256;

/// The frame of a TC context.
pub struct TcPacket(*mut __sk_buff);

impl TcPacket {
    /// The frame of the context that the kernel gave to the program.
    #[inline(always)]
    pub fn new(ctx: *mut __sk_buff) -> Self {
        Self(ctx)
    }

    /// Octets of the linear part: what loads can reach.
    #[inline(always)]
    fn linear(&self) -> usize {
        // SAFETY: the context is the one the kernel gave.
        unsafe { ((*self.0).data_end as usize).wrapping_sub((*self.0).data as usize) }
    }

    /// A pointer to a `T` at `at` that lies within the linear part.
    #[inline(always)]
    fn place<T>(&self, at: usize) -> Option<*const T> {
        let at = bounded(at);
        // SAFETY: the context is the one the kernel gave.
        let (data, data_end) = unsafe { ((*self.0).data as usize, (*self.0).data_end as usize) };
        let start = data + at;
        if hide(start + size_of::<T>()) > data_end {
            return None;
        }
        Some(start as *const T)
    }

    /// Writes a value's octets; one without padding.
    #[inline(always)]
    fn put<T>(&self, at: usize, value: &T) -> Option<()> {
        // SAFETY: the helper checks the offset, and reads exactly the value's octets.
        let result = unsafe {
            bpf_skb_store_bytes(
                self.0,
                u32::try_from(at).ok()?,
                core::ptr::from_ref(value).cast(),
                size_of::<T>() as u32,
                0,
            )
        };
        (result == 0).then_some(())
    }
}

/// Words on the stack, where old verifiers want those aligned that the compiler writes in pairs. Their number is even.
#[repr(align(8))]
struct Words<const N: usize>([u32; N]);

impl Packet for TcPacket {
    #[inline(always)]
    fn length(&self) -> u32 {
        // SAFETY: the context is the one the kernel gave.
        unsafe { (*self.0).len }
    }

    #[inline(always)]
    fn is_at_hand(&self, end: usize) -> bool {
        self.linear() >= end
    }

    #[inline(always)]
    fn load<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        // SAFETY: `place` has checked the bounds; an array of octets needs no alignment.
        self.place::<[u8; N]>(at)
            .map(|place| unsafe { place.read() })
    }

    #[inline(always)]
    fn words<const N: usize>(&self, at: usize) -> Option<[u32; N]> {
        // SAFETY: `place` has checked the bounds.
        self.place::<[u32; N]>(at)
            .map(|place| unsafe { place.read_unaligned() })
    }

    #[inline(always)]
    fn store<const N: usize>(&mut self, at: usize, octets: [u8; N]) -> Option<()> {
        self.put(at, &octets)
    }

    #[inline(always)]
    fn put_words<const N: usize>(&mut self, at: usize, words: [u32; N]) -> Option<()> {
        self.put(at, &Words(words))
    }

    #[inline(always)]
    fn stripped_tag(&self) -> Option<u16> {
        // SAFETY: the context is the one the kernel gave.
        let (present, tag) = unsafe { ((*self.0).vlan_present, (*self.0).vlan_tci) };
        (present != 0).then_some(tag as u16)
    }

    #[inline(always)]
    fn unknown(&self, number: usize) -> usize {
        unknown(number)
    }

    #[inline(always)]
    fn sack_to_host(
        &mut self,
        start: usize,
        end: usize,
        tcp: usize,
        offset: Offset,
    ) -> Option<Moved> {
        let options = pack(start as u32, end as u32);
        Moved::from_bits(tc_sack_to_host(self.0, options, tcp as u32, offset.0))
    }

    #[inline(always)]
    fn shift_stamps(&mut self, start: usize, end: usize, to: Move) -> Option<Change> {
        let options = pack(start as u32, end as u32);
        let [place, by] = to.to_words();
        timestamps::change_from_bits(tc_shift_stamps(self.0, options, place, by))
    }

    #[inline(always)]
    fn stamp(&self, start: usize, end: usize) -> Option<Seq> {
        timestamps::value_from_bits(tc_stamp(self.0, start as u32, end as u32))
    }

    #[inline(always)]
    fn syn_options(&self, start: usize, end: usize) -> SynOptions {
        SynOptions::from_bits(tc_syn_options(self.0, start as u32, end as u32))
    }

    /// An unfinished checksum (`CHECKSUM_PARTIAL`) covers only the pseudo header so far, and is
    /// left alone; the helper knows.
    #[inline(always)]
    fn update_checksum(&mut self, at: usize, change: Change) -> Option<()> {
        if change.is_none() {
            return Some(());
        }
        let difference = u64::from(change.folded().to_be());
        // SAFETY: the helper checks the offset. Size 0 means that `to` is a difference.
        let result =
            unsafe { bpf_l4_csum_replace(self.0, u32::try_from(at).ok()?, 0, difference, 0) };
        (result == 0).then_some(())
    }
}

/// Brings the headers within reach, for a packet that is not the short cut's.
///
/// Of a segment of 64 KiB nothing but the headers is linear, and what lies behind them had better stay where it is: to bring octets of it here, the kernel
/// makes new memory for the headers, and a receiver finds its data cut in two. So that is done only where a glance at the headers says that it must be.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn tc_gather(ctx: *mut __sk_buff) -> u32 {
    let packet = TcPacket(ctx);
    let length = packet.length();
    let wanted = if length < HEADERS { length } else { HEADERS };
    if packet.is_at_hand(wanted as usize)
        || extent::end(&packet).is_some_and(|end| packet.is_at_hand(end))
    {
        return 0;
    }
    // SAFETY: the context is the one the kernel gave. A failure leaves less within reach, and loads then say so.
    unsafe { bpf_skb_pull_data(ctx, wanted) as u32 }
}

/// A function of its own for the verifier.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn tc_syn_options(ctx: *mut __sk_buff, start: u32, end: u32) -> u64 {
    SynOptions::read(&TcPacket(ctx), start as usize, end as usize).to_bits()
}

/// A function of its own for the verifier.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn tc_sack_to_host(ctx: *mut __sk_buff, options: u64, tcp: u32, offset: u32) -> u64 {
    let (start, end) = unpack(options);
    let packet = &mut TcPacket(ctx);
    let (start, end, tcp) = (start as usize, end as usize, tcp as usize);
    Moved::to_bits(sack::to_host(packet, start, end, tcp, Offset(offset)))
}

/// A function of its own for the verifier.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn tc_shift_stamps(ctx: *mut __sk_buff, options: u64, place: u64, by: u64) -> u64 {
    let (start, end) = unpack(options);
    let packet = &mut TcPacket(ctx);
    let to = Move::from_words([place, by]);
    let change = timestamps::shift(packet, start as usize, end as usize, to);
    timestamps::change_to_bits(change)
}

/// A function of its own for the verifier.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn tc_stamp(ctx: *mut __sk_buff, start: u32, end: u32) -> u64 {
    let value = timestamps::value(&TcPacket(ctx), start as usize, end as usize);
    timestamps::value_to_bits(value)
}
