//! `isnguard snapshot save|load`: flows that survive a reboot of the gateway.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Common, Outcome, not_running, note, progress::Progress};
use crate::{
    dataplane::Instance,
    report::{LoadReport, Report as _, SaveReport},
    snapshot::{self, Options},
};

/// Arguments of `snapshot`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct SnapshotArgs {
    #[command(subcommand)]
    direction: Way,
}

const EXAMPLES: &str = "\
Examples:
  isnguard snapshot save /var/lib/isnguard/flows
  isnguard snapshot load --consume /var/lib/isnguard/flows

Save when the machine stops, last of all, and load before it forwards the first packet.";

const SAVE_EXAMPLES: &str = "\
Examples:
  isnguard snapshot save /var/lib/isnguard/flows
  isnguard snapshot save --instance eth1 /var/lib/isnguard/eth1.flows

Exit codes: 0 saved; 4 there is no such instance.";

const LOAD_EXAMPLES: &str = "\
Examples:
  isnguard snapshot load --consume /var/lib/isnguard/flows
  isnguard snapshot load --consume --if-there /var/lib/isnguard/flows
";

#[derive(Debug, Subcommand)]
enum Way {
    /// Save the flows to a file, while traffic goes on
    ///
    /// The file has the secret of the instance in it, and only its owner may read it. The key of keyed mode is not in it.
    #[command(after_help = SAVE_EXAMPLES)]
    Save {
        /// The file; one that is there is replaced when the new one is whole
        file: PathBuf,
    },
    /// Put saved flows into the instance; where there is none, make one for `run` or `attach` to adopt
    Load(LoadArgs),
}

#[derive(Args, Debug)]
#[command(after_help = LOAD_EXAMPLES)]
struct LoadArgs {
    /// The file
    file: PathBuf,
    /// Room for translated flows in an instance that is made [default: as saved]
    #[arg(long, value_name = "N", value_parser = super::args::room())]
    max_flows: Option<u32>,
    /// Room for handshakes that are not complete [default: as saved]
    #[arg(long, value_name = "N", value_parser = super::args::room())]
    max_half_open: Option<u32>,
    /// Room for other flows that are remembered [default: as saved]
    #[arg(long, value_name = "N", value_parser = super::args::room())]
    max_history: Option<u32>,
    /// Remove the file when its flows are loaded, so that no later boot takes them for new
    #[arg(long)]
    consume: bool,
    /// Where there is no such file, do nothing, and call that success
    #[arg(long)]
    if_there: bool,
    /// File with the key, for an instance that is made and has a keyed rule [default: as of attach]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Saves or loads.
pub fn snapshot(args: &SnapshotArgs, common: &Common) -> anyhow::Result<Outcome> {
    match &args.direction {
        Way::Save { file } => save(file, common),
        Way::Load(args) => load(args, common),
    }
}

fn save(file: &std::path::Path, common: &Common) -> anyhow::Result<Outcome> {
    let Some(instance) = Instance::open(&common.place())? else {
        return Ok(not_running(common));
    };
    let mut progress = Progress::default();
    let saved = snapshot::save(&instance, file, &mut |doing| progress.tell(doing));
    progress.end();
    SaveReport::new(common.instance.as_str(), file, &saved?).print(common.json)?;
    Ok(Outcome::Done)
}

fn load(args: &LoadArgs, common: &Common) -> anyhow::Result<Outcome> {
    // What cannot be looked at is for the attempt to load it to explain.
    if args.if_there && matches!(args.file.try_exists(), Ok(false)) {
        if !common.json {
            println!("nothing was saved in {}", args.file.display());
        }
        return Ok(Outcome::Done);
    }
    let options = Options {
        max_flows: args.max_flows,
        max_half_open: args.max_half_open,
        max_history: args.max_history,
        consume: args.consume,
        key_file: args.key_file.clone(),
    };
    let mut progress = Progress::default();
    let mut tell =
        |turns: usize, all: usize| progress.tell(&format!("loading: {turns} of {all} flows"));
    let loaded = snapshot::load(&common.place(), &args.file, &options, &mut tell);
    progress.end();
    let report = LoadReport::new(common.instance.as_str(), &args.file, &loaded?);
    report.print(common.json)?;
    for warning in report.warnings() {
        note(&warning);
    }
    Ok(Outcome::Done)
}
