//! What the programs in the kernel log, forwarded to this process's own log.

use std::future;

use aya::Ebpf;
use aya_log::EbpfLogger;

use super::readable::{Readable, register};
use crate::failure::{Explain as _, Failure};

/// The log of the programs; empty if they were built without one.
pub struct Log(Option<Readable<EbpfLogger<&'static dyn log::Log>>>);

impl Log {
    /// Opens the log of an object. The object itself is let go: everything in it is pinned.
    pub fn open(mut object: Ebpf) -> Result<Self, Failure> {
        let logger = match EbpfLogger::init(&mut object) {
            Ok(logger) => logger,
            Err(aya_log::Error::MapNotFound) => return Ok(Self(None)),
            Err(error) => {
                return Err(error).explain("cannot read the programs' log", "run it again");
            }
        };
        register(logger)
            .map(|logger| Self(Some(logger)))
            .explain("cannot wait for the programs' log", "run it again")
    }

    /// Waits for lines and forwards them; waits for ever if there is no log.
    pub async fn forward(&mut self) {
        let Some(logger) = &mut self.0 else {
            return future::pending().await;
        };
        match logger.readable_mut().await {
            Ok(mut ready) => {
                ready.get_inner_mut().0.flush();
                ready.clear_ready();
            }
            Err(error) => {
                tracing::warn!("the programs' log cannot be read any more: {error}");
                self.0 = None;
            }
        }
    }
}
