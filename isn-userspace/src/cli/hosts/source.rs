//! Where samples come from: `isnguard run`, if it is there, or else the ring itself.

use std::time::{Duration, Instant};

use crate::{
    dataplane::{Pins, Ring, Taken, monotonic},
    failure::Failure,
    hosts::{Answer, Collector, Host, ask},
    report::Source,
    settings::Place,
};

/// What was heard.
pub struct Heard {
    /// From whom.
    pub source: Source,
    /// For how long somebody has listened; `None` where nobody did.
    pub listening: Option<Duration>,
    /// Hosts that were forgotten for want of room.
    pub forgotten: u64,
    /// The hosts.
    pub hosts: Vec<Host>,
}

/// One who listens, and goes on while it is not dropped.
#[derive(Default)]
pub struct Listener(Option<Own>);

/// The ring, while nobody else reads it.
struct Own {
    ring: Ring,
    collector: Collector,
    begun: Instant,
    is_first: bool,
}

impl Listener {
    /// What is known now.
    pub fn hear(&mut self, place: &Place) -> Result<Heard, Failure> {
        if let Answer::Told(told) = ask(place)? {
            // Whoever runs by now may have the ring.
            self.0 = None;
            let nanoseconds = monotonic().saturating_sub(told.greeting.since);
            return Ok(Heard {
                source: Source::Run,
                listening: Some(Duration::from_nanos(nanoseconds)),
                forgotten: told.greeting.forgotten,
                hosts: told.hosts,
            });
        }
        let own = match &mut self.0 {
            Some(own) => own,
            none => none.insert(Own::begin(place)?),
        };
        Ok(own.hear())
    }
}

impl Own {
    fn begin(place: &Place) -> Result<Self, Failure> {
        match Ring::take(&Pins::new(place))? {
            Taken::Ours(ring) => Ok(Self {
                ring,
                collector: Collector::default(),
                begun: Instant::now(),
                is_first: true,
            }),
            Taken::By(process) => Err(Failure::new(
                "cannot read the samples of hosts",
                format!(
                    "{} reads them, and only one can at a time",
                    process.map_or("another process".into(), |id| format!("process {id}"))
                ),
                "end it, or let `isnguard run` stay with the instance: then any number can ask",
            )),
        }
    }

    fn hear(&mut self) -> Heard {
        let collector = &mut self.collector;
        self.ring.drain(usize::MAX, |sample| collector.add(sample));
        let listening = (!self.is_first).then(|| self.begun.elapsed());
        self.is_first = false;
        Heard {
            source: Source::Queue,
            listening,
            forgotten: self.collector.forgotten(),
            hosts: self.collector.hosts(),
        }
    }
}
