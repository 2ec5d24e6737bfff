//! `isnguard status`: what is attached where, in which mode, why; the exit code tells health.

use super::{Common, Outcome};
use crate::{
    dataplane,
    report::{Report as _, StatusReport},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  isnguard status
  isnguard status --json | jq .problems
  isnguard status --instance eth1

Exit codes: 0 it is well; 3 it is attached, but not as it should be; 4 there is no such instance.";

/// Reports the state of the instance.
pub fn status(common: &Common) -> anyhow::Result<Outcome> {
    let place = common.place();
    let Some(status) = dataplane::status(&place)? else {
        let why = format!(
            "nothing is pinned in {}",
            dataplane::Pins::new(&place).home.display()
        );
        StatusReport::absent(common.instance.as_str(), why).print(common.json)?;
        return Ok(Outcome::NotRunning);
    };
    let report = StatusReport::new(&status);
    report.print(common.json)?;
    Ok(if report.is_healthy() {
        Outcome::Done
    } else {
        Outcome::Degraded
    })
}
