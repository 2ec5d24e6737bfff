//! One direction of the wire: what it loses, doubles, holds back, and how long the rest is under way.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{Impairment, Tally};
use crate::packet_socket::PacketSocket;

const FRAME_ROOM: usize = 70_000;
/// An exchanged frame leaves after this many others …
const OVERTAKEN_BY: u32 = 3;
/// … or when nothing else came for this long.
const HELD_AT_MOST: Duration = Duration::from_millis(2);
const FRAMES_PER_TURN: usize = 64;

/// One direction of the wire.
#[derive(Debug)]
pub(super) struct Lane {
    impairment: Impairment,
    random: fastrand::Rng,
    buffer: Vec<u8>,
    held: Option<(Vec<u8>, u32)>,
    last_came: Instant,
    under_way: VecDeque<(Instant, Vec<u8>)>,
    /// When the line has nothing more to do.
    free_at: Instant,
    /// Where losses are even: frames until the next.
    until_loss: u32,
    pub(super) tally: Tally,
}

impl Lane {
    pub(super) fn new(impairment: Impairment, seed: u64) -> Self {
        Self {
            impairment,
            random: fastrand::Rng::with_seed(seed),
            buffer: vec![0; FRAME_ROOM],
            held: None,
            last_came: Instant::now(),
            under_way: VecDeque::new(),
            free_at: Instant::now(),
            until_loss: 1,
            tally: Tally::default(),
        }
    }

    /// When something must be done even if no frame comes.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let held = self.held.as_ref().map(|_| self.last_came + HELD_AT_MOST);
        let arriving = self.under_way.front().map(|(due, _)| *due);
        held.into_iter().chain(arriving).min()
    }

    /// Carries what is there, up to a turn's worth, and delivers what is due.
    pub(super) fn carry(&mut self, from: &PacketSocket, to: &PacketSocket) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        for _ in 0..FRAMES_PER_TURN {
            let received = from.receive(&mut buffer);
            let Some(length) = received.context("cannot receive a frame")? else {
                break;
            };
            self.last_came = Instant::now();
            self.handle(&buffer[..length], to)?;
        }
        self.buffer = buffer;
        if self.last_came.elapsed() >= HELD_AT_MOST {
            self.release(to)?;
        }
        self.deliver(to)
    }

    fn handle(&mut self, frame: &[u8], to: &PacketSocket) -> Result<()> {
        if !is_tcp(frame) {
            self.tally.other += 1;
            return self.pass(frame, to);
        }
        self.tally.tcp += 1;
        // Always three draws, so that one share does not change what another decides.
        let [lost, reordered, duplicated] = [
            self.impairment.loss,
            self.impairment.reorder,
            self.impairment.duplicate,
        ]
        .map(|share| self.random.u32(..1000) < share);
        if self.is_lost(lost) {
            self.tally.lost += 1;
            return Ok(());
        }
        if reordered && self.held.is_none() {
            self.tally.reordered += 1;
            self.held = Some((frame.to_vec(), OVERTAKEN_BY));
            return Ok(());
        }
        if duplicated {
            self.tally.duplicated += 1;
            self.pass(frame, to)?;
        }
        self.pass(frame, to)
    }

    /// Whether a frame is lost: by chance, or because its turn has come.
    fn is_lost(&mut self, by_chance: bool) -> bool {
        if !self.impairment.even_loss || self.impairment.loss == 0 {
            return by_chance;
        }
        self.until_loss -= 1;
        if self.until_loss > 0 {
            return false;
        }
        let distance = 1000 / self.impairment.loss;
        self.until_loss = self.random.u32(distance * 3 / 4..=distance * 5 / 4).max(1);
        true
    }

    fn pass(&mut self, frame: &[u8], to: &PacketSocket) -> Result<()> {
        self.send(frame, to)?;
        match &mut self.held {
            Some((_, 1)) => self.release(to),
            Some((_, left)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn release(&mut self, to: &PacketSocket) -> Result<()> {
        self.held
            .take()
            .map_or(Ok(()), |(frame, _)| self.send(&frame, to))
    }

    fn send(&mut self, frame: &[u8], to: &PacketSocket) -> Result<()> {
        if self.impairment.delay.is_zero() && self.impairment.rate == 0 {
            return to.send(frame).context("cannot send a frame");
        }
        self.free_at = self.free_at.max(Instant::now()) + self.serialization(frame);
        let due = self.free_at + self.impairment.delay;
        self.under_way.push_back((due, frame.to_vec()));
        Ok(())
    }

    /// How long the line is busy with a frame.
    fn serialization(&self, frame: &[u8]) -> Duration {
        match self.impairment.rate {
            0 => Duration::ZERO,
            rate => Duration::from_secs(frame.len() as u64) / rate,
        }
    }

    fn deliver(&mut self, to: &PacketSocket) -> Result<()> {
        let now = Instant::now();
        while let Some((_, frame)) = self.under_way.pop_front_if(|(due, _)| *due <= now) {
            to.send(&frame)
                .context("cannot send a frame that was under way")?;
        }
        Ok(())
    }
}

fn is_tcp(frame: &[u8]) -> bool {
    match frame.get(12..14) {
        Some([0x08, 0x00]) => frame.get(23) == Some(&6),
        Some([0x86, 0xdd]) => frame.get(20) == Some(&6),
        _ => false,
    }
}
