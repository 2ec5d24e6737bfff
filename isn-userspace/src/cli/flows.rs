//! `isnguard flows`: live flows, with offset, state and numbers.

use std::net::IpAddr;

use clap::Args;

use super::{Common, Outcome, not_running};
use crate::{
    dataplane::{self, Instance},
    report::{FlowsReport, Report as _, Selection},
};

/// Flows printed as text unless more are asked for.
const FEW: usize = 100;

/// Arguments of `flows`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct FlowsArgs {
    /// Only flows of this guarded host
    #[arg(long, value_name = "IP")]
    host: Option<IpAddr>,
    /// Only flows with an offset
    #[arg(long)]
    translated: bool,
    /// At most this many [default: 100 as text, all as JSON]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

const EXAMPLES: &str = "\
Examples:
  isnguard flows --translated               the connections with an offset
  isnguard flows --host 192.0.2.21 --limit 20
  isnguard flows --json | jq '.flows | length'
";

/// Reports the flows.
pub fn flows(args: &FlowsArgs, common: &Common) -> anyhow::Result<Outcome> {
    let Some(instance) = Instance::open(&common.place())? else {
        return Ok(not_running(common));
    };
    let limit = args.limit.or((!common.json).then_some(FEW));
    let selection = Selection {
        host: args.host,
        translated: args.translated,
        limit,
    };
    let flows = instance.flows()?;
    let name = common.instance.as_str();
    FlowsReport::new(name, flows, selection, dataplane::now()).print(common.json)?;
    Ok(Outcome::Done)
}
