//! How often packets wake who waits for news of the data plane: a thread that waits on the ring of samples, as anybody can who has it.
//!
//! The kernel wakes whoever waits on a ring unless a program says no. What is counted is how often that thread has been put to sleep
//! again (`voluntary_ctxt_switches`): each time that it is woken, whether it finds something or not. That the count works is seen
//! at the end, where the thread is woken on purpose.

use std::{
    fs,
    os::fd::{AsFd as _, BorrowedFd},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use isn_tests::test_run::Hook;
use nix::{
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        eventfd::EventFd,
    },
    unistd::gettid,
};

use super::{HOT, cases, cases::Case, lab::Lab};
use crate::{
    figure::{Figure, Unit},
    report::Report,
};

/// Packets of open connections, half of them each way.
const ESTABLISHED: u32 = 1_000_000;
/// SYNs, of which each puts something into the ring.
const OPENING: u32 = 10_000;
/// Told to who waits: to wait on, and to end.
const WAKE: u64 = 1;
const END: u64 = 2;
const PATIENCE: Duration = Duration::from_secs(5);

/// Counts them.
pub fn measure(report: &mut Report) -> Result<()> {
    report.doing("wakeups from the data path");
    let mut lab = Lab::new(Hook::Xdp, HOT)?;
    lab.take_samples()?;
    let [[out, into], _] = cases::directions();
    let halves = [(out, ESTABLISHED / 2), (into, ESTABLISHED / 2)];
    let (woken, told) = while_waiting(&mut lab, &halves)?;
    ensure!(
        told == 0,
        "{told} samples were taken of {ESTABLISHED} packets of open connections"
    );
    let what = format!("wakeups by {ESTABLISHED} packets of open connections");
    let figure = Figure::new("wakeups", what, count(woken), Unit::Count);
    report.add(figure.must(Some("P17")));
    let (woken, told) = while_waiting(&mut lab, &[(cases::syn(), OPENING)])?;
    ensure!(told > 0, "no sample was taken of {OPENING} SYNs");
    let what = format!("wakeups by {OPENING} SYNs, {told} of them sampled");
    report.add(Figure::new("wakeups-syn", what, count(woken), Unit::Count));
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "there are few")]
const fn count(woken: u64) -> f64 {
    woken as f64
}

/// How often somebody who waits on the ring is woken by these packets, and what is in the ring then.
fn while_waiting(lab: &mut Lab, packets: &[(Case, u32)]) -> Result<(u64, usize)> {
    let ring = lab.ring()?.try_clone_to_owned()?;
    let end = EventFd::new()?;
    let woken = thread::scope(|scope| -> Result<u64> {
        let (tell, told) = mpsc::channel();
        let (ring, end) = (ring.as_fd(), &end);
        let waiting = scope.spawn(move || wait(ring, end, &tell));
        let thread = told.recv().context("nobody waits")?;
        let woken = woken(lab, packets, thread, end);
        end.write(END)?;
        waiting
            .join()
            .map_err(|_| anyhow!("who waits panicked"))??;
        woken
    })?;
    Ok((woken, lab.samples()?))
}

/// How often that thread is woken by these packets; fails unless it is seen to be woken where it is.
fn woken(lab: &mut Lab, packets: &[(Case, u32)], thread: i32, end: &EventFd) -> Result<u64> {
    let before = asleep(thread, 0)?;
    for (case, runs) in packets {
        lab.run(case.subject, case, *runs)?;
    }
    let after = asleep(thread, before)?;
    end.write(WAKE)?;
    asleep(thread, after + 1).context("waking on purpose was not counted")?;
    Ok(after - before)
}

/// Waits on the ring until told to end. Edges alone count, since nobody empties it.
fn wait(ring: BorrowedFd<'_>, end: &EventFd, tell: &mpsc::Sender<i32>) -> Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let edges = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
    epoll.add(ring, EpollEvent::new(edges, 0))?;
    epoll.add(end, EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
    tell.send(gettid().as_raw())?;
    let mut events = [EpollEvent::empty()];
    loop {
        epoll.wait(&mut events, EpollTimeout::NONE)?;
        if events[0].data() == 1 && end.read()? == END {
            return Ok(());
        }
    }
}

/// Waits until that thread sleeps and has gone to sleep so often; how often it has.
fn asleep(thread: i32, times: u64) -> Result<u64> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let sleeps = status(thread, "State:")?.starts_with('S');
        let slept = slept(thread)?;
        if sleeps && slept >= times {
            return Ok(slept);
        }
        ensure!(Instant::now() < deadline, "who waits does not sleep");
        thread::yield_now();
    }
}

/// How often that thread has gone to sleep.
fn slept(thread: i32) -> Result<u64> {
    let number = status(thread, "voluntary_ctxt_switches:")?;
    number
        .parse()
        .with_context(|| format!("{number} is no number"))
}

fn status(thread: i32, what: &str) -> Result<String> {
    let path = format!("/proc/self/task/{thread}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(what));
    let value = line.with_context(|| format!("{path} does not tell {what}"))?;
    Ok(value.trim().to_owned())
}
