//! A crowd: thousands of connections at once whose transfers never end, each octet checked at both ends, and beside them
//! newcomers, who open, use and close connections one after the other.
//!
//! `lives` opens many connections together, each in a second life that needs an offset; `end` is an end of one of them and
//! `peer` the process that has all the other ends; `figures` says how long they ever stood still.

use std::{
    io::Write as _,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::{
    errno::Errno,
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        resource::{Resource, getrlimit, setrlimit},
        socket::getsockopt,
    },
};

use self::{
    content::Content,
    end::{End, Heard, Role},
    figures::Figures,
    lives::open_again,
};
use crate::{
    socket_option::TcpState,
    topology::{HOST_IF, Lab},
};

mod content;
mod end;
pub mod figures;
pub mod lives;
pub mod newcomers;
pub mod peer;

/// A round that takes longer has stalled.
const PATIENCE: Duration = Duration::from_mins(1);
const EVENTS: usize = 512;
/// `TCP_ESTABLISHED` of `include/net/tcp_states.h`.
const TCP_ESTABLISHED: u8 = 1;

/// Connections that all have something to say.
#[derive(Debug)]
pub struct Crowd {
    members: Vec<Member>,
    content: Content,
    epoll: Epoll,
    under_way: usize,
}

#[derive(Debug)]
struct Member {
    end: End,
    local: SocketAddr,
    /// When the round under way began.
    began: Option<Instant>,
    is_broken: bool,
}

/// Gives the host further addresses.
pub fn add_hosts(lab: &Lab, addresses: &[IpAddr]) -> Result<()> {
    for address in addresses {
        let bits = if address.is_ipv4() { 24 } else { 64 };
        let prefix = format!("{address}/{bits}");
        let mut arguments = vec!["address", "add", &prefix, "dev", HOST_IF];
        if address.is_ipv6() {
            arguments.push("nodad");
        }
        lab.host.run("ip", &arguments)?;
    }
    Ok(())
}

/// Lets this process have as many sockets as it may.
pub fn allow_descriptors() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        .with_context(|| format!("cannot have {hard} file descriptors: see `ulimit -n -H`"))
}

/// Ends on `hosts`, evenly: one port of each, then the next, from 20,000 on.
pub fn ends(hosts: &[IpAddr]) -> impl Iterator<Item = SocketAddr> {
    (20_000..=u16::MAX)
        .flat_map(move |port| hosts.iter().map(move |host| SocketAddr::new(*host, port)))
}

impl Crowd {
    /// Opens a connection from each of `ends` to the crowd's peer. Each has lived once before, from the higher of the numbers
    /// on, and starts at the lower now.
    pub fn open(
        lab: &Lab,
        ends: &[SocketAddr],
        peer: SocketAddr,
        numbers: (u32, u32),
    ) -> Result<Self> {
        allow_descriptors()?;
        let mut crowd = Self {
            members: Vec::with_capacity(ends.len()),
            content: Content::new(),
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            under_way: 0,
        };
        for mut stream in open_again(lab, ends, peer, numbers)? {
            let number = crowd.members.len();
            stream.write_all(&u32::try_from(number)?.to_be_bytes())?;
            let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
            crowd.epoll.add(&stream, event)?;
            crowd.members.push(Member {
                local: stream.local_addr()?,
                end: End::new(Role::Host, number, stream)?,
                began: None,
                is_broken: false,
            });
        }
        Ok(crowd)
    }

    /// How many connections there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// The hosts' ends.
    pub fn ends(&self) -> impl Iterator<Item = SocketAddr> {
        self.members.iter().map(|member| member.local)
    }

    /// Carries on as long as `goes_on` says so: each connection begins a round every `pace`, one after the other. Rounds under
    /// way are ended.
    pub fn carry_on(
        &mut self,
        pace: Duration,
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<Figures> {
        let mut figures = Figures::default();
        let step = pace / u32::try_from(self.size())?;
        let mut next = Instant::now();
        let mut turn = 0;
        while goes_on() {
            while next <= Instant::now() {
                self.begin(turn % self.members.len(), &mut figures);
                turn += 1;
                next += step;
            }
            self.listen(&mut figures)?;
        }
        let deadline = Instant::now() + PATIENCE;
        while self.under_way > 0 && Instant::now() < deadline {
            self.listen(&mut figures)?;
        }
        figures.stalled = self.under_way;
        Ok(figures.sorted())
    }

    /// Fails unless the host's end of every connection is open.
    pub fn ensure_established(&self) -> Result<()> {
        for member in &self.members {
            let state = getsockopt(&member.end.stream, TcpState)?;
            ensure!(
                state == TCP_ESTABLISHED,
                "the connection from {} is in TCP state {state}",
                member.local
            );
        }
        Ok(())
    }

    fn begin(&mut self, number: usize, figures: &mut Figures) {
        let member = &mut self.members[number];
        if member.is_broken {
            return;
        }
        if member.began.is_some() {
            figures.skipped += 1;
            return;
        }
        self.under_way += 1;
        member.began = Some(Instant::now());
        let outcome = member.end.say(&self.content);
        self.note(number, outcome.map(|()| Heard::Part), figures);
    }

    /// Hears what arrives within a moment.
    fn listen(&mut self, figures: &mut Figures) -> Result<()> {
        let mut events = [EpollEvent::empty(); EVENTS];
        let count = match self.epoll.wait(&mut events, EpollTimeout::from(1_u8)) {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        for event in &events[..count] {
            let number = usize::try_from(event.data())?;
            let outcome = self.members[number].end.hear(&self.content);
            self.note(number, outcome, figures);
        }
        Ok(())
    }

    /// Notes the end of a round, or of a connection.
    fn note(&mut self, number: usize, heard: Result<Heard>, figures: &mut Figures) {
        let member = &mut self.members[number];
        let error = match heard {
            Ok(Heard::Part) => return,
            Ok(Heard::Chunk) => {
                if let Some(began) = member.began.take() {
                    figures.note(began.elapsed());
                    self.under_way -= 1;
                }
                return;
            }
            Ok(Heard::Farewell) => anyhow!("the peer has closed"),
            Err(error) => error,
        };
        figures.broken.push(format!("{}: {error:#}", member.local));
        member.is_broken = true;
        self.under_way -= usize::from(member.began.take().is_some());
        // What it fails for is not in the set, which is the aim.
        let _ = self.epoll.delete(&member.end.stream);
    }
}

/// Fails unless nothing broke and nothing stalled.
pub fn ensure_unbroken(figures: &Figures) -> Result<()> {
    ensure!(
        figures.broken.is_empty(),
        "{} connections broke: {:?}",
        figures.broken.len(),
        &figures.broken[..figures.broken.len().min(5)]
    );
    ensure!(
        figures.stalled == 0,
        "{} connections stood still for {PATIENCE:?}",
        figures.stalled
    );
    Ok(())
}
