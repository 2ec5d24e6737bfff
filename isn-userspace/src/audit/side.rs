//! One side of a flow: where it began, and how far it has come.

use isn_common::tcp::seq::Seq;

/// How far ahead the next segment may end, before and after the peer has answered: RFC 7413's cookie and data, and the largest
/// window (RFC 7323 section 2.3). What ends beyond is not the host's.
const FIRST_FLIGHT: i32 = 65_535;
const LARGEST_WINDOW: i32 = 1 << 30;

/// What one side has sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Side {
    /// Number of its last SYN, if one was seen.
    pub isn: Seq,
    /// The end of what it has sent.
    pub high_water: Seq,
    marks: u8,
}

impl Side {
    /// Something of it was seen, so that the high-water mark counts.
    const KNOWN: u8 = 1;
    /// Its SYN belongs to the incarnation that lives.
    pub const CURRENT: u8 = 2;
    /// The other side has answered it.
    pub const ANSWERED: u8 = 4;
    /// It has gone on after its SYN.
    pub const PROGRESSED: u8 = 8;
    /// It has sent a FIN.
    pub const FIN: u8 = 16;

    /// One that has just sent a SYN, whose peer has spoken or not.
    pub const fn opened(isn: Seq, end: Seq, answered: bool) -> Self {
        let answered = if answered { Self::ANSWERED } else { 0 };
        Self {
            isn,
            high_water: end,
            marks: Self::KNOWN | Self::CURRENT | answered,
        }
    }

    /// Whether the mark is there.
    pub const fn has(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    /// Whether anything of it was seen.
    pub const fn is_known(&self) -> bool {
        self.has(Self::KNOWN)
    }

    /// Sets marks.
    pub const fn set(&mut self, marks: u8) {
        self.marks |= marks;
    }

    /// Takes marks away.
    pub const fn clear(&mut self, marks: u8) {
        self.marks &= !marks;
    }

    /// It has sent everything up to `end`, if that can be.
    pub const fn reach(&mut self, end: Seq) {
        if !self.is_known() {
            self.high_water = end;
            self.set(Self::KNOWN);
            return;
        }
        let most = if self.has(Self::CURRENT) && !self.has(Self::ANSWERED) {
            FIRST_FLIGHT
        } else {
            LARGEST_WINDOW
        };
        let further = end.distance_from(self.high_water);
        if 0 < further && further <= most {
            self.high_water = end;
        }
    }
}

/// Whether a SYN of `mine` belongs to the incarnation that a SYN of `theirs` has opened: as its answer, or at the same time.
pub const fn same_incarnation(mine: &Side, theirs: &Side, answers: bool) -> bool {
    theirs.has(Side::CURRENT) && (answers || !mine.has(Side::CURRENT))
}
