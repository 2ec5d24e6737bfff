//! `isnguard run`: attach and stay.

use std::net::SocketAddr;

use clap::Args;

use super::{Common, Outcome, args::AttachArgs, attach::tell, request};
use crate::{
    daemon::{self, Ended},
    dataplane::{self, Attached},
    failure::Failure,
    logging::say,
    metrics::{Listening, MetricsAddress},
    report::AttachReport,
};

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
    let request = match request(&args.attach, common) {
        Ok(request) => request,
        Err(usage) => return Ok(usage),
    };
    // Before anything is attached: a port that is taken must leave no trace.
    let listening = if args.metrics.is_empty() {
        None
    } else {
        Some(Listening::open(&args.metrics)?)
    };
    let served = listening
        .as_ref()
        .map_or_else(Vec::new, Listening::addresses);
    let attached = dataplane::attach(&request, true)?;
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
    let instance = &common.instance;
    let ended = daemon::stay(&common.place(), &stay, object, listening, |interval| {
        tell(&report, mounted, common)?;
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
