//! `isnguard key status|rotate`: the secret of keyed mode, which is never shown.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Common, Outcome, args::LONGEST_SILENCE, note, progress::Progress};
use crate::{
    dataplane::{Instance, Rotation},
    key::KeyFile,
    report::{KeyReport, Report as _, RotateReport},
};

/// Arguments of `key`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct KeyArgs {
    #[command(subcommand)]
    verb: KeyVerb,
}

const EXAMPLES: &str = "\
Examples:
  isnguard key rotate                       make a key, or replace it
  isnguard key status                       which one is in use

The key is never shown: keys are told apart by their fingerprints.";

const STATUS_EXAMPLES: &str = "\
Examples:
  isnguard key status
  isnguard key status --json | jq .agree

Exit codes: 0 the key in the file is the one in use, or nothing is keyed; 3 it is not.";

const ROTATE_EXAMPLES: &str = "\
Examples:
  isnguard key rotate                       make a key, or replace it
  isnguard key rotate --from /root/other.key
  isnguard key rotate --adopt 86400         connections live a day at most

Every connection keeps the offset that it has. It is refused while connections are still being adopted after the last time.";

#[derive(Debug, Subcommand)]
enum KeyVerb {
    /// Which key is in the file and which in use, by fingerprints, and whether connections of before are adopted
    #[command(after_help = STATUS_EXAMPLES)]
    Status {
        #[command(flatten)]
        named: Named,
    },
    /// Make a key, or replace it without breaking a connection
    Rotate(RotateArgs),
}

#[derive(Args, Debug)]
struct Named {
    /// File with the key [default: the credential isnguard.key, else /etc/isnguard/INSTANCE.key]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[command(after_help = ROTATE_EXAMPLES)]
struct RotateArgs {
    #[command(flatten)]
    named: Named,
    /// Take the new key from this file, as another gateway has it, instead of drawing one
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Seconds for which connections of the key before are adopted, each when it speaks [default: as --idle of the instance]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=LONGEST_SILENCE))]
    adopt: Option<u32>,
    /// Rotate although connections may break, since others are still being adopted or there is no room
    #[arg(long)]
    force: bool,
}

impl Named {
    fn file(&self, common: &Common) -> KeyFile {
        KeyFile::choose(self.key_file.as_deref(), &common.instance)
    }
}

/// Shows or rotates.
pub fn key(args: &KeyArgs, common: &Common) -> anyhow::Result<Outcome> {
    match &args.verb {
        KeyVerb::Status { named } => status(&named.file(common), common),
        KeyVerb::Rotate(args) => rotate(args, common),
    }
}

fn status(file: &KeyFile, common: &Common) -> anyhow::Result<Outcome> {
    let state = match Instance::open(&common.place())? {
        Some(instance) => Some((instance.key_state()?, instance.own_flows()?)),
        None => None,
    };
    let report = KeyReport::new(common.instance.as_str(), file.path(), &file.read(), state);
    report.print(common.json)?;
    Ok(if report.is_healthy() {
        Outcome::Done
    } else {
        Outcome::Degraded
    })
}

fn rotate(args: &RotateArgs, common: &Common) -> anyhow::Result<Outcome> {
    let file = args.named.file(common);
    let from = args.from.as_deref();
    let rotation = Rotation {
        place: common.place(),
        file: file.clone(),
        from: from.map(|path| KeyFile::choose(Some(path), &common.instance)),
        adopt: args.adopt,
        force: args.force,
    };
    let mut progress = Progress::default();
    let rotated = rotation.rotate(&mut |doing| progress.tell(doing));
    progress.end();
    let report = RotateReport::new(common.instance.as_str(), file.path(), &rotated?);
    report.print(common.json)?;
    for warning in report.warnings() {
        note(&warning);
    }
    Ok(Outcome::Done)
}
