//! The one door to a packet's octets. Each hook implements it once, and those are the only places
//! where packet memory is touched.

use crate::{
    checksum::Change,
    headers::tcp::CHECKSUM,
    tcp::{
        options::SynOptions,
        sack::{self, Moved},
        seq::{Offset, Seq},
        timestamps::{self, Move},
    },
};

/// A frame that begins with its Ethernet header.
///
/// Offsets and lengths are in octets from the first octet of the frame. Multi-octet values are in
/// network order, as arrays.
pub trait Packet {
    /// Length of the whole frame, also of the part that [`Packet::load`] cannot reach.
    fn length(&self) -> u32;

    /// Whether the whole frame has at least so many octets.
    fn holds(&self, octets: u32) -> bool {
        self.length() >= octets
    }

    /// Whether the octets before `end` are within reach, or nothing could bring them there. A hook that can bring them there does so before
    /// the general way, since that has its price.
    fn is_at_hand(&self, end: usize) -> bool {
        let _ = end;
        true
    }

    /// The `N` octets at `at`, or `None` if they do not lie wholly within reach.
    fn load<const N: usize>(&self, at: usize) -> Option<[u8; N]>;

    /// `N` words of 32 bits from `at`, as they lie in the frame.
    fn words<const N: usize>(&self, at: usize) -> Option<[u32; N]> {
        let mut words = [0; N];
        for (nth, word) in words.iter_mut().enumerate() {
            *word = u32::from_ne_bytes(self.load(at.wrapping_add(4usize.wrapping_mul(nth)))?);
        }
        Some(words)
    }

    /// The 32-bit number at `at`. An address that goes into a key comes this way: an array has no alignment, and the
    /// optimizer would put halves of it where the verifier accepts none.
    fn word(&self, at: usize) -> Option<u32> {
        self.load(at).map(u32::from_be_bytes)
    }

    /// The 128-bit number at `at`; see [`Packet::word`].
    fn quadword(&self, at: usize) -> Option<u128> {
        self.load(at).map(u128::from_be_bytes)
    }

    /// Replaces the `N` octets at `at`. `None`, and nothing is written, if they are out of reach.
    fn store<const N: usize>(&mut self, at: usize, octets: [u8; N]) -> Option<()>;

    /// The 802.1Q or 802.1ad tag (TCI) that the device or the kernel has taken out of the frame.
    fn stripped_tag(&self) -> Option<u16> {
        None
    }

    /// The same number. In the kernel, the verifier forgets what it knows of it: without that it
    /// would follow every possible sum of lengths through a walk over headers or options, which are
    /// more than it can follow.
    fn unknown(&self, number: usize) -> usize {
        number
    }

    /// What the options from `start` up to `end` settle, in a SYN. A hook may do this in a function
    /// of its own, so that the verifier walks the options once and not once a path.
    fn syn_options(&self, start: usize, end: usize) -> SynOptions
    where
        Self: Sized,
    {
        SynOptions::read(self, start, end)
    }

    /// Takes `offset` from the edges of the SACK options from `start` up to `end`, in the segment
    /// whose header begins at `tcp`. Like [`Packet::syn_options`], in a function of its own.
    fn sack_to_host(
        &mut self,
        start: usize,
        end: usize,
        tcp: usize,
        offset: Offset,
    ) -> Option<Moved>
    where
        Self: Sized,
    {
        sack::to_host(self, start, end, tcp, offset)
    }

    /// [`timestamps::shift`]. Like [`Packet::syn_options`], in a function of its own.
    fn shift_stamps(&mut self, start: usize, end: usize, to: Move) -> Option<Change>
    where
        Self: Sized,
    {
        timestamps::shift(self, start, end, to)
    }

    /// [`timestamps::value`]. Like [`Packet::syn_options`], in a function of its own.
    fn stamp(&self, start: usize, end: usize) -> Option<Seq>
    where
        Self: Sized,
    {
        timestamps::value(self, start, end)
    }

    /// Brings the checksum field at `at` up to date with a change of octets that it covers
    /// (RFC 1624 eqn. 3). A hook that can tell an unfinished checksum leaves that one alone, since
    /// it does not cover the octets yet.
    fn update_checksum(&mut self, at: usize, change: Change) -> Option<()> {
        let old = u16::from_be_bytes(self.load(at)?);
        self.store(at, change.applied_to(old).to_be_bytes())
    }

    /// Writes words at `at` as they are to lie in the frame. `None` if that cannot be: the packet may then be half changed.
    fn put_words<const N: usize>(&mut self, at: usize, words: [u32; N]) -> Option<()> {
        for (nth, word) in words.iter().enumerate() {
            self.store(
                at.wrapping_add(4usize.wrapping_mul(nth)),
                word.to_ne_bytes(),
            )?;
        }
        Some(())
    }

    /// Writes a number of the TCP header at `tcp`, `field` octets into it, and brings the header's checksum up to date with `change`, which has that
    /// number in it. `None` if that cannot be: the packet may then be half changed.
    fn put_number(&mut self, tcp: usize, field: usize, number: Seq, change: Change) -> Option<()> {
        self.store(tcp.wrapping_add(field), number.0.to_be_bytes())?;
        self.update_checksum(tcp.wrapping_add(CHECKSUM), change)
    }
}
