//! A frame at an XDP hook: the only `unsafe` that touches packet memory there.

use aya_ebpf::{bindings::xdp_md, helpers::bpf_xdp_get_buff_len};
use isn_common::{
    abi::flow::{pack, unpack},
    checksum::Change,
    headers::tcp::{CHECKSUM, SHORTEST},
    packet::Packet,
    tcp::{
        options::SynOptions,
        sack::{self, Moved},
        seq::{Offset, Seq},
        timestamps::{self, Move},
    },
};

use crate::hide::{bounded, hide, unknown};

/// The frame of an XDP context; headers are read from its first buffer.
pub struct XdpPacket(*mut xdp_md);

impl XdpPacket {
    /// The frame of the context that the kernel gave to the program.
    #[inline(always)]
    pub fn new(ctx: *mut xdp_md) -> Self {
        Self(ctx)
    }

    /// A pointer to a `T` at `at` that lies within the first buffer.
    #[inline(always)]
    fn place<T>(&self, at: usize) -> Option<*mut T> {
        let at = bounded(at);
        // SAFETY: the context is the one the kernel gave.
        let (data, data_end) = unsafe { ((*self.0).data as usize, (*self.0).data_end as usize) };
        let start = data + at;
        if hide(start + size_of::<T>()) > data_end {
            return None;
        }
        Some(start as *mut T)
    }
}

impl Packet for XdpPacket {
    #[inline(always)]
    fn length(&self) -> u32 {
        // SAFETY: the context is the one the kernel gave. Counts all buffers of a jumbo frame.
        unsafe { bpf_xdp_get_buff_len(self.0) as u32 }
    }

    #[inline(always)]
    fn holds(&self, octets: u32) -> bool {
        // SAFETY: the context is the one the kernel gave.
        let (data, data_end) = unsafe { ((*self.0).data, (*self.0).data_end) };
        // Nearly every frame is in one buffer, which costs no call to find out.
        data_end.wrapping_sub(data) >= octets || self.length() >= octets
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
        // SAFETY: as for `load`; the kernel gives this run the frame alone.
        self.place::<[u8; N]>(at)
            .map(|place| unsafe { place.write(octets) })
    }

    #[inline(always)]
    fn put_words<const N: usize>(&mut self, at: usize, words: [u32; N]) -> Option<()> {
        // SAFETY: as for `words`.
        self.place::<[u32; N]>(at)
            .map(|place| unsafe { place.write_unaligned(words) })
    }

    #[inline(always)]
    fn put_number(&mut self, tcp: usize, field: usize, number: Seq, change: Change) -> Option<()> {
        let header = self.place::<[u8; SHORTEST]>(tcp)?.cast::<u8>();
        // SAFETY: `place` has checked the bounds of the header.
        unsafe { put_number(header, field, number, change) };
        Some(())
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
        Moved::from_bits(xdp_sack_to_host(self.0, options, tcp as u32, offset.0))
    }

    #[inline(always)]
    fn shift_stamps(&mut self, start: usize, end: usize, to: Move) -> Option<Change> {
        let options = pack(start as u32, end as u32);
        let [place, by] = to.to_words();
        timestamps::change_from_bits(xdp_shift_stamps(self.0, options, place, by))
    }

    #[inline(always)]
    fn stamp(&self, start: usize, end: usize) -> Option<Seq> {
        timestamps::value_from_bits(xdp_stamp(self.0, start as u32, end as u32))
    }

    #[inline(always)]
    fn syn_options(&self, start: usize, end: usize) -> SynOptions {
        SynOptions::from_bits(xdp_syn_options(self.0, start as u32, end as u32))
    }
}

/// The same of which the ends are known: for the short cut, which looks at the same octets again and again.
pub struct XdpFrame {
    whole: XdpPacket,
    start: usize,
    end: usize,
}

impl XdpFrame {
    /// The frame of the context that the kernel gave to the program.
    #[inline(always)]
    pub fn new(ctx: *mut xdp_md) -> Self {
        // SAFETY: the context is the one the kernel gave.
        let (start, end) = unsafe { ((*ctx).data as usize, (*ctx).data_end as usize) };
        Self {
            whole: XdpPacket(ctx),
            start,
            end,
        }
    }

