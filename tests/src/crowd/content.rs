//! What flows through the connections of a crowd: octets that follow from connection, direction and position, so that each
//! end can check every octet that it gets without having been told.

/// A prime, so that the pattern does not begin anew where powers of two do.
const PERIOD: usize = 65_521;
const SEED: u64 = 9293;
/// Octets that are looked at together, at most.
pub(super) const MOST: usize = 4096;

/// A pattern from which every connection reads its own piece.
#[derive(Debug)]
pub(super) struct Content(Vec<u8>);

impl Content {
    /// The same everywhere.
    pub(super) fn new() -> Self {
        let mut octets = vec![0; PERIOD + MOST];
        fastrand::Rng::with_seed(SEED).fill(&mut octets[..PERIOD]);
        octets.copy_within(..MOST, PERIOD);
        Self(octets)
    }

    /// The `length` octets at `position` of the stream called `stream`, at most [`MOST`].
    pub(super) fn piece(&self, stream: usize, position: u64, length: usize) -> &[u8] {
        let period = PERIOD as u64;
        let start = (stream as u64 * 7919 + position) % period;
        let start = usize::try_from(start).expect("less than the period");
        &self.0[start..start + length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_stream_join_each_other_beyond_the_period_too() {
        let content = Content::new();
        for begin in [0, PERIOD as u64 - 10, 3 * PERIOD as u64 - 1] {
            let whole = content.piece(5, begin, 40).to_vec();
            let parts = [
                content.piece(5, begin, 15),
                content.piece(5, begin + 15, 25),
            ];
            assert_eq!(whole, parts.concat());
        }
    }

    #[test]
    fn streams_differ_and_so_do_their_positions() {
        let content = Content::new();
        assert_ne!(content.piece(0, 0, 64), content.piece(1, 0, 64));
        assert_ne!(content.piece(0, 0, 64), content.piece(0, 1, 64));
    }
}
