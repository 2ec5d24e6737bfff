//! isnguard as a service of systemd: what it tells, what its units allow, and that it can do its work with that (S19).

mod guide;
mod notify;
mod sandbox;
mod system_calls;
mod units;

use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(1);
