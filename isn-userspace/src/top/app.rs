//! What is shown, and how.

use isn_common::tick::Tick;

use super::{Asked, HostRow, Order, Rates, Roll};

/// The views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// Rates, tables, problems.
    #[default]
    Overview,
    /// The flows.
    Flows,
    /// The hosts.
    Hosts,
}

impl Tab {
    /// All, from left to right.
    pub const ALL: [Self; 3] = [Self::Overview, Self::Flows, Self::Hosts];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Flows => "Flows",
            Self::Hosts => "Hosts",
        }
    }

    /// The one so many places to the right, in a circle.
    #[must_use]
    pub const fn moved(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }
}

/// In which order hosts are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostOrder {
    /// The worst grade first.
    #[default]
    Grade,
    /// Most SYNs first.
    Syns,
    /// Most rewritten SYNs first.
    Rewritten,
    /// By address.
    Host,
}

impl HostOrder {
    /// The one behind it, in a circle.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Grade => Self::Syns,
            Self::Syns => Self::Rewritten,
            Self::Rewritten => Self::Host,
            Self::Host => Self::Grade,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grade => "grade",
            Self::Syns => "syns",
            Self::Rewritten => "rewritten",
            Self::Host => "host",
        }
    }
}

/// How it is with an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Life {
    /// It is attached.
    #[default]
    Attached,
    /// No new offset is made.
    Draining,
    /// It is not attached any more.
    Gone,
}

/// What keys are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keys {
    /// The view.
    #[default]
    View,
    /// Writing the filter.
    Filter,
    /// Closing the help, which lies over the view.
    Help,
}

/// All that a screen is made of.
#[derive(Debug)]
pub struct App {
    /// Name of the instance.
    pub instance: String,
    /// How it is with it, by the latest look.
    pub life: Life,
    /// Places in the tables, in the order of [`Roll`]'s.
    pub capacities: [u32; 6],
    /// Rates.
    pub rates: Rates,
    /// Flows.
    pub roll: Roll,
    /// What was found out at leisure; `None` before the first answer.
    pub asked: Option<Asked>,
    /// The view.
    pub tab: Tab,
    /// Order of the flows.
    pub order: Order,
    /// Order of the hosts.
    pub host_order: HostOrder,
    /// What flows and hosts are filtered by.
    pub filter: String,
    /// What the keys are for.
    pub keys: Keys,
    /// Whether nothing moves.
    pub paused: bool,
    /// Lines that are scrolled over.
    pub scrolled: usize,
    /// Whether colours may be used.
    pub color: bool,
}

impl App {
    /// After the first look.
    #[must_use]
    pub fn new(instance: &str, capacities: [u32; 6], rates: Rates) -> Self {
        Self {
            instance: instance.into(),
            life: Life::default(),
            capacities,
            rates,
            roll: Roll::default(),
            asked: None,
            tab: Tab::default(),
            order: Order::default(),
            host_order: HostOrder::default(),
            filter: String::new(),
            keys: Keys::default(),
            paused: false,
            scrolled: 0,
            color: false,
        }
    }

    /// The hosts that are wanted, in order; `None` where nobody keeps them.
    #[must_use]
    pub fn hosts(&self) -> Option<Vec<&HostRow>> {
        let all = self.asked.as_ref()?.hosts.as_ref()?;
        let wanted = |row: &&HostRow| {
            let shown = format!("{} {} {} {}", row.id, row.class, row.mode, row.advice);
            let mut words = self.filter.split_whitespace();
            words.all(|word| shown.contains(&word.to_lowercase()))
        };
        let mut rows: Vec<&HostRow> = all.iter().filter(wanted).collect();
        match self.host_order {
            // As they come.
            HostOrder::Grade => {}
            HostOrder::Syns => rows.sort_by_key(|row| std::cmp::Reverse(row.syns)),
            HostOrder::Rewritten => rows.sort_by_key(|row| std::cmp::Reverse(row.rewritten)),
            HostOrder::Host => rows.sort_by_key(|row| row.id),
        }
        Some(rows)
    }

    /// Lines of the view that can be scrolled over.
    #[must_use]
    pub fn lines(&self) -> usize {
        match self.tab {
            Tab::Overview => 0,
            Tab::Flows => self.roll.found.as_ref().map_or(0, |it| it.flows.len()),
            Tab::Hosts => self.hosts().map_or(0, |hosts| hosts.len()),
        }
    }

    /// Seconds in a number of ticks, as people read them.
    pub(super) fn span(ticks: u32) -> String {
        crate::report::span(Tick::to_seconds(ticks))
    }
}
