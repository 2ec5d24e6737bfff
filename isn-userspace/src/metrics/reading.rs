//! Everything that a scrape tells, read at one moment, and shared by all who came before it was begun.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use isn_common::{abi::maps, counter::Counter};
use tokio::sync::Mutex;

use super::board::{Board, Sweeps};
use crate::{
    dataplane::{self, Instance, Status},
    failure::Failure,
    settings::Place,
};

/// An instance at one moment.
pub struct Reading {
    /// Counters of the data plane, indexed by [`Counter::index`].
    pub counters: [u64; Counter::COUNT],
    /// Flows removed after their time: translated, half-open, history.
    pub swept: [u64; 3],
    /// Tables and how much they take: translated, half-open, history, IPv4 before IPv6.
    pub capacities: [(&'static str, u32); 6],
    /// What is attached, and what is wrong.
    pub status: Status,
    /// The sweeps of this process.
    pub sweeps: Sweeps,
    /// SYNs that left with another number, of configured hosts; `None` where they are not counted.
    pub rewrites: Option<Vec<(std::net::IpAddr, u64)>>,
    /// Connections that were turned away, since all places were taken.
    pub refused: u64,
    /// How long reading took.
    pub took: Duration,
}

impl Reading {
    /// Reads; fails where the instance is not there any more, or cannot be read.
    pub fn take(place: &Place, board: &Board, refused: u64) -> Result<Self, Failure> {
        let begun = Instant::now();
        let gone = || {
            Failure::new(
                "cannot read the instance",
                "it was detached",
                "attach it again",
            )
        };
        let status = dataplane::status(place)?.ok_or_else(gone)?;
        let instance = Instance::open(place)?.ok_or_else(gone)?;
        let tables = &instance.maps;
        board.rewrites.follow(&status.policy);
        Ok(Self {
            counters: tables.counters()?,
            swept: [
                tables.swept(maps::SWEPT_TRANSLATED)?,
                tables.swept(maps::SWEPT_HALF_OPEN)?,
                tables.swept(maps::SWEPT_HISTORY)?,
            ],
            capacities: [
                ("translated_v4", tables.translated_v4.capacity()),
                ("translated_v6", tables.translated_v6.capacity()),
                ("half_open_v4", tables.half_open_v4.capacity()),
                ("half_open_v6", tables.half_open_v6.capacity()),
                ("history_v4", tables.history_v4.capacity()),
                ("history_v6", tables.history_v6.capacity()),
            ],
            rewrites: board
                .rewrites
                .counts()
                .filter(|_| status.settings.limits.sample_share > 0),
            sweeps: board.sweeps(),
            status,
            refused,
            took: begun.elapsed(),
        })
    }

    /// Whether the latest attempt to take over a configuration file succeeded; true where there was none.
    #[must_use]
    pub fn last_reload_successful(&self) -> bool {
        let last = self.status.last_reload.as_ref();
        last.is_none_or(|it| it.successful)
    }

    /// A counter.
    #[must_use]
    pub const fn get(&self, counter: Counter) -> u64 {
        self.counters[counter.index()]
    }
}

/// What reading gave, for all who waited for it.
pub type Shared = Result<Arc<Reading>, Arc<Failure>>;

/// The latest reading, and when it was begun.
#[derive(Default)]
pub struct Latest(Mutex<Option<(Instant, Shared)>>);

impl Latest {
    /// A reading that is not older than the question: whoever asks while another is being taken waits for the next one,
    /// together with all others who do.
    pub async fn get(
        &self,
        read: impl FnOnce() -> Result<Reading, Failure> + Send + 'static,
    ) -> Shared {
        let asked = Instant::now();
        let mut latest = self.0.lock().await;
        if let Some((begun, reading)) = &*latest
            && *begun >= asked
        {
            return reading.clone();
        }
        let begun = Instant::now();
        // Elsewhere, since system calls would keep this thread from its other connections.
        let read = tokio::task::spawn_blocking(read)
            .await
            .unwrap_or_else(|error| {
                Err(Failure::new(
                    "cannot read the instance",
                    error,
                    "restart `isnguard run`",
                ))
            });
        let reading = read.map(Arc::new).map_err(Arc::new);
        *latest = Some((begun, reading.clone()));
        reading
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn those_who_come_while_one_reads_share_the_next() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let read = Arc::new(AtomicU32::new(0));
        let latest = Arc::new(Latest::default());
        let (go_on, waits) = std::sync::mpsc::channel::<()>();
        let waits = Arc::new(std::sync::Mutex::new(waits));
        runtime.block_on(async {
            let mut all = tokio::task::JoinSet::new();
            for _ in 0..20 {
                let (read, latest, waits) =
                    (Arc::clone(&read), Arc::clone(&latest), Arc::clone(&waits));
                all.spawn(async move {
                    latest
                        .get(move || {
                            // The first one reads until all others have asked.
                            if read.fetch_add(1, Ordering::Relaxed) == 0 {
                                waits.lock().unwrap().recv().unwrap();
                            }
                            Err(Failure::new("", "", ""))
                        })
                        .await
                        .is_err()
                });
            }
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            go_on.send(()).unwrap();
            assert!(all.join_all().await.into_iter().all(|it| it));
        });
        assert_eq!(read.load(Ordering::Relaxed), 2);
        let again = runtime.block_on(latest.get(|| Err(Failure::new("", "anew", ""))));
        assert!(
            again.err().unwrap().to_string().ends_with("anew"),
            "who asks later is told anew"
        );
    }
}
