//! `isnguard top`: what goes on, on the whole screen, or as lines.

use std::{
    io::{self, IsTerminal as _, Write as _},
    thread,
    time::{Duration, Instant, SystemTime},
};

use clap::Args;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{MissedTickBehavior, interval},
};

use super::{Common, Outcome, grace::Grace, not_running};
use crate::{
    dataplane::{self, Instance},
    failure::{Explain as _, Failure},
    report::Style,
    settings::Place,
    top::{App, Asking, Life, Rates, Reply, Summary, draw, press},
};

/// A look reads the tables for a tenth of the interval, within these bounds.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(500);

/// Arguments of `top`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct TopArgs {
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    interval: Duration,
    /// End after so many looks, where lines are printed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

const EXAMPLES: &str = "\
Examples:
  isnguard top
  isnguard top --interval 5
  isnguard top --json --limit 3       one object for each look
  isnguard top | tee looks.tsv        one line for each look

Keys: tab or arrows for another view, s for another order, / to filter, p to pause, ? for help, q to quit.

Rates are of the time between two looks. The tables are read for a tenth of that time, so that a look costs no more with a million flows than \
with a few thousand; the view says in how many looks it had gone round. Without `isnguard run` there are no hosts to be seen.

Exit codes: 0 after q, Ctrl-C or SIGTERM; 4 the instance is not attached, or, where lines are printed, not any more.";

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    let within = seconds.filter(|it| (0.1..=3_600.0).contains(it));
    within
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "write a number of seconds from 0.1 to 3600".into())
}

/// Shows what goes on until it is asked to end.
pub fn top(args: &TopArgs, common: &Common) -> anyhow::Result<Outcome> {
    let place = common.place();
    let Some(instance) = Instance::open(&place)? else {
        return Ok(not_running(common));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let app = begin(&instance, common)?;
    drop(instance);
    let watch = Watch {
        app,
        place: place.clone(),
        asking: Asking::begin(&place)?,
        looked: Instant::now(),
        reading: (args.interval / 10).clamp(SHORTEST, LONGEST),
        grace: Grace::default(),
    };
    if common.json || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return runtime.block_on(lines(watch, args, common));
    }
    // It restores the terminal after a panic, too.
    let terminal = ratatui::try_init().explain("cannot use the terminal", "try --json")?;
    let shown = runtime.block_on(screen(watch, args, terminal));
    ratatui::restore();
    shown
}

fn begin(instance: &Instance, common: &Common) -> Result<App, Failure> {
    let maps = &instance.maps;
    let capacities = [
        maps.translated_v4.capacity(),
        maps.translated_v6.capacity(),
        maps.half_open_v4.capacity(),
        maps.half_open_v6.capacity(),
        maps.history_v4.capacity(),
        maps.history_v6.capacity(),
    ];
    let rates = Rates::new(maps.counters()?);
    let name = common.instance.as_str();
    let mut app = App::new(name, capacities, rates);
    app.life = life(instance);
    app.color = matches!(Style::of_stdout(), Style::Terminal { color: true, .. });
    app.roll.look(instance, dataplane::now(), SHORTEST)?;
    Ok(app)
}

fn life(instance: &Instance) -> Life {
    if instance.settings.draining() {
        Life::Draining
    } else {
        Life::Attached
    }
}

/// What is looked at, and by whom.
struct Watch {
    app: App,
    place: Place,
    asking: Asking,
    looked: Instant,
    /// For how long a look reads the tables.
    reading: Duration,
    grace: Grace,
}

impl Watch {
    /// Looks once; an instance that is gone is no failure, nor is one that is half there for a moment.
    fn look(&mut self) -> Result<(), Failure> {
        let looked = self.try_look();
        self.grace.grant(looked).map(drop)
    }

