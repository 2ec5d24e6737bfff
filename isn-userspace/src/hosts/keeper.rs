//! The thread of `isnguard run` that empties the ring and answers whoever asks. Apart from the process's other work, so that a
//! sweep over large tables delays no sample, and no question delays a sweep.

use std::{
    cell::RefCell,
    io,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use isn_common::abi::sample::Sample;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch},
    task::LocalSet,
    time::{Duration, Instant, sleep, sleep_until, timeout},
};

use super::{
    Collector, Greeting, Rewrites,
    followers::{self, Followers},
    protocol::{self, Request},
    socket::{self, Socket},
};
use crate::{
    daemon::{Readable, register},
    dataplane::{Pins, Ring, Taken, monotonic},
    failure::{Explain as _, Failure},
    settings::Place,
};

/// Between two looks at the ring, however much comes in: at the most that all shares allow, a twentieth of it is full by then.
const PAUSE: Duration = Duration::from_millis(20);
/// Between two attempts to take a ring that somebody else reads.
const UNTIL_FREE: Duration = Duration::from_millis(200);
/// Samples taken out before anybody else has a turn.
const AT_A_TIME: usize = 4_096;
/// Who asks at a time; others wait.
const MOST_READERS: usize = 8;
/// How long somebody who asks may take to listen: half of how long he waits himself.
const PATIENCE: Duration = Duration::from_secs(5);

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Keeper {
    stop: Option<oneshot::Sender<()>>,
    /// Asks the thread to say this number.
    question: watch::Sender<u64>,
    said: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Keeper {
    /// Begins to keep the samples of an instance, and to answer for it.
    pub fn start(place: &Place, rewrites: Arc<Rewrites>) -> Result<Self, Failure> {
        let what = "cannot keep samples of hosts";
        let pins = Pins::new(place);
        let socket = socket::listen(place)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .explain(what, "see `ulimit -a`")?;
        // Now and not by the thread, so that whoever is told that `run` is there finds all of it there.
        let ring = take(&pins)?;
        let (stop, stopped) = oneshot::channel();
        let (question, questions) = watch::channel(0);
        let said = Arc::new(AtomicU64::new(0));
        let asked = Asked {
            questions,
            said: Arc::clone(&said),
        };
        let begin = thread::Builder::new().name("samples".into());
        let thread = begin.spawn(move || {
            let keeping = LocalSet::new();
            let ended = keeping.block_on(&runtime, async {
                tokio::select! {
                    _ = stopped => Ok(()),
                    failed = keep(&pins, socket, ring, &rewrites, asked) => failed,
                }
            });
            rewrites.end();
            if let Err(failure) = ended {
                tracing::warn!("samples of hosts are not kept any more: {failure}");
            }
        });
        Ok(Self {
            stop: Some(stop),
            question,
            said,
            thread: Some(thread.explain(what, "see `ulimit -u`")?),
        })
    }

    /// Whether the thread has answered since it was last asked; asks it again if it has.
    pub fn is_alive(&mut self) -> bool {
        let question = *self.question.borrow();
        let answered = self.said.load(Ordering::Relaxed) == question;
        if answered {
            self.question.send_replace(question + 1);
        }
        answered
    }
}

/// What the thread is asked, so that it shows whether it still works.
struct Asked {
    questions: watch::Receiver<u64>,
    said: Arc<AtomicU64>,
}

impl Asked {
    /// Waits for a question and answers it; for ever once nobody can ask any more.
    async fn answered(&mut self) {
        if self.questions.changed().await.is_err() {
            return std::future::pending().await;
        }
        let question = *self.questions.borrow_and_update();
        self.said.store(question, Ordering::Relaxed);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Its end is dropped with it if it has gone before.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if self.thread.take().is_some_and(|it| it.join().is_err()) {
            tracing::error!("the thread that keeps samples of hosts has panicked");
        }
    }
}

/// What the samples are kept in, who follows them, and what is counted of them.
struct Kept {
    collector: RefCell<Collector>,
    followers: Followers,
    rewrites: Arc<Rewrites>,
}

type Shared = Rc<Kept>;

/// Keeps and answers until something fails.
async fn keep(
    pins: &Pins,
    socket: Socket,
    ring: Option<Ring>,
    rewrites: &Arc<Rewrites>,
    mut asked: Asked,
) -> Result<(), Failure> {
    let what = "cannot answer for the samples of hosts";
    // The file goes when this future does.
    let Socket {
        listener,
        file: _file,
    } = socket;
    let listener = UnixListener::from_std(listener).explain(what, "restart `isnguard run`")?;
    let kept = Rc::new(Kept {
        collector: RefCell::default(),
        followers: Followers::default(),
        rewrites: Arc::clone(rewrites),
    });
    let places = Arc::new(Semaphore::new(MOST_READERS));
    let since = monotonic();
    let mut ring = ring.map(|it| watch(it, rewrites)).transpose()?;
    let mut next = Instant::now();
    loop {
        tokio::select! {
            () = asked.answered() => {}
            gathered = gather(pins, &mut ring, &kept, next) => if gathered? {
                next = Instant::now() + PAUSE;
            },
            asked = next_reader(&listener, &places) => {
                let (stream, place) = asked.explain(what, "restart `isnguard run`")?;
                if let Some(ring) = &mut ring {
                    empty(ring.get_mut(), &kept);
                }
                let greeting = Greeting {
                    request: Request::Hosts,
                    instance: socket::inode(&pins.home).unwrap_or(0),
                    since,
                    forgotten: kept.collector.borrow().forgotten(),
                    is_full: false,
                };
                tokio::task::spawn_local(answer(stream, greeting, Rc::clone(&kept), place));
            }
        }
    }
}

/// Waits for a free place, then for one who asks.
async fn next_reader(
    listener: &UnixListener,
    places: &Arc<Semaphore>,
) -> io::Result<(UnixStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place.map_err(io::Error::other)?))
}