    /// [`XdpPacket::place`].
    #[inline(always)]
    fn place<T>(&self, at: usize) -> Option<*mut T> {
        let start = self.start + bounded(at);
        if hide(start + size_of::<T>()) > self.end {
            return None;
        }
        Some(start as *mut T)
    }
}

impl Packet for XdpFrame {
    #[inline(always)]
    fn length(&self) -> u32 {
        self.whole.length()
    }

    #[inline(always)]
    fn holds(&self, octets: u32) -> bool {
        self.end.wrapping_sub(self.start) >= octets as usize || self.length() >= octets
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
        // SAFETY: as for `load`; the kernel gives this run the frame alone.
        self.place::<[u8; N]>(at)
            .map(|place| unsafe { place.write(octets) })
    }

    #[inline(always)]
    fn put_words<const N: usize>(&mut self, at: usize, words: [u32; N]) -> Option<()> {
        // SAFETY: as for `words`.
        self.place::<[u32; N]>(at)
            .map(|place| unsafe { place.write_unaligned(words) })
    }

    #[inline(always)]
    fn put_number(&mut self, tcp: usize, field: usize, number: Seq, change: Change) -> Option<()> {
        let header = self.place::<[u8; SHORTEST]>(tcp)?.cast::<u8>();
        // SAFETY: `place` has checked the bounds of the header.
        unsafe { put_number(header, field, number, change) };
        Some(())
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
        self.whole.sack_to_host(start, end, tcp, offset)
    }

    #[inline(always)]
    fn shift_stamps(&mut self, start: usize, end: usize, to: Move) -> Option<Change> {
        self.whole.shift_stamps(start, end, to)
    }

    #[inline(always)]
    fn stamp(&self, start: usize, end: usize) -> Option<Seq> {
        self.whole.stamp(start, end)
    }

    #[inline(always)]
    fn syn_options(&self, start: usize, end: usize) -> SynOptions {
        self.whole.syn_options(start, end)
    }
}

/// Writes a number and the checksum of a TCP header.
///
/// # Safety
///
/// The header lies within the frame, and the field within the header.
#[inline(always)]
unsafe fn put_number(header: *mut u8, field: usize, number: Seq, change: Change) {
    // SAFETY: as the caller promises.
    unsafe {
        header
            .add(field)
            .cast::<[u8; 4]>()
            .write(number.0.to_be_bytes());
        let checksum = header.add(CHECKSUM).cast::<[u8; 2]>();
        let updated = change.applied_to(u16::from_be_bytes(checksum.read()));
        checksum.write(updated.to_be_bytes());
    }
}

/// A function of its own for the verifier.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xdp_syn_options(ctx: *mut xdp_md, start: u32, end: u32) -> u64 {
    SynOptions::read(&XdpPacket::new(ctx), start as usize, end as usize).to_bits()
}

/// A function of its own for the verifier.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xdp_sack_to_host(ctx: *mut xdp_md, options: u64, tcp: u32, offset: u32) -> u64 {
    let (start, end) = unpack(options);
    let packet = &mut XdpPacket(ctx);
    let (start, end, tcp) = (start as usize, end as usize, tcp as usize);
    Moved::to_bits(sack::to_host(packet, start, end, tcp, Offset(offset)))
}

/// A function of its own for the verifier.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xdp_shift_stamps(ctx: *mut xdp_md, options: u64, place: u64, by: u64) -> u64 {
    let (start, end) = unpack(options);
    let packet = &mut XdpPacket(ctx);
    let to = Move::from_words([place, by]);
    let change = timestamps::shift(packet, start as usize, end as usize, to);
    timestamps::change_to_bits(change)
}

/// A function of its own for the verifier.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn xdp_stamp(ctx: *mut xdp_md, start: u32, end: u32) -> u64 {
    let value = timestamps::value(&XdpPacket(ctx), start as usize, end as usize);
    timestamps::value_to_bits(value)
}
