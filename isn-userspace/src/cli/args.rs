//! PLACEMENT and OPTIONS: what `attach` and `run` are told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Common;
use crate::{
    failure::Failure,
    settings::{HookChoice, Mode, OnFull, Placed, Placement, Protect, Request, TcFlavour},
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
#[derive(Args, Debug)]
pub struct AttachArgs {
    /// Interface that faces the guarded hosts; repeatable
    #[arg(long, value_name = "IF")]
    inside: Vec<String>,
    /// Interface that faces the peers, on a gateway that translates addresses; repeatable
    #[arg(long, value_name = "IF")]
    outside: Vec<String>,
    /// Guarded prefix; repeatable [default: every host]
    ///
    /// The longest prefix that covers a host applies to it, alone. `port=` limits it to connections
    /// to these ports, whoever opens them; `mode=` is the mode of these connections.
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
    /// The request that the arguments make, checked as far as they themselves tell.
    pub fn request(&self, common: &Common) -> Result<Request, Failure> {
        let request = self.unchecked(common);
        request.check()?;
        Ok(request)
    }

    fn unchecked(&self, common: &Common) -> Request {
        let on = |names: &[String], placement| -> Vec<Placed> {
            names
                .iter()
                .map(|name| Placed {
                    interface: name.clone(),
                    placement,
                })
                .collect()
        };
        let mut placed = on(&self.inside, Placement::Inside);
        placed.extend(on(&self.outside, Placement::Outside));
        Request {
            place: common.place(),
            placed,
            protect: self.protect.clone(),
            mode: self.mode.map(|mode| match mode {
                ModeArg::Monotonic => Mode::Monotonic,
                ModeArg::Keyed => Mode::Keyed,
                ModeArg::Observe => Mode::Observe,
            }),
            hook: self.hook,
            tc_flavour: self.tc_flavour,
            history: self.history,
            max_flows: self.max_flows,
            max_half_open: self.max_half_open,
            max_history: self.max_history,
            idle: self.idle,
            closing: self.closing,
            samples: self.samples,
            on_full: self.on_full.map(|action| match action {
                OnFullArg::Pass => OnFull::Pass,
                OnFullArg::Drop => OnFull::Drop,
            }),
            key_file: self.key_file.clone(),
            adopt: self.adopt,
            verbose: common.verbose,
        }
    }
}
