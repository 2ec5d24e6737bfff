//! `isnguard attach`: attach, pin, return.

use super::{Common, Outcome, args::AttachArgs, load, note};
use crate::{
    config::LastReload,
    dataplane,
    report::{AttachReport, Report as _},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  isnguard attach --inside eth1 --protect 192.0.2.0/24 --mode observe
  isnguard attach --outside eth0 --protect 198.51.100.7
  isnguard attach --inside eth1 --protect 192.0.2.0/24,port=102,mode=keyed
  isnguard attach                           adopt what is attached already

Nothing is removed after its time unless `isnguard run` stays; use `run` for more than a trial. On failure everything that was \
done is taken back.";

/// Attaches or adopts, and says what is there then.
pub fn attach(args: &AttachArgs, common: &Common) -> anyhow::Result<Outcome> {
    let (source, loaded, common) = match load(args, &[], common) {
        Ok(loaded) => loaded,
        Err(ended) => return Ok(ended),
    };
    let mut attached = dataplane::attach(&loaded.request, false)?;
    let place = common.place();
    LastReload::note_attached(&place, source.file.as_deref())?;
    attached.status.last_reload = LastReload::of(&place);
    tell(&AttachReport::new(&attached), attached.mounted, &common)?;
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
