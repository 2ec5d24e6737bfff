//! Those who follow decisions as they happen: each has a queue of its own, and loses what does not fit, so that nobody who is
//! slow slows anybody down.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    rc::Rc,
};

use isn_common::abi::sample::Sample;
use tokio::{
    net::UnixStream,
    sync::Notify,
    time::{Duration, timeout},
};

use super::{Greeting, keeper::send, protocol::follow::Event};

/// How many may follow.
pub const MOST: usize = 16;
/// Samples that wait for one of them, beside what the socket holds: 300 kB.
const ROOM: usize = 4_096;
/// Samples that are sent together.
const AT_A_TIME: usize = 256;
/// Who takes nothing for so long is left.
const PATIENCE: Duration = Duration::from_mins(1);

/// Those who follow.
#[derive(Debug, Default)]
pub struct Followers(RefCell<Vec<Rc<Queue>>>);

#[derive(Debug, Default)]
struct Queue {
    samples: RefCell<VecDeque<Sample>>,
    lost: Cell<u64>,
    filled: Notify,
}

impl Followers {
    /// Tells a decision to all who follow.
    pub fn tell(&self, sample: &Sample) {
        for queue in &*self.0.borrow() {
            queue.add(sample);
        }
    }

    fn enter(&self) -> Option<Rc<Queue>> {
        let mut all = self.0.borrow_mut();
        if all.len() >= MOST {
            return None;
        }
        let queue = Rc::<Queue>::default();
        all.push(Rc::clone(&queue));
        Some(queue)
    }

    fn leave(&self, queue: &Rc<Queue>) {
        self.0.borrow_mut().retain(|it| !Rc::ptr_eq(it, queue));
    }
}

impl Queue {
    fn add(&self, sample: &Sample) {
        let mut samples = self.samples.borrow_mut();
        if samples.len() < ROOM {
            samples.push_back(*sample);
        } else {
            self.lost.set(self.lost.get() + 1);
        }
        self.filled.notify_one();
    }

    /// Frames of what waits, at most so many; nothing if nothing does. Those that were lost came after those that wait.
    fn take(&self) -> Vec<u8> {
        let mut samples = self.samples.borrow_mut();
        let number = samples.len().min(AT_A_TIME);
        let mut octets = Vec::with_capacity((number + 1) * Event::SIZE);
        for sample in samples.drain(..number) {
            Event::Decision(sample).write(&mut octets);
        }
        if samples.is_empty() && self.lost.get() > 0 {
            Event::Lost(self.lost.take()).write(&mut octets);
        }
        octets
    }
}

/// Serves one who follows until he goes, or does not listen.
pub async fn serve(
    stream: &UnixStream,
    greeting: Greeting,
    followers: &Followers,
) -> io::Result<()> {
    let Some(queue) = followers.enter() else {
        let is_full = true;
        return send(
            stream,
            &Greeting {
                is_full,
                ..greeting
            }
            .octets(),
        )
        .await;
    };
    let served = tokio::select! {
        served = forward(stream, greeting, &queue) => served,
        gone = gone(stream) => gone,
    };
    followers.leave(&queue);
    served
}

async fn forward(stream: &UnixStream, greeting: Greeting, queue: &Queue) -> io::Result<()> {
    send(stream, &greeting.octets()).await?;
    loop {
        let octets = queue.take();
        if octets.is_empty() {
            queue.filled.notified().await;
            continue;
        }
        timeout(PATIENCE, send(stream, &octets)).await??;
    }
}

/// Waits until the other end has gone. It has nothing more to say.
async fn gone(stream: &UnixStream) -> io::Result<()> {
    let mut octets = [0; 64];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut octets) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::{collector::tests::sample, protocol::follow::take};

    #[test]
    fn a_queue_keeps_the_first_and_counts_the_rest() {
        let followers = Followers::default();
        let (slow, quick) = (followers.enter().unwrap(), followers.enter().unwrap());
        let mut heard = Vec::new();
        for at in 0..ROOM as u64 + 5 {
            followers.tell(&sample(1, at));
            heard.extend(take(&mut quick.take()));
        }
        assert_eq!(heard.len(), ROOM + 5);
        let mut late = Vec::new();
        loop {
            let events = take(&mut slow.take());
            if events.is_empty() {
                break;
            }
            late.extend(events);
        }
        assert_eq!(late[..ROOM], heard[..ROOM]);
        assert_eq!(late[ROOM..], [Event::Lost(5)]);
    }

    #[test]
    fn places_are_given_back() {
        let followers = Followers::default();
        let all: Vec<_> = (0..MOST).map(|_| followers.enter().unwrap()).collect();
        assert!(followers.enter().is_none());
        followers.leave(&all[3]);
        assert!(followers.enter().is_some());
    }
}
