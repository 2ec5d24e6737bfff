//! What isnguard costs, beside floor and peers, in one run. Times are this thread's at work and are printed with ratios within the
//! same run, since only those carry over to another machine. `cargo xtask bench` builds and runs it.

mod arguments;
mod comparison;
mod cpu;
mod figure;
mod flows;
mod gateway;
mod memory;
mod object;
mod paths;
mod plot;
mod report;
mod scaling;
mod stopwatch;
mod sweep;
mod tables;
mod targets;

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use nix::unistd::geteuid;

use crate::{
    arguments::{Arguments, Part},
    comparison::Comparison,
    report::Report,
};

fn main() -> ExitCode {
    match perform(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: &Arguments) -> Result<()> {
    ensure!(
        geteuid().is_root(),
        "it makes network namespaces and loads BPF programs, which needs root, and this process runs as uid {}: run it \
         with sudo",
        geteuid()
    );
    // Before what takes minutes: the file may be missing.
    let before = arguments.beside.as_deref().map(Comparison::read);
    let before = before.transpose()?;
    let mut report = Report::new();
    let (effort, gateways) = if arguments.quick {
        (paths::Effort::QUICK, gateway::Effort::QUICK)
    } else {
        (paths::Effort::THOROUGH, gateway::Effort::THOROUGH)
    };
    if arguments.asks_for(Part::Paths) {
        paths::measure(effort, &mut report)?;
    }
    if arguments.asks_for(Part::Random) {
        for flows in [1 << 10, 1 << 16, 1 << 20] {
            paths::among(flows, effort, &mut report)?;
        }
    }
    if arguments.asks_for(Part::Gateway) {
        gateway::packets(gateways, &mut report)?;
    }
    if arguments.asks_for(Part::Hooks) {
        gateway::hooks(gateways, &mut report)?;
    }
    if arguments.asks_for(Part::Tcp) {
        gateway::tcp(gateways, &mut report)?;
    }
    if arguments.asks_for(Part::Tables) {
        tables::measure(arguments.flows, &mut report)?;
    }
    let mut scaled = None;
    if arguments.asks_for(Part::Scaling) {
        scaled = Some(scaling::measure(effort, &mut report)?);
    }
    report.print();
    if let Some(before) = before {
        before.print(report.figures());
    }
    if let Some(path) = &arguments.json {
        write(path, &report.json()?)?;
    }
    if let Some(path) = &arguments.plot {
        let picture = match scaled {
            Some(scaled) if arguments.asks_for_only(Part::Scaling) => scaling::draw(&scaled),
            _ => plot::ratios(report.figures()),
        };
        write(path, &picture)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
