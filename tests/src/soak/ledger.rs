//! What was done, counted as it happens.

use std::{
    fmt::{self, Write as _},
    sync::atomic::{AtomicU64, Ordering},
};

macro_rules! counts {
    ($($variant:ident = $what:literal;)+) => {
        /// Something that is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is said in words beside it")]
        pub enum Count { $($variant,)+ }

        impl Count {
            const ALL: &[Self] = &[$(Self::$variant,)+];

            const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)+ }
            }
        }
    };
}

counts! {
    Opened = "connections opened";
    Regressing = "of them, with a lower number than the last of the same addresses and ports";
    Blocks = "blocks of up to 8 KiB moved, each octet compared";
    PeerClosed = "closed by the peer first";
    HostClosed = "closed by the host first";
    HostReset = "reset by the host";
    PeerReset = "reset by the peer";
    StayedIdle = "left idle for the whole time, then used and closed";
    Kills = "times `run` was killed";
    KillsWhileStarting = "of them, while it was starting";
    Terms = "times it was asked to go";
    Reloads = "reloads by `attach` with other options";
    Flaps = "times the interface went down and up";
    FloodsFromHosts = "floods from the hosts' side";
    FloodsFromPeers = "floods from the peers' side";
    Syns = "SYNs in floods";
}

/// All counts.
#[derive(Debug)]
pub struct Ledger([AtomicU64; Count::ALL.len()]);

impl Default for Ledger {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Ledger {
    /// Counts one.
    pub fn note(&self, count: Count) {
        self.add(count, 1);
    }

    /// Counts some.
    pub fn add(&self, count: Count, by: u64) {
        self.0[count as usize].fetch_add(by, Ordering::Relaxed);
    }

    /// How many so far.
    #[must_use]
    pub fn get(&self, count: Count) -> u64 {
        self.0[count as usize].load(Ordering::Relaxed)
    }

    /// A line for each count.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for count in Count::ALL {
            let _ = writeln!(text, "{:>9}  {}", self.get(*count), count.what());
        }
        text
    }

    fn ended(&self) -> u64 {
        use Count::{HostClosed, HostReset, PeerClosed, PeerReset, StayedIdle};
        let ends = [PeerClosed, HostClosed, HostReset, PeerReset, StayedIdle];
        ends.iter().map(|count| self.get(*count)).sum()
    }
}

/// In one line, for who waits.
impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} connections opened, {} ended as meant; {} kills, {} restarts, {} reloads, {} floods, {} flaps",
            self.get(Count::Opened),
            self.ended(),
            self.get(Count::Kills),
            self.get(Count::Terms),
            self.get(Count::Reloads),
            self.get(Count::FloodsFromHosts) + self.get(Count::FloodsFromPeers),
            self.get(Count::Flaps),
        )
    }
}
