//! `isnguard doctor`: what stands in the way, or would; the exit code tells whether something does.

use super::{Common, Outcome, args::AttachArgs, load};
use crate::{
    doctor,
    report::{DoctorReport, Report as _},
};

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
