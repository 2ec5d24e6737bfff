//! The peer of a crowd, a process of its own: it has as many sockets as the crowd, and more than one process may often not have.
//!
//! A connection begins with four octets, in network order: its number, or a request to be closed.

use std::{
    collections::HashMap,
    io::Read as _,
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd as _, RawFd},
    path::Path,
    process::Stdio,
};

use anyhow::{Context as _, Result};
use nix::{
    errno::Errno,
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};

use super::{
    EVENTS, allow_descriptors,
    content::Content,
    end::{End, Heard, Role},
};
use crate::{namespace::Namespace, process::Process, server::await_listener};

/// Instead of a number: the peer closes the connection.
pub(super) const FAREWELL: u32 = u32::MAX;
const LISTENER: u64 = u64::MAX;

/// Starts `program`, which is to call [`serve`], in `namespace`; returns when it listens at `address`.
pub fn start(namespace: &Namespace, program: &Path, address: SocketAddr) -> Result<Process> {
    let mut command = namespace.command(program)?;
    command.arg(address.to_string()).stdin(Stdio::null());
    let process = Process::spawn(command)?;
    await_listener(namespace, address.port())?;
    Ok(process)
}

/// Serves crowds at `address` without end. A connection on which something wrong arrives is reset.
pub fn serve(address: SocketAddr) -> Result<()> {
    allow_descriptors()?;
    let listener =
        TcpListener::bind(address).with_context(|| format!("cannot listen at {address}"))?;
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let readable = |token| EpollEvent::new(EpollFlags::EPOLLIN, token);
    epoll.add(&listener, readable(LISTENER))?;
    let mut house = House {
        epoll,
        content: Content::new(),
        strangers: HashMap::new(),
        guests: HashMap::new(),
    };
    let mut events = [EpollEvent::empty(); EVENTS];
    loop {
        let count = match house.epoll.wait(&mut events, EpollTimeout::NONE) {
            Err(Errno::EINTR) => 0,
            other => other?,
        };
        for event in &events[..count] {
            if event.data() == LISTENER {
                house.accept(&listener)?;
            } else {
                house.attend(RawFd::try_from(event.data())?);
            }
        }
    }
}

/// Everybody who is connected, by descriptor.
struct House {
    epoll: Epoll,
    content: Content,
    strangers: HashMap<RawFd, TcpStream>,
    guests: HashMap<RawFd, End>,
}

impl House {
    fn accept(&mut self, listener: &TcpListener) -> Result<()> {
        // One that is gone already is not there any more.
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true)?;
            let token = stream.as_raw_fd();
            let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::try_from(token)?);
            self.epoll.add(&stream, event)?;
            self.strangers.insert(token, stream);
        }
        Ok(())
    }

    /// Who goes out of the maps is disconnected, and so out of the epoll set.
    fn attend(&mut self, token: RawFd) {
        let outcome = if let Some(stranger) = self.strangers.remove(&token) {
            self.welcome(token, stranger)
        } else if let Some(guest) = self.guests.get_mut(&token) {
            talk(guest, &self.content)
        } else {
            Ok(true)
        };
        match outcome {
            Ok(true) => {}
            Ok(false) => drop(self.guests.remove(&token)),
            Err(error) => {
                eprintln!("the crowd's peer: {error:#}");
                self.guests.remove(&token);
            }
        }
    }

    /// Whether it stays, as below.
    fn welcome(&mut self, token: RawFd, mut stranger: TcpStream) -> Result<bool> {
        let mut greeting = [0; 4];
        stranger
            .read_exact(&mut greeting)
            .context("no greeting came")?;
        let number = u32::from_be_bytes(greeting);
        if number != FAREWELL {
            let guest = End::new(Role::Peer, usize::try_from(number)?, stranger)?;
            self.guests.insert(token, guest);
        }
        Ok(true)
    }
}

fn talk(guest: &mut End, content: &Content) -> Result<bool> {
    match guest.hear(content)? {
        Heard::Chunk => guest.say(content)?,
        Heard::Part => {}
        Heard::Farewell => return Ok(false),
    }
    Ok(true)
}
