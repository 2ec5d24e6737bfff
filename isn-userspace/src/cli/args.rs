//! PLACEMENT and OPTIONS: what `attach` and `run` are told.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Common;
use crate::{
    config::{Given, Said, Source},
    failure::{Explain as _, Failure},
    metrics::MetricsAddress,
    settings::{HookChoice, Mode, OnFull, Placed, Placement, Protect, TcFlavour},
};

const LONGEST_HISTORY: i64 = 7 * 24 * 3_600;
/// A year: the data plane's clock tells apart nine.
pub const LONGEST_SILENCE: i64 = 365 * 24 * 3_600;
const LARGEST_TABLE: i64 = 16_777_216;
const MOST_SAMPLES: i64 = 1_000_000;

/// How much room a table may be given.
pub fn room() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=LARGEST_TABLE)
}

/// Arguments of `attach` and `run`. Without any, what is attached is adopted as it is.
#[derive(Args, Clone, Debug)]
pub struct AttachArgs {
    /// Configuration file; what is said here too overrides it [default: /etc/isnguard/isnguard.toml, or INSTANCE.toml there, if no interface is named here and it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Interface that faces the guarded hosts; repeatable
    #[arg(long, value_name = "IF")]
    inside: Vec<String>,
    /// Interface that faces the peers, on a gateway that translates addresses, or beside --inside with --forward; repeatable
    #[arg(long, value_name = "IF")]
    outside: Vec<String>,
    /// Forward between the --inside and the --outside interfaces in XDP, past the kernel's own path
    ///
    /// Both directions pass native XDP on both sides; what is not plain forwarding of TCP and UDP is left to the kernel. Packets that are
    /// forwarded go past conntrack, NAT, netfilter, queueing disciplines and captures of this gateway: attaching is refused where it has such.
    #[arg(long)]
    forward: bool,
    /// Forward although the gateway has rules that forwarded packets go past
    #[arg(long, requires = "forward", hide_short_help = true)]
    forward_past_rules: bool,
    /// Guarded prefix; repeatable [default: every host]
    ///
    /// The longest prefix that covers a host applies to it, alone. `port=` limits it to connections
    /// to these ports, whoever opens them; `mode=` is the mode of these connections, and `mode=off` takes them out.
    #[arg(long, value_name = "CIDR[,port=N|N-M][,mode=M]")]
    protect: Vec<Protect>,
    /// Mode of prefixes that name none [default: monotonic]
    #[arg(long, value_name = "MODE")]
    mode: Option<ModeArg>,
    /// Hook of arriving packets [default: auto]
    #[arg(long, value_name = "HOOK")]
    hook: Option<HookChoice>,
    /// How TC programs are attached [default: tcx where the kernel has it]
    #[arg(long, value_name = "FLAVOUR", hide_short_help = true)]
    tc_flavour: Option<TcFlavour>,
    /// Seconds after its last packet until a flow is forgotten [default: 240]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=LONGEST_HISTORY))]
    history: Option<u32>,
    /// Room for translated flows, of each address family [default: 65536]
    #[arg(long, value_name = "N", value_parser = room())]
    max_flows: Option<u32>,
    /// Room for handshakes that are not complete, of each address family [default: 65536]
    #[arg(long, value_name = "N", value_parser = room())]
    max_half_open: Option<u32>,
    /// Room for other flows that are remembered, of each address family [default: 262144]
    #[arg(long, value_name = "N", value_parser = room())]
    max_history: Option<u32>,
    /// Seconds of silence after which a translated connection counts as dead [default: 1209600, two weeks]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=LONGEST_SILENCE))]
    idle: Option<u32>,
    /// The same for one of which one end is closed [default: 86400, a day]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=LONGEST_SILENCE))]
    closing: Option<u32>,
    /// SYNs of each host and second that are told to `isnguard hosts`; 0 for none [default: 32]
    #[arg(long, value_name = "N", hide_short_help = true, value_parser = clap::value_parser!(u32).range(0..=MOST_SAMPLES))]
    samples: Option<u32>,
    /// What becomes of a connection that needs an offset when there is no room [default: pass]
    #[arg(long, value_name = "ACTION")]
    on_full: Option<OnFullArg>,
    /// File with the key of keyed mode [default: the credential isnguard.key, else /etc/isnguard/INSTANCE.key]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Seconds for which connections of before keyed mode are adopted, each when it speaks; 0 where none can be [default: as --idle]
    ///
    /// A connection that was open before keyed mode came into use has no offset, which no packet of it tells. Until this time is
    /// over, one that is not known is taken for such; from then on, for one that was opened in keyed mode. 0 is right on a
    /// standby gateway, and where the machine was started anew while its connections went on. It is the default where the key
    /// was in use in another boot of a machine.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=LONGEST_SILENCE))]
    adopt: Option<u32>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeArg {
    /// Move an initial sequence number ahead if it would regress
    Monotonic,
    /// Offset every initial sequence number by a secret function of the 4-tuple, then move it ahead if it would regress
    Keyed,
    /// Change nothing; count what would be changed
    Observe,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnFullArg {
    /// It passes untranslated
    Pass,
    /// Its SYN is dropped
    Drop,
}

impl AttachArgs {
    /// The file and what overrides it.
    pub fn source(&self, metrics: &[MetricsAddress], common: &Common) -> Result<Source, Failure> {
        let file = match &self.config {
            Some(named) => Some(absolute(named)?),
            None if self.inside.is_empty() && self.outside.is_empty() => usual_file(common),
            None => None,
        };
        Ok(Source {
            file,
            said: self.said(metrics, common),
            place: common.place(),
            verbose: common.verbose,
        })
    }

    fn said(&self, metrics: &[MetricsAddress], common: &Common) -> Given {
        let on = |names: &[String], placement| -> Vec<Said<Placed>> {
            let placed = |interface: &String| Placed {
                interface: interface.clone(),
                placement,
            };
            names
                .iter()
                .map(placed)
                .map(Said::on_command_line)
                .collect()
        };
        let mut placed = on(&self.inside, Placement::Inside);
        placed.extend(on(&self.outside, Placement::Outside));
        let [instance_said, bpffs_said] = common.said;
        Given {
            instance: instance_said.then(|| Said::on_command_line(common.instance.clone())),
            bpffs: bpffs_said.then(|| Said::on_command_line(common.bpffs.clone())),
            placed,
            protect: self
                .protect
                .iter()
                .copied()
                .map(Said::on_command_line)
                .collect(),
            mode: self.mode.map(|it| Said::on_command_line(it.into())),
            hook: said(self.hook.as_ref()),
            tc_flavour: said(self.tc_flavour.as_ref()),
            history: said(self.history.as_ref()),
            idle: said(self.idle.as_ref()),
            closing: said(self.closing.as_ref()),
            max_flows: said(self.max_flows.as_ref()),
            max_half_open: said(self.max_half_open.as_ref()),
            max_history: said(self.max_history.as_ref()),
            on_full: self.on_full.map(|it| Said::on_command_line(it.into())),
            samples: said(self.samples.as_ref()),
            key_file: said(self.key_file.as_ref()),
            adopt: said(self.adopt.as_ref()),
            forward: self.forward.then(|| Said::on_command_line(true)),
            forward_past_rules: self.forward_past_rules.then(|| Said::on_command_line(true)),
            metrics: metrics
                .iter()
                .map(|it| Said::on_command_line(it.0))
                .collect(),
        }
    }
}

fn said<T: Clone>(value: Option<&T>) -> Option<Said<T>> {
    value.cloned().map(Said::on_command_line)
}

/// A path that is the same at a later reload, wherever the process is by then.
pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).explain(
        format!("cannot use the configuration in {}", path.display()),
        "name it by its whole path",
    )
}

/// The file that applies where none is named, if it is there.
pub fn usual_file(common: &Common) -> Option<PathBuf> {
    let usual = Source::usual_file(&common.instance);
    // One that may not be looked at is not there: no file had been asked for.
    usual.exists().then_some(usual)
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Monotonic => Self::Monotonic,
            ModeArg::Keyed => Self::Keyed,
            ModeArg::Observe => Self::Observe,
        }
    }
}

impl From<OnFullArg> for OnFull {
    fn from(action: OnFullArg) -> Self {
        match action {
            OnFullArg::Pass => Self::Pass,
            OnFullArg::Drop => Self::Drop,
        }
    }
}
