//! What operators and their scripts rely on: JSON keys, plain columns, filters, exit codes, draining, instances side by side.

mod columns;
mod daemon;
mod drain;
mod flows;
mod health;
mod instances;
mod json;
mod leftovers;
mod reset;
mod stats;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    process,
    scenario::{Connection, one_life},
    server::Server,
    topology::Lab,
};
use serde_json::Value;

const FIRST_ISN: u32 = 3_000_000_000;
const LOWER_ISN: u32 = 1_000_000_000;
const PEER_PORT: u16 = 7000;
const PORT: u16 = 40_000;
const KIB: u64 = 1 << 10;
const NOT_RUNNING: i32 = 4;
const PATIENCE: Duration = Duration::from_mins(1);

/// A connection that had to be translated, open.
fn translated(lab: &Lab, server: &Server, port: u16) -> Result<Connection> {
    one_life(lab, server, port, FIRST_ISN)?;
    Connection::open(lab, server, port, LOWER_ISN)
}

/// The exit code of a verb.
fn code(isnguard: &Isnguard, verb: &str, arguments: &[&str]) -> Result<Option<i32>> {
    let ended = process::run_to_end(isnguard.command(verb, arguments)?)?;
    Ok(ended.status.code())
}

/// The one object that a verb prints with `--json`.
fn object(isnguard: &Isnguard, verb: &str, arguments: &[&str]) -> Result<Value> {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let printed = process::run_to_end(isnguard.command(verb, &arguments)?)?.stdout;
    ensure!(
        printed.ends_with("}\n") && printed.lines().count() == 1,
        "`{verb}` does not print one line: {printed:?}"
    );
    let object: Value = serde_json::from_str(&printed)?;
    ensure!(object["schema_version"] == 1, "{object}");
    Ok(object)
}

fn list<'a>(object: &'a Value, key: &str) -> Result<&'a [Value]> {
    let list = object[key]
        .as_array()
        .with_context(|| format!("no list {key} in {object}"))?;
    Ok(list)
}
