//! `isnguard doctor`: what stands in the way, or would; the exit code tells whether something does.

use super::{Common, Outcome, args::AttachArgs, load};
use crate::{
    doctor,
    report::{DoctorReport, Report as _},
};

/// What people do with it.
pub const EXAMPLES: &str = "\
It changes nothing. Without an interface it examines the instance as it is attached, else what `attach` would find with the same \
options. Exit code 3 if something takes protection away.

Examples:
  isnguard doctor
  isnguard doctor --inside eth1 --protect 192.0.2.0/24
  isnguard doctor --outside eth0 --protect 198.51.100.1 --hook xdp
  isnguard doctor --json | jq '.findings[] | select(.degrades)'";

/// Examines, and reports everything that was looked at.
pub fn doctor(args: &AttachArgs, common: &Common) -> anyhow::Result<Outcome> {
    let (_, loaded, common) = match load(args, &[], common) {
        Ok(loaded) => loaded,
        Err(ended) => return Ok(ended),
    };
    let examination = doctor::examine(&loaded.request);
    DoctorReport::new(&examination).print(common.json)?;
    Ok(if examination.is_degraded() {
        Outcome::Degraded
    } else {
        Outcome::Done
    })
}
