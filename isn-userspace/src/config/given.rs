//! What was said, and by whom: the file with its lines, or the command line, which overrides it.

use std::{net::SocketAddr, path::PathBuf};

use crate::{
    failure::Failure,
    settings::{
        HookChoice, InstanceName, Mode, OnFull, Place, Placed, Protect, Request, TcFlavour,
    },
};

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file, in this line.
    Line(usize),
    /// The command line.
    CommandLine,
}

/// A value and who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said<T> {
    /// The value.
    pub value: T,
    /// Who said it.
    pub origin: Origin,
}

impl<T> Said<T> {
    /// Said on the command line.
    pub const fn on_command_line(value: T) -> Self {
        Self {
            value,
            origin: Origin::CommandLine,
        }
    }
}

/// Everything that was said; what was not is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Name of the instance.
    pub instance: Option<Said<InstanceName>>,
    /// BPF file system.
    pub bpffs: Option<Said<PathBuf>>,
    /// Interfaces and their sides.
    pub placed: Vec<Said<Placed>>,
    /// Rules.
    pub protect: Vec<Said<Protect>>,
    /// Mode of rules that name none.
    pub mode: Option<Said<Mode>>,
    /// Hook of arriving packets.
    pub hook: Option<Said<HookChoice>>,
    /// How TC programs are attached.
    pub tc_flavour: Option<Said<TcFlavour>>,
    /// Seconds after its last packet until a flow is forgotten.
    pub history: Option<Said<u32>>,
    /// Seconds of silence after which a translated connection counts as dead.
    pub idle: Option<Said<u32>>,
    /// The same for one of which one end is closed.
    pub closing: Option<Said<u32>>,
    /// Room for translated flows.
    pub max_flows: Option<Said<u32>>,
    /// Room for half-open flows.
    pub max_half_open: Option<Said<u32>>,
    /// Room for other flows.
    pub max_history: Option<Said<u32>>,
    /// What to do when there is no room.
    pub on_full: Option<Said<OnFull>>,
    /// SYNs of each host and second that are told.
    pub samples: Option<Said<u32>>,
    /// File of the key.
    pub key_file: Option<Said<PathBuf>>,
    /// Seconds for which connections of before are adopted.
    pub adopt: Option<Said<u32>>,
    /// Forward between the two sides in XDP.
    pub forward: Option<Said<bool>>,
    /// Forward although the gateway has rules that forwarded packets go past.
    pub forward_past_rules: Option<Said<bool>>,
    /// Where metrics are served.
    pub metrics: Vec<Said<SocketAddr>>,
}

impl Given {
    /// What applies if `self` overrides `below`: value by value, the interfaces together, and the rules together.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            instance: self.instance.or(below.instance),
            bpffs: self.bpffs.or(below.bpffs),
            placed: unless_empty(self.placed, below.placed),
            protect: unless_empty(self.protect, below.protect),
            mode: self.mode.or(below.mode),
            hook: self.hook.or(below.hook),
            tc_flavour: self.tc_flavour.or(below.tc_flavour),
            history: self.history.or(below.history),
            idle: self.idle.or(below.idle),
            closing: self.closing.or(below.closing),
            max_flows: self.max_flows.or(below.max_flows),
            max_half_open: self.max_half_open.or(below.max_half_open),
            max_history: self.max_history.or(below.max_history),
            on_full: self.on_full.or(below.on_full),
            samples: self.samples.or(below.samples),
            key_file: self.key_file.or(below.key_file),
            adopt: self.adopt.or(below.adopt),
            forward: self.forward.or(below.forward),
            forward_past_rules: self.forward_past_rules.or(below.forward_past_rules),
            metrics: unless_empty(self.metrics, below.metrics),
        }
    }

    /// The request that this makes of an instance at `place`, checked as far as it tells by itself.
    pub fn request(&self, place: Place, verbose: bool) -> Result<Request, Failure> {
        fn said<T: Clone>(value: Option<&Said<T>>) -> Option<T> {
            value.map(|it| it.value.clone())
        }
        let request = Request {
            place,
            placed: self.placed.iter().map(|it| it.value.clone()).collect(),
            protect: self.protect.iter().map(|it| it.value).collect(),
            mode: said(self.mode.as_ref()),
            hook: said(self.hook.as_ref()),
            tc_flavour: said(self.tc_flavour.as_ref()),
            history: said(self.history.as_ref()),
            max_flows: said(self.max_flows.as_ref()),
            max_half_open: said(self.max_half_open.as_ref()),
            max_history: said(self.max_history.as_ref()),
            idle: said(self.idle.as_ref()),
            closing: said(self.closing.as_ref()),
            samples: said(self.samples.as_ref()),
            on_full: said(self.on_full.as_ref()),
            key_file: said(self.key_file.as_ref()),
            adopt: said(self.adopt.as_ref()),
            forward: said(self.forward.as_ref()),
            forward_past_rules: said(self.forward_past_rules.as_ref()),
            verbose,
        };
        request.check()?;
        Ok(request)
    }
}

fn unless_empty<T>(above: Vec<T>, below: Vec<T>) -> Vec<T> {
    if above.is_empty() { below } else { above }
}
