//! `isnguard policy list|add|del|import`: guarded prefixes, ports and modes, while the instance is attached. A change affects only
//! new SYNs.

mod change;
mod lines;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use self::change::{Change, Wanted};
use super::{Common, Outcome, args::absolute, not_running};
use crate::{
    config::{Given, LastReload, Loaded, Source},
    dataplane::Instance,
    failure::Failure,
    report::{PolicyReport, Report as _},
    settings::{InstanceName, Place, Protect},
};

const EXAMPLES: &str = "\
Examples:
  isnguard policy list
  isnguard policy add 192.0.2.0/24 --persist
  isnguard policy add 192.0.2.7,mode=off    an exception

A change affects only new connections. It lasts until the next reload, unless --persist changes the configuration file too.";

const LIST_EXAMPLES: &str = "\
Examples:
  isnguard policy list
  isnguard policy list --json";

const ADD_EXAMPLES: &str = "\
Examples:
  isnguard policy add 192.0.2.0/24,port=102
  isnguard policy add 192.0.2.0/24 2001:db8:7::/64 --persist
  isnguard policy add 192.0.2.7,mode=off --dry-run

A rule comes before those of its prefix that cover its ports; one that names no mode gets that of the file, or of all others.";

const DEL_EXAMPLES: &str = "\
Examples:
  isnguard policy del 192.0.2.0/24          all its rules
  isnguard policy del 192.0.2.0/24,port=102 --persist";

const IMPORT_EXAMPLES: &str = "\
Examples:
  isnguard policy import hosts.txt --dry-run
  isnguard policy import hosts.txt --replace --persist
  isnguard policy import -

One rule a line, such as 192.0.2.0/24,port=80,mode=observe; what is behind # is a comment.";

/// Arguments of `policy`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct PolicyArgs {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Debug, Subcommand)]
enum PolicyVerb {
    #[command(after_help = LIST_EXAMPLES)]
    /// The rules that apply, and where each came from
    List,
    #[command(after_help = ADD_EXAMPLES)]
    /// Add rules, or give those for the same prefix and ports another mode
    ///
    /// `mode=off` takes hosts or ports out of what is guarded.
    Add {
        /// Rules to add
        #[arg(required = true, value_name = "CIDR[,port=N|N-M][,mode=M]")]
        rules: Vec<Protect>,
        #[command(flatten)]
        how: How,
    },
    #[command(after_help = DEL_EXAMPLES)]
    /// Remove rules: those for these ports, or all of a prefix
    Del {
        /// Prefixes, with or without ports
        #[arg(required = true, value_name = "CIDR[,port=N|N-M]")]
        rules: Vec<Protect>,
        #[command(flatten)]
        how: How,
    },
    #[command(after_help = IMPORT_EXAMPLES)]
    /// Add the rules of a file, one a line, all or none
    Import {
        /// File of rules; `-` is standard input
        file: PathBuf,
        /// Remove every rule that is not in the file
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        how: How,
    },
}

/// How a change is made.
#[derive(Args, Clone, Debug)]
struct How {
    /// Change the configuration file too, and nothing in it but the rules
    #[arg(long)]
    persist: bool,
    /// Configuration file [default: the one that the instance was configured by]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check everything and tell what would change
    #[arg(long)]
    dry_run: bool,
    /// File with the key of keyed mode [default: that of the configuration file, else as of `attach`]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Seconds for which connections of before are adopted, where more become keyed (see `attach`)
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=super::args::LONGEST_SILENCE))]
    adopt: Option<u32>,
}

/// Lists or changes.
pub fn policy(args: &PolicyArgs, common: &Common) -> anyhow::Result<Outcome> {
    match &args.verb {
        PolicyVerb::List => list(common),
        PolicyVerb::Add { rules, how } => Change::new(how, common)?.make(Wanted::Add(rules)),
        PolicyVerb::Del { rules, how } => Change::new(how, common)?.make(Wanted::Remove(rules)),
        PolicyVerb::Import { file, replace, how } => {
            let Some(rules) = lines::read(file)? else {
                return Ok(Outcome::Failed);
            };
            let wanted = if *replace {
                Wanted::Replace(&rules)
            } else {
                Wanted::Add(&rules)
            };
            Change::new(how, common)?.make(wanted)
        }
    }
}

fn list(common: &Common) -> anyhow::Result<Outcome> {
    let place = common.place();
    let Some(instance) = Instance::open(&place)? else {
        return Ok(not_running(common));
    };
    let configured = match LastReload::of(&place) {
        Some(last) => configured(&last.file, &place)
            .inspect_err(|failure| eprintln!("note: {failure}"))
            .ok(),
        None => None,
    };
    let policy = instance.maps.policy()?;
    PolicyReport::new(common.instance.as_str(), &policy, configured.as_ref()).print(common.json)?;
    Ok(Outcome::Done)
}

/// What a file says by itself.
fn configured(file: &std::path::Path, place: &Place) -> Result<Loaded, Failure> {
    let source = Source {
        file: Some(absolute(file)?),
        said: Given::default(),
        place: place.clone(),
        verbose: false,
    };
    let loaded = source.load()?;
    check_instance(&loaded, file, &place.instance)?;
    Ok(loaded)
}

/// A file that names another instance is not this one's.
fn check_instance(
    loaded: &Loaded,
    file: &std::path::Path,
    instance: &InstanceName,
) -> Result<(), Failure> {
    match &loaded.given.instance {
        Some(named) if named.value != *instance => Err(Failure::new(
            format!("cannot use {}", file.display()),
            format!(
                "it is about instance `{}`, and this is `{instance}`",
                named.value
            ),
            "name the file of this instance with --config, or the other instance with --instance",
        )),
        _ => Ok(()),
    }
}