/// The ring, unless somebody else reads it.
fn take(pins: &Pins) -> Result<Option<Ring>, Failure> {
    Ok(match Ring::take(pins)? {
        Taken::Ours(ring) => Some(ring),
        Taken::By(_) => None,
    })
}

fn watch(ring: Ring, rewrites: &Rewrites) -> Result<Readable<Ring>, Failure> {
    let what = "cannot wait for samples of hosts";
    let ring = register(ring).explain(what, "restart `isnguard run`")?;
    rewrites.begin();
    Ok(ring)
}

/// Waits for samples from `next` on and takes them; true once there are no more.
async fn gather(
    pins: &Pins,
    ring: &mut Option<Readable<Ring>>,
    kept: &Shared,
    next: Instant,
) -> Result<bool, Failure> {
    sleep_until(next).await;
    let Some(readable) = ring else {
        let taken = take(pins)?;
        *ring = taken.map(|it| watch(it, &kept.rewrites)).transpose()?;
        if ring.is_none() {
            sleep(UNTIL_FREE).await;
        }
        return Ok(false);
    };
    let what = "cannot wait for samples of hosts";
    let mut ready = readable
        .readable_mut()
        .await
        .explain(what, "restart `isnguard run`")?;
    let is_empty = empty(ready.get_inner_mut(), kept);
    if is_empty {
        ready.clear_ready();
    }
    Ok(is_empty)
}

/// Takes samples out, up to a limit; true if none are left.
fn empty(ring: &mut crate::daemon::Descriptor<Ring>, kept: &Shared) -> bool {
    let mut collector = kept.collector.borrow_mut();
    let each = |sample: &Sample| {
        collector.add(sample);
        kept.followers.tell(sample);
        kept.rewrites.add(sample);
    };
    ring.0.drain(AT_A_TIME, each) < AT_A_TIME
}

/// Answers one who asks. Whoever does not listen is left, and finds his answer cut off.
async fn answer(stream: UnixStream, greeting: Greeting, kept: Shared, place: OwnedSemaphorePermit) {
    let allowed = |uid| uid == 0 || uid == nix::unistd::geteuid().as_raw();
    if !stream.peer_cred().is_ok_and(|peer| allowed(peer.uid())) {
        return;
    }
    let answered = match timeout(PATIENCE, request(&stream)).await {
        Ok(Ok(Some(Request::Hosts))) => {
            timeout(PATIENCE, tell(&stream, greeting, &kept.collector)).await
        }
        Ok(Ok(Some(Request::Follow))) => {
            // Whoever follows stays, and has places of his own.
            drop(place);
            let request = Request::Follow;
            let greeting = Greeting {
                request,
                ..greeting
            };
            Ok(followers::serve(&stream, greeting, &kept.followers).await)
        }
        Ok(Ok(None)) => return,
        Ok(Err(error)) => Ok(Err(error)),
        Err(late) => Err(late),
    };
    if !matches!(answered, Ok(Ok(()))) {
        tracing::debug!("somebody who asked for samples of hosts did not listen");
    }
}

/// What is asked for; `None` if that is not known.
async fn request(stream: &UnixStream) -> io::Result<Option<Request>> {
    let mut octets = [0; Request::SIZE];
    let mut read = 0;
    while read < octets.len() {
        stream.readable().await?;
        match stream.try_read(&mut octets[read..]) {
            Ok(0) => return Ok(None),
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Request::from_octets(octets))
}

/// Sends an answer, host by host as they are by then.
async fn tell(
    stream: &UnixStream,
    greeting: Greeting,
    collector: &RefCell<Collector>,
) -> io::Result<()> {
    send(stream, &greeting.octets()).await?;
    let ids = collector.borrow().ids();
    for id in ids {
        let host = collector.borrow().host(id);
        if let Some(host) = host {
            send(stream, &protocol::frame(&host)).await?;
        }
    }
    send(stream, &protocol::end()).await
}

/// Sends all of it, however long that takes.
pub(super) async fn send(stream: &UnixStream, octets: &[u8]) -> io::Result<()> {
    let mut rest = octets;
    while !rest.is_empty() {
        stream.writable().await?;
        match stream.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
