//! Waiting for a condition that can be observed but not subscribed to, never for a guessed length of time.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

pub(crate) const PAUSE_BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Looks until `look` gives a value; says what was awaited if `limit` passes first.
pub fn until<T>(
    limit: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if started.elapsed() > limit {
            bail!("waited {limit:?} for {what}, in vain");
        }
        thread::sleep(PAUSE_BETWEEN_LOOKS);
    }
}
