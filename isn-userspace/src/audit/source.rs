//! The octets of a capture: a window over a stream that grows as far as one record needs.

use std::io::{self, ErrorKind, Read};

/// Octets read at a time.
const CHUNK: usize = 1 << 20;

/// A stream that is looked at before it is consumed.
pub struct Source<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    consumed: u64,
}

impl<R: Read> Source<R> {
    /// Of which nothing has been read yet.
    pub fn new(input: R) -> Self {
        Self {
            input,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            consumed: 0,
        }
    }

    /// What was read and not consumed.
    pub fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// How many octets were consumed: the place of [`Self::data`] in the stream.
    pub const fn place(&self) -> u64 {
        self.consumed
    }

    /// Goes past `octets` of [`Self::data`].
    pub fn consume(&mut self, octets: usize) {
        let octets = octets.min(self.end - self.start);
        self.start += octets;
        self.consumed += octets as u64;
    }

    /// Reads until `octets` are there or the stream is at its end; whether they are.
    pub fn want(&mut self, octets: usize) -> io::Result<bool> {
        if self.data().len() >= octets {
            return Ok(true);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < octets {
            self.buffer.resize(octets, 0);
        }
        while self.end < octets {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(more) => self.end += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives an octet at a time, as a slow pipe does.
    struct Dripping<'a>(&'a [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let take = self.0.len().min(into.len()).min(1);
            into[..take].copy_from_slice(&self.0[..take]);
            self.0 = &self.0[take..];
            Ok(take)
        }
    }

    #[test]
    fn a_window_moves_over_the_stream_and_knows_its_place() {
        let mut source = Source::new(Dripping(b"abcdef"));
        assert!(source.want(4).unwrap());
        assert_eq!(source.data(), b"abcd");
        source.consume(3);
        assert!(source.want(3).unwrap());
        assert_eq!((source.data(), source.place()), (&b"def"[..], 3));
        source.consume(1);
        assert!(!source.want(3).unwrap());
        assert_eq!((source.data(), source.place()), (&b"ef"[..], 4));
    }

    #[test]
    fn a_window_grows_for_a_large_record() {
        let octets = vec![7; 3 * CHUNK];
        let mut source = Source::new(&octets[..]);
        assert!(source.want(2 * CHUNK + 1).unwrap());
        source.consume(2 * CHUNK);
        assert!(source.want(CHUNK).unwrap() && !source.want(CHUNK + 1).unwrap());
    }
}
