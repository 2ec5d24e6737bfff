//! One end of a connection of a crowd: it says a chunk, it hears one, and checks every octet of it.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context as _, Result, ensure};

use super::content::{Content, MOST};

const SHORTEST: usize = 100;
/// Some chunks are longer than a segment.
const VARIETY: usize = 1900;

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It begins the rounds.
    Host,
    /// It answers.
    Peer,
}

impl Role {
    const fn other(self) -> Self {
        match self {
            Self::Host => Self::Peer,
            Self::Peer => Self::Host,
        }
    }
}

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing, or a part of a chunk.
    Part,
    /// The rest of a chunk.
    Chunk,
    /// The other end has closed, between two chunks.
    Farewell,
}

/// One end and how far it is.
#[derive(Debug)]
pub(super) struct End {
    pub(super) stream: TcpStream,
    role: Role,
    number: usize,
    /// Octets said and heard so far.
    said: u64,
    heard: u64,
    /// Chunks said and heard so far.
    chunks_said: usize,
    chunks_heard: usize,
    /// Octets of the chunk under way that were heard.
    begun: usize,
}

impl End {
    pub(super) fn new(role: Role, number: usize, stream: TcpStream) -> Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            role,
            number,
            said: 0,
            heard: 0,
            chunks_said: 0,
            chunks_heard: 0,
            begun: 0,
        })
    }

    /// Says the next chunk.
    pub(super) fn say(&mut self, content: &Content) -> Result<()> {
        let length = length(self.number, self.chunks_said);
        let piece = content.piece(self.stream_of(self.role), self.said, length);
        let written = self.stream.write(piece).context("writing failed")?;
        ensure!(
            written == length,
            "an idle connection took {written} of {length} octets only"
        );
        self.said += length as u64;
        self.chunks_said += 1;
        Ok(())
    }

    /// Hears what has arrived.
    pub(super) fn hear(&mut self, content: &Content) -> Result<Heard> {
        let length = length(self.number, self.chunks_heard);
        let mut buffer = [0; MOST];
        let read = self.stream.read(&mut buffer[..length - self.begun]);
        let read = match read {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Heard::Part),
            other => other.with_context(|| format!("reading failed at {}", self.heard))?,
        };
        if read == 0 && self.begun == 0 {
            return Ok(Heard::Farewell);
        }
        ensure!(read > 0, "the other end has closed at {}", self.heard);
        ensure!(
            buffer[..read] == *content.piece(self.stream_of(self.role.other()), self.heard, read),
            "other octets than were sent, in the {read} behind {}",
            self.heard
        );
        self.heard += read as u64;
        self.begun += read;
        if self.begun < length {
            return Ok(Heard::Part);
        }
        self.begun = 0;
        self.chunks_heard += 1;
        Ok(Heard::Chunk)
    }

    /// The number of the content that `speaker` says on this connection.
    fn stream_of(&self, speaker: Role) -> usize {
        2 * self.number + usize::from(speaker == Role::Peer)
    }
}

/// The length of a chunk, which both ends know.
fn length(number: usize, chunk: usize) -> usize {
    SHORTEST + (number * 31 + chunk * 97) % VARIETY
}
