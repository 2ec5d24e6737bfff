//! `isnguard doctor`: what stands in the way, or would; the exit code tells whether something does.

use super::{Common, Outcome, args::AttachArgs, request};
use crate::{
    doctor,
    report::{DoctorReport, Report as _},
};

/// Examines, and reports everything that was looked at.
pub fn doctor(args: &AttachArgs, common: &Common) -> anyhow::Result<Outcome> {
    let request = match request(args, common) {
        Ok(request) => request,
        Err(usage) => return Ok(usage),
    };
    let examination = doctor::examine(&request);
    DoctorReport::new(&examination).print(common.json)?;
    Ok(if examination.is_degraded() {
        Outcome::Degraded
    } else {
        Outcome::Done
    })
}