    fn try_look(&mut self) -> Result<(), Failure> {
        if let Some(asked) = self.asking.answer() {
            self.app.asked = Some(asked);
        }
        // Opened again: it may have been detached meanwhile, or attached anew.
        let Some(instance) = Instance::open(&self.place)? else {
            self.app.life = Life::Gone;
            return Ok(());
        };
        let app = &mut self.app;
        app.life = life(&instance);
        let seconds = self.looked.elapsed().as_secs_f64();
        self.looked = Instant::now();
        app.rates.look(instance.maps.counters()?, seconds);
        app.roll.want(app.order, &app.filter);
        app.roll.look(&instance, dataplane::now(), self.reading)
    }

    /// The list follows its order and filter at once, not only at the next look.
    fn list(&mut self) -> Result<(), Failure> {
        let listed = self.try_list();
        self.grace.grant(listed).map(drop)
    }

    fn try_list(&mut self) -> Result<(), Failure> {
        let Some(instance) = Instance::open(&self.place)? else {
            return Ok(());
        };
        self.app.roll.want(self.app.order, &self.app.filter);
        self.app
            .roll
            .look(&instance, dataplane::now(), self.reading)
    }
}

/// Signals that end it.
struct Signals([Signal; 3]);

impl Signals {
    fn catch() -> Result<Self, Failure> {
        let catch = |kind| signal(kind).explain("cannot watch for signals", "see `ulimit -a`");
        Ok(Self([
            catch(SignalKind::interrupt())?,
            catch(SignalKind::terminate())?,
            catch(SignalKind::hangup())?,
        ]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

fn beat(args: &TopArgs) -> tokio::time::Interval {
    let mut beat = interval(args.interval);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset();
    beat
}

/// On the whole screen.
async fn screen(
    mut watch: Watch,
    args: &TopArgs,
    mut terminal: DefaultTerminal,
) -> anyhow::Result<Outcome> {
    let mut signals = Signals::catch()?;
    let mut keys = keyboard()?;
    let mut beat = beat(args);
    loop {
        terminal.draw(|frame| draw(frame, &watch.app))?;
        tokio::select! {
            () = signals.any() => return Ok(Outcome::Done),
            _ = beat.tick() => if !watch.app.paused {
                watch.look()?;
            },
            pressed = keys.recv() => {
                let Some(event) = pressed else {
                    return Ok(Outcome::Done);
                };
                let before = (watch.app.order, watch.app.filter.clone());
                if let Event::Key(key) = event?
                    && press(&mut watch.app, key) == Reply::Quit
                {
                    return Ok(Outcome::Done);
                }
                if before != (watch.app.order, watch.app.filter.clone()) {
                    watch.list()?;
                }
            }
        }
    }
}

/// Keys and changes of size, as a thread reads them; it ends with the process.
fn keyboard() -> Result<UnboundedReceiver<io::Result<Event>>, Failure> {
    let (tell, heard) = unbounded_channel();
    let begin = thread::Builder::new().name("keys".into());
    let reading = begin.spawn(move || {
        loop {
            let event = event::read();
            let failed = event.is_err();
            if tell.send(event).is_err() || failed {
                return;
            }
        }
    });
    reading.explain("cannot read the keyboard", "see `ulimit -u`")?;
    Ok(heard)
}

/// A line for each look.
async fn lines(mut watch: Watch, args: &TopArgs, common: &Common) -> anyhow::Result<Outcome> {
    let mut signals = Signals::catch()?;
    let mut beat = beat(args);
    let mut left = args.limit.unwrap_or(u64::MAX);
    if !common.json {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", Summary::columns())?;
        out.flush()?;
    }
    while left > 0 {
        tokio::select! {
            () = signals.any() => return Ok(Outcome::Done),
            _ = beat.tick() => {
                watch.look()?;
                if watch.app.life == Life::Gone {
                    return Ok(not_running(common));
                }
                let summary = Summary::new(&watch.app, SystemTime::now());
                let mut out = io::stdout().lock();
                if common.json {
                    summary.json(&mut out)?;
                } else {
                    summary.text(&mut out)?;
                }
                out.flush()?;
                left -= 1;
            }
        }
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_seconds_or_parts_of_one() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["0", "0.01", "-1", "NaN", "inf", "4000", "soon", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
