//! `isnguard attach`: attach, pin, return.

use super::{Common, Outcome, args::AttachArgs, note, request};
use crate::{
    dataplane,
    report::{AttachReport, Report as _},
};

/// Attaches or adopts, and says what is there then.
pub fn attach(args: &AttachArgs, common: &Common) -> anyhow::Result<Outcome> {
    let request = match request(args, common) {
        Ok(request) => request,
        Err(usage) => return Ok(usage),
    };
    let attached = dataplane::attach(&request, false)?;
    tell(&AttachReport::new(&attached), attached.mounted, common)?;
    Ok(Outcome::Done)
}

/// Prints the report, and what the operator should know on standard error.
pub fn tell(report: &AttachReport, mounted: bool, common: &Common) -> anyhow::Result<()> {
    report.print(common.json)?;
    if mounted {
        note(&format!(
            "mounted a BPF file system on {}",
            common.bpffs.display()
        ));
    }
    for warning in report.warnings() {
        note(warning);
    }
    Ok(())
}
