//! HTTP/1.1 for a handful of scrapers: so many connections at a time, one request on each, and a deadline for everything, so that
//! nobody who is slow, silent or many keeps others out for long, or costs this process more than that.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    thread,
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    answer::answer,
    board::Board,
    listening::Listening,
    reading::{self, Reading},
};
use crate::{
    failure::{Explain as _, Failure},
    settings::Place,
};

/// Connections that are answered at a time.
const PLACES: usize = 16;
/// Further connections that are told so.
const TURNED_AWAY: usize = 16;
/// From the connection to the end of the request's headers.
const FOR_HEADERS: Duration = Duration::from_secs(5);
/// For all of a connection.
const FOR_ALL: Duration = Duration::from_secs(15);
/// For one that is turned away.
const FOR_REFUSAL: Duration = Duration::from_secs(1);
/// What is under way may end within this when the process goes.
const FOR_THE_LAST: Duration = Duration::from_secs(1);
/// After a connection could not be accepted, as where all descriptors are in use.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_REQUEST: usize = 16 << 10;
const MOST_HEADERS: usize = 64;

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 5\r\n\
content-length: 27\r\nconnection: close\r\n\r\ntoo many connections here.\n";

/// What all connections share.
pub struct Context {
    place: Place,
    board: Arc<Board>,
    latest: reading::Latest,
    refused: AtomicU64,
}

impl Context {
    /// The instance now.
    pub async fn reading(self: &Arc<Self>) -> reading::Shared {
        let context = Arc::clone(self);
        let refused = self.refused.load(Ordering::Relaxed);
        let read = move || Reading::take(&context.place, &context.board, refused);
        self.latest.get(read).await
    }
}

/// The thread that serves; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Begins to serve for an instance.
    pub fn start(listening: Listening, place: &Place, board: Arc<Board>) -> Result<Self, Failure> {
        let what = "cannot serve metrics";
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .explain(what, "see `ulimit -a`")?;
        let listeners: io::Result<Vec<_>> = {
            let _here = runtime.enter();
            listening.0.into_iter().map(TcpListener::from_std).collect()
        };
        let listeners = listeners.explain(what, "see `ulimit -n`")?;
        let context = Arc::new(Context {
            place: place.clone(),
            board,
            latest: reading::Latest::default(),
            refused: AtomicU64::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let begin = thread::Builder::new().name("metrics".into());
        let thread = begin.spawn(move || runtime.block_on(serve(listeners, context, stopped)));
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread.explain(what, "see `ulimit -u`")?),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its end is dropped with it if it has gone before.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if self.thread.take().is_some_and(|it| it.join().is_err()) {
            tracing::error!("the thread that serves metrics has panicked");
        }
    }
}

async fn serve(
    listeners: Vec<TcpListener>,
    context: Arc<Context>,
    mut stopped: oneshot::Receiver<()>,
) {
    let (places, refusals) = (
        Arc::new(Semaphore::new(PLACES)),
        Arc::new(Semaphore::new(TURNED_AWAY)),
    );
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listeners) => match accepted {
                Ok(stream) => admit(stream, &places, &refusals, &context, &mut connections),
                Err(error) => {
                    tracing::warn!("a connection for metrics could not be accepted: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
    }
    drop(listeners);
    let last = async { while connections.join_next().await.is_some() {} };
    // Who does not take his answer in time is cut off.
    let _ = timeout(FOR_THE_LAST, last).await;
}

async fn accept(listeners: &[TcpListener]) -> io::Result<TcpStream> {
    std::future::poll_fn(|context| {
        for listener in listeners {
            if let Poll::Ready(accepted) = listener.poll_accept(context) {
                return Poll::Ready(accepted.map(|(stream, _)| stream));
            }
        }
        Poll::Pending
    })
    .await
}

fn admit(
    stream: TcpStream,
    places: &Arc<Semaphore>,
    refusals: &Arc<Semaphore>,
    context: &Arc<Context>,
    connections: &mut JoinSet<()>,
) {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        connections.spawn(converse(stream, Arc::clone(context), place));
        return;
    }
    context.refused.fetch_add(1, Ordering::Relaxed);
    // More than these are closed without a word.
    if let Ok(place) = Arc::clone(refusals).try_acquire_owned() {
        connections.spawn(async {
            let _ = timeout(FOR_REFUSAL, turn_away(stream)).await;
            drop(place);
        });
    }
}

/// One request, one answer, and the end.
async fn converse(stream: TcpStream, context: Arc<Context>, _place: OwnedSemaphorePermit) {
    let service = service_fn(move |request| answer(request, Arc::clone(&context)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(FOR_HEADERS)
        .max_buf_size(LONGEST_REQUEST)
        .max_headers(MOST_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(FOR_ALL, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("a connection for metrics ended: {error}"),
        Err(_) => tracing::debug!("a connection for metrics took too long"),
    }
}

/// Says that there is no place, and waits for the other end to have read it: a socket that is closed with unread octets in it resets the
/// connection, and the answer would be lost.
async fn turn_away(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(FULL).await?;
    stream.shutdown().await?;
    let mut rest = [0; 512];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_when_full_has_the_length_that_it_names() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{head}"
        );
    }
}
