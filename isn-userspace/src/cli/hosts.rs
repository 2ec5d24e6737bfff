//! `isnguard hosts`: grades the hosts that pass by, by the numbers that they choose and those that leave in their place.

mod source;

use std::{thread::sleep, time::Duration};

use clap::Args;
use ipnet::IpNet;
use isn_common::counter::Counter;

use self::source::{Heard, Listener};
use super::{
    Common, Outcome,
    audit::{FEW, nets, picture_in_json},
    not_running,
    pictures::{self, Place, Subject},
    stats::begin_again,
};
use crate::{
    dataplane::Instance,
    failure::Failure,
    grading::After,
    hosts::{Host, numbers},
    report::{HostsReport, Listening, LiveHost, Report as _, Source, mode_of},
};

/// Arguments of `hosts`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct HostsArgs {
    /// Only this host, or the hosts of this prefix; repeatable
    #[arg(long, value_name = "IP|CIDR", value_parser = nets)]
    host: Vec<IpNet>,
    /// Draw the worst host, or each one that --host names, into this file; `-` draws with characters
    #[arg(long, value_name = "FILE.svg|.png|-", value_parser = pictures::name)]
    plot: Option<Place>,
    /// At most this many hosts [default: 100 as text, all as JSON]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Repeat every so many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, conflicts_with = "plot",
          default_missing_value = "2", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    watch: Option<u32>,
}

const EXAMPLES: &str = "\
Examples:
  isnguard hosts                            which hosts need which mode
  isnguard hosts --host 192.0.2.0/24 --plot worst.svg
  isnguard hosts --watch=10

Hosts that are not guarded are graded too: `-` is their mode. The figures \"after\" are measured, from the numbers that left, \
where isnguard is at work; for other hosts, and those that are observed, they are predicted for the mode that is advised. \
Of a host that is not guarded, connections are compared by the numbers with which they began.

`isnguard run` keeps the latest 4,096 SYNs of a host, 262,144 of 4,096 hosts, for as long as it runs. Without it, what has \
queued in the kernel is shown (some 13,000 SYNs), once: who reads it takes it out. At most 32 SYNs of a host are taken a second (--samples \
of attach and run).

Exit codes: 0 also where no host was seen yet; 4 the instance is not attached.";

/// Reports the hosts, once or again and again.
pub fn hosts(args: &HostsArgs, common: &Common) -> anyhow::Result<Outcome> {
    match &args.plot {
        Some(Place::File(file)) => pictures::ensure_place(file)?,
        Some(Place::Here) if common.json => {
            super::complain(&picture_in_json().into());
            return Ok(Outcome::Usage);
        }
        _ => {}
    }
    let mut listener = Listener::default();
    let mut told = None;
    loop {
        // Opened again: it may have been detached meanwhile, or attached anew.
        let Some(instance) = Instance::open(&common.place())? else {
            return Ok(not_running(common));
        };
        let heard = listener.hear(&common.place())?;
        if args.watch.is_some() && told.is_some() {
            begin_again(common.json)?;
        }
        let notes = report(args, common, &instance, &heard)?;
        // Said once while watching: they do not change from one look to the next.
        if told.as_ref() != Some(&notes) {
            for note in &notes {
                super::note(note);
            }
            told = Some(notes);
        }
        let Some(seconds) = args.watch else {
            return Ok(Outcome::Done);
        };
        sleep(Duration::from_secs(seconds.into()));
    }
}

/// Grades and prints once; what the operator should know besides.
fn report(
    args: &HostsArgs,
    common: &Common,
    instance: &Instance,
    heard: &Heard,
) -> anyhow::Result<Vec<String>> {
    let wanted = |host: &Host| {
        args.host.is_empty() || args.host.iter().any(|net| net.contains(&host.id.address))
    };
    let listening = listening(common, instance, heard)?;
    let mut hosts: Vec<LiveHost> = heard
        .hosts
        .iter()
        .filter(|it| wanted(it))
        .map(graded)
        .collect();
    let limit = args.limit.or((!common.json).then_some(FEW));
    let notes = notes(instance, &listening, hosts.is_empty());
    let mut report = HostsReport::new(listening, &mut hosts, limit);
    let named = !args.host.is_empty();
    let drawn = match &args.plot {
        Some(Place::File(file)) => {
            let several = named && hosts.len() > 1;
            let (files, drawn) = pictures::draw(file, subjects(&hosts, named), several);
            report.pictures = files;
            drawn
        }
        _ => Ok(()),
    };
    report.print(common.json)?;
    if args.plot == Some(Place::Here) {
        pictures::show(subjects(&hosts, named))?;
    }
    for picture in &report.pictures {
        eprintln!("drawn: {picture}");
    }
    drawn?;
    Ok(notes)
}

fn graded(host: &Host) -> LiveHost {
    let numbers = numbers(host);
    LiveHost {
        id: host.id,
        syns: host.syns,
        rewritten: host.rewritten,
        graded: numbers.graded(host.id.address),
        numbers,
    }
}

fn listening(common: &Common, instance: &Instance, heard: &Heard) -> Result<Listening, Failure> {
    let counters = instance.maps.counters()?;
    let counter = |counter: Counter| counters[counter.index()];
    Ok(Listening {
        instance: common.instance.to_string(),
        source: heard.source,
        listening_seconds: heard.listening.map(|it| it.as_secs_f64()),
        samples_taken: counter(Counter::SamplesTaken),
        samples_limited: counter(Counter::SamplesLimited),
        samples_lost: counter(Counter::SamplesLost),
        hosts_forgotten: heard.forgotten,
    })
}

/// The hosts that are drawn.
fn subjects(hosts: &[LiveHost], named: bool) -> impl Iterator<Item = Subject<'_>> {
    hosts
        .iter()
        .take(pictures::most(named))
        .map(|host| Subject {
            name: host.id.to_string(),
            before: (&host.numbers.chosen).into(),
            after: host.numbers.after(&host.graded),
            after_is: match host.graded.is_after {
                After::Measured => format!("as they left in {} mode", mode_of(host.numbers.mode)),
                After::Predicted => format!("in {} mode", host.graded.before.advice.name()),
            },
        })
}

fn notes(instance: &Instance, listening: &Listening, nobody: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if instance.settings.limits.sample_share == 0 {
        notes.push(
            "no samples are taken: the instance was attached with --samples 0. `isnguard attach --samples 32` takes some"
                .into(),
        );
    } else if nobody {
        notes.push(
            "no host was seen to open a connection yet, or to be opened to; --watch waits for one"
                .into(),
        );
    }
    if listening.source == Source::Queue {
        notes.push(
            "no `isnguard run` stays with this instance, so nobody keeps samples: this is what has queued in the kernel since \
             somebody last looked, and it is taken out now"
                .into(),
        );
    }
    if listening.hosts_forgotten > 0 {
        notes.push(format!(
            "there are more hosts than are kept: {} times one was forgotten, those first of which little was known",
            listening.hosts_forgotten
        ));
    }
    notes
}
