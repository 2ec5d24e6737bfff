//! Decisions as they happen: from `isnguard run`, where it stays with the instance, else from the ring itself, which has one
//! reader at a time. Whoever comes or goes meanwhile, it goes on.

use std::io;

use tokio::{
    net::UnixStream,
    time::{Duration, sleep},
};

use super::{
    protocol::follow::{self, Event},
    socket,
};
use crate::{
    daemon::{Readable, register},
    dataplane::{Pins, Ring, Taken, monotonic},
    failure::{Explain as _, Failure},
    settings::Place,
};

/// Between two looks at who could be asked.
const PAUSE: Duration = Duration::from_millis(200);
/// Decisions taken out of the ring before anybody else has a turn.
const AT_A_TIME: usize = 4_096;
/// Octets read at a time.
const CHUNK: usize = 1 << 16;

/// Who tells the decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// `isnguard run`.
    Run,
    /// The ring in the kernel.
    Ring,
    /// Nobody yet: another process reads the ring, as far as can be seen this one.
    Nobody(Option<u32>),
}

impl From {
    /// Name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Ring => "kernel",
            Self::Nobody(_) => "nobody",
        }
    }
}

/// One who watches.
pub struct Watching {
    place: Place,
    from: Source,
}

enum Source {
    Run(UnixStream, Vec<u8>),
    /// The ring, and since when it is read: what has queued before is not shown.
    Ring(Readable<Ring>, u64),
    Nobody(Option<u32>),
}

impl Watching {
    /// Begins to watch an instance, by whoever tells.
    pub fn begin(place: &Place) -> Result<Self, Failure> {
        Ok(Self {
            place: place.clone(),
            from: find(place)?,
        })
    }

    /// Who tells.
    #[must_use]
    pub const fn from(&self) -> From {
        match self.from {
            Source::Run(..) => From::Run,
            Source::Ring(..) => From::Ring,
            Source::Nobody(process) => From::Nobody(process),
        }
    }

    /// Waits for decisions; none where somebody else tells them from now on, or may by now.
    pub async fn next(&mut self) -> Result<Vec<Event>, Failure> {
        let what = "cannot follow the decisions";
        let heard = match &mut self.from {
            Source::Run(stream, octets) => from_run(stream, octets).await,
            Source::Ring(ring, since) => {
                return from_ring(ring, *since).await.explain(what, AGAIN);
            }
            Source::Nobody(_) => {
                sleep(PAUSE).await;
                Ok(None)
            }
        };
        // An end that is reset is one, too.
        if let Ok(Some(events)) = heard {
            return Ok(events);
        }
        // Who is half gone tells nothing; whether that lasts is for the caller to find out.
        self.from = find(&self.place).unwrap_or(Source::Nobody(None));
        Ok(Vec::new())
    }

    /// Gives the ring to `isnguard run` if that has come meanwhile.
    pub fn give_way(&mut self) -> Result<(), Failure> {
        if matches!(self.from, Source::Ring(..))
            && let Some(source) = run(&self.place)?
        {
            self.from = source;
        }
        Ok(())
    }
}

const AGAIN: &str = "run it again";

fn find(place: &Place) -> Result<Source, Failure> {
    if let Some(source) = run(place)? {
        return Ok(source);
    }
    let pins = Pins::new(place);
    if !pins.notes().exists() {
        // Detached by now, which is the caller's to find out.
        return Ok(Source::Nobody(None));
    }
    match Ring::take(&pins)? {
        Taken::By(process) => Ok(Source::Nobody(process)),
        Taken::Ours(ring) => {
            let ring = register(ring).explain("cannot wait for decisions", AGAIN)?;
            Ok(Source::Ring(ring, monotonic()))
        }
    }
}

fn run(place: &Place) -> Result<Option<Source>, Failure> {
    let Some(stream) = socket::follow(place)? else {
        return Ok(None);
    };
    let what = "cannot wait for decisions";
    stream.set_nonblocking(true).explain(what, AGAIN)?;
    let stream = UnixStream::from_std(stream).explain(what, AGAIN)?;
    Ok(Some(Source::Run(stream, Vec::new())))
}

/// What comes from `run`; `None` once it has gone.
async fn from_run(stream: &UnixStream, octets: &mut Vec<u8>) -> io::Result<Option<Vec<Event>>> {
    let mut chunk = vec![0; CHUNK];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(length) => {
                octets.extend(&chunk[..length]);
                return Ok(Some(follow::take(octets)));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn from_ring(ring: &mut Readable<Ring>, since: u64) -> io::Result<Vec<Event>> {
    let mut events = Vec::new();
    let mut ready = ring.readable_mut().await?;
    let taken = ready.get_inner_mut().0.drain(AT_A_TIME, |sample| {
        if sample.at >= since {
            events.push(Event::Decision(*sample));
        }
    });
    if taken < AT_A_TIME {
        ready.clear_ready();
    }
    Ok(events)
}
