//! `isnguard run`: attach and stay.

use super::{Common, Outcome, args::AttachArgs, attach::tell, load};
use crate::{
    daemon::{self, Ended, Following, Hangups},
    dataplane::{self, Attached},
    failure::Failure,
    report::AttachReport,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  isnguard run --inside eth1 --protect 192.0.2.0/24 --mode observe
  isnguard run --inside eth1 --inside eth2 --protect 192.0.2.0/24
  isnguard run --outside eth0 --protect 198.51.100.7,port=102
  isnguard run                              stay with what is attached already

What is attached goes on when this process ends, however it ends; another `run` adopts it. Under systemd it is a service of \
Type=notify: it says when everything is attached and read back, and tells the watchdog as long as it looks after it.";

/// Attaches or adopts, then stays until it is asked to go or the instance is detached.
pub fn run(args: &AttachArgs, common: &Common) -> anyhow::Result<Outcome> {
    let (source, loaded, common) = match load(args, common) {
        Ok(loaded) => loaded,
        Err(ended) => return Ok(ended),
    };
    // Until it can be obeyed: a reload that is asked for meanwhile must not end this process.
    let hangups = Hangups::hold()?;
    let attached = dataplane::attach(&loaded.request, true)?;
    let report = AttachReport::new(&attached);
    let Attached {
        mounted,
        stay,
        object,
        ..
    } = attached;
    let stay = stay.ok_or_else(|| {
        Failure::new(
            "cannot stay",
            "the lock was not taken",
            "this should not happen; try again",
        )
    })?;
    dataplane::keep_what_staying_takes()?;
    let instance = &common.instance;
    let following = Following::begin(source, &common.place())?;
    let ended = daemon::stay(&common.place(), &stay, object, following, |interval| {
        hangups.release()?;
        tell(&report, mounted, &common)?;
        eprintln!(
            "ready: instance `{instance}` is attached; ended flows are removed every {} s. Ctrl-C ends \
             this process and leaves it attached",
            interval.as_secs_f64().round()
        );
        Ok(())
    })?;
    match ended {
        Ended::Asked => eprintln!(
            "isnguard: leaving; instance `{instance}` stays attached and goes on translating \
             (isnguard detach takes it away)"
        ),
        Ended::Detached => eprintln!("isnguard: instance `{instance}` was detached; leaving"),
    }
    Ok(Outcome::Done)
}
