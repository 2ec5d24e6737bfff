//! `isnguard run`: attach and stay.

use std::net::SocketAddr;

use clap::Args;

use super::{Common, Outcome, args::AttachArgs, attach::tell, load};
use crate::{
    config::LastReload,
    daemon::{self, Ended, Following, Hangups},
    dataplane::{self, Attached},
    failure::Failure,
    logging::say,
    metrics::{Listening, MetricsAddress},
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

/// Arguments of `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    attach: AttachArgs,
    /// Serve /metrics for Prometheus and /healthz here; a port alone is on loopback; repeatable [default: nowhere]
    #[arg(long, value_name = "[ADDR:]PORT")]
    metrics: Vec<MetricsAddress>,
}

/// Attaches or adopts, then stays until it is asked to go or the instance is detached.
pub fn run(args: &RunArgs, common: &Common) -> anyhow::Result<Outcome> {
    let (source, loaded, common) = match load(&args.attach, &args.metrics, common) {
        Ok(loaded) => loaded,
        Err(ended) => return Ok(ended),
    };
    // Until it can be obeyed: a reload that is asked for meanwhile must not end this process.
    let hangups = Hangups::hold()?;
    // Before anything is attached: a port that is taken must leave no trace.
    let given = loaded.given.metrics.iter();
    let metrics: Vec<_> = given.map(|it| MetricsAddress(it.value)).collect();
    let listening = if metrics.is_empty() {
        None
    } else {
        Some(Listening::open(&metrics)?)
    };
    let served = listening
        .as_ref()
        .map_or_else(Vec::new, Listening::addresses);
    let mut attached = dataplane::attach(&loaded.request, true)?;
    let stay = attached.stay.take().ok_or_else(|| {
        Failure::new(
            "cannot stay",
            "the lock was not taken",
            "this should not happen; try again",
        )
    })?;
    dataplane::keep_what_staying_takes()?;
    let instance = &common.instance;
    let place = common.place();
    let following = Following::begin(source, &place, &loaded.given)?;
    attached.status.last_reload = LastReload::of(&place);
    let report = AttachReport::new(&attached);
    let Attached {
        mounted, object, ..
    } = attached;
    let ended = daemon::stay(&place, &stay, object, following, listening, |interval| {
        hangups.release()?;
        tell(&report, mounted, &common)?;
        tell_where(&served);
        say(&format!(
            "ready: instance `{instance}` is attached; ended flows are removed every {} s. Ctrl-C ends \
             this process and leaves it attached",
            interval.as_secs_f64().round()
        ));
        Ok(())
    })?;
    match ended {
        Ended::Asked => say(&format!(
            "isnguard: leaving; instance `{instance}` stays attached and goes on translating \
             (isnguard detach takes it away)"
        )),
        Ended::Detached => say(&format!(
            "isnguard: instance `{instance}` was detached; leaving"
        )),
    }
    Ok(Outcome::Done)
}

fn tell_where(served: &[SocketAddr]) {
    for address in served {
        tracing::info!("metrics are at http://{address}/metrics");
        if MetricsAddress(*address).is_open() {
            tracing::warn!(
                "{address} is not loopback: whoever can reach it can read the metrics, since nobody is asked who he is; let \
                 a firewall admit only the scraper"
            );
        }
    }
}
