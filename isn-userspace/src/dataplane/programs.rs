//! The programs: loaded one by one as they are needed, and found again by their identifiers.

use aya::{
    Ebpf, EbpfError, EbpfLoader, VerifierLogLevel,
    maps::MapError,
    programs::{Program, ProgramError, ProgramInfo, SchedClassifier, Xdp, loaded_programs},
};
use isn_common::{
    abi::{maps as names, programs, settings::Limits},
    flow::Direction,
    slots::{Room, Spread},
};

use super::{
    OBJECT, maps,
    pins::Pins,
    slots::{self, Layout},
    undo::Undo,
};
use crate::{
    failure::{Explain as _, Failure},
    settings::Request,
};

/// Lines of the verifier's log that are shown unless all are asked for.
const LAST_LINES: usize = 6;

/// How many flows of each family the tables are to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacities {
    /// Translated flows.
    pub flows: u32,
    /// Half-open flows.
    pub half_open: u32,
    /// Flows with offset 0 that are remembered.
    pub history: u32,
}

impl Default for Capacities {
    fn default() -> Self {
        Self {
            flows: 65_536,
            half_open: 65_536,
            history: 262_144,
        }
    }
}

impl Capacities {
    /// Those that are asked for.
    #[must_use]
    pub fn wanted(request: &Request) -> Self {
        let default = Self::default();
        Self {
            flows: request.max_flows.unwrap_or(default.flows),
            half_open: request.max_half_open.unwrap_or(default.half_open),
            history: request.max_history.unwrap_or(default.history),
        }
    }

    /// Flows that the table of translated ones must hold: a handshake is admitted while it is not full, and finds a place although
    /// others were faster.
    const fn places(self) -> u32 {
        let under_way = if self.half_open < self.flows {
            self.half_open
        } else {
            self.flows
        };
        self.flows.saturating_add(under_way)
    }

    /// How the slots are shared out. Where no set may be full the tables have a third more slots than flows.
    #[must_use]
    pub fn layout(self) -> Layout {
        let flows = [self.places(), self.half_open, self.history];
        Layout {
            sets: flows.map(|flows| Room::of(flows).sets),
            flows: [self.flows, self.half_open, self.history],
        }
    }

    /// The largest part of a table that one host may use.
    #[must_use]
    pub fn limits(self, before: Limits) -> Limits {
        Limits {
            max_flows: self.flows,
            half_open_share: (self.half_open / 4).max(1),
            history_share: (self.history / 2).max(1),
            ..before
        }
    }
}

/// The object, with its maps created or adopted, and the programs loaded so far.
pub struct Programs {
    ebpf: Ebpf,
    verbose: bool,
}

impl Programs {
    /// Reads the object; creates and pins the maps that are not pinned yet.
    pub fn prepare(
        pins: &Pins,
        capacities: Capacities,
        verbose: bool,
        undo: &mut Undo,
    ) -> Result<Self, Failure> {
        let level = if verbose {
            VerifierLogLevel::VERBOSE
        } else {
            VerifierLogLevel::DEBUG
        };
        let log_level = wanted_of_programs() as u8;
        let mut loader = EbpfLoader::new();
        loader.override_global(aya_log::LEVEL, &log_level, false);
        loader.override_global(
            programs::REORDERS_READS,
            &programs::REORDERS_READS_HERE,
            true,
        );
        let layout = capacities.layout();
        let spread = slots::settled_or_drawn(pins, &layout)?;
        loader.override_global(programs::SPREAD_HERE, &spread, true);
        loader.verifier_log_level(level | VerifierLogLevel::STATS);
        for name in maps::ALL {
            let path = pins.map(name);
            if !path.exists() {
                let created = path.clone();
                undo.push(format_args!("map {name}"), move || {
                    Ok(super::pins::absent_is_fine(std::fs::remove_file(created))?)
                });
            }
            loader.map_pin_path(name, path);
        }
        let sized = [
            ([names::SLOTS_V4, names::SLOTS_V6], layout.all_sets()),
            ([names::PRINTS_V4, names::PRINTS_V6], layout.all_sets()),
            (
                [names::TRANSLATED_V4, names::TRANSLATED_V6],
                Room::of(capacities.places()).beside,
            ),
            ([names::HOSTS_V4, names::HOSTS_V6], capacities.places()),
        ];
        for (tables, entries) in sized {
            for name in tables {
                loader.map_max_entries(name, entries);
            }
        }
        let mut ebpf = loader
            .load(OBJECT)
            .map_err(|error| not_prepared(&error, pins))?;
        settle_spread(&mut ebpf, spread)?;
        Ok(Self { ebpf, verbose })
    }

    /// The XDP program of this name, loaded.
    pub fn xdp(&mut self, name: &str) -> Result<&mut Xdp, Failure> {
        let verbose = self.verbose;
        let program: &mut Xdp = self.program(name)?;
        if program.fd().is_err() {
            program
                .load()
                .map_err(|error| not_loaded(name, &error, verbose))?;
            tell_loaded(name, program.info());
        }
        Ok(program)
    }

    /// The TC program for packets of this direction, loaded.
    pub fn tc(&mut self, direction: Direction) -> Result<&mut SchedClassifier, Failure> {
        let name = match direction {
            Direction::Outbound => programs::TC_OUT,
            Direction::Inbound => programs::TC_IN,
        };
        self.classifier(name)
    }

    /// The program for upkeep, loaded.
    pub fn upkeep(&mut self) -> Result<&mut SchedClassifier, Failure> {
        self.classifier(programs::UPKEEP)
    }

    fn classifier(&mut self, name: &str) -> Result<&mut SchedClassifier, Failure> {
        let verbose = self.verbose;
        let program: &mut SchedClassifier = self.program(name)?;
        if program.fd().is_err() {
            program
                .load()
                .map_err(|error| not_loaded(name, &error, verbose))?;
            tell_loaded(name, program.info());
        }
        Ok(program)
    }

    fn program<'a, T>(&'a mut self, name: &str) -> Result<&'a mut T, Failure>
    where
        &'a mut T: TryFrom<&'a mut Program, Error = ProgramError>,
    {
        let what = || format!("cannot find program `{name}` in the BPF object");
        let remedy = "build isnguard again: the object in it is not of this version";
        let program = self
            .ebpf
            .program_mut(name)
            .ok_or_else(|| Failure::new(what(), "it is not there", remedy))?;
        program.try_into().explain(what(), remedy)
    }

    /// Gives the object away, for its log.
    #[must_use]
    pub fn into_ebpf(self) -> Ebpf {
        self.ebpf
    }
}

/// Settles how flows are spread over slots, as the programs have it, before anything else is written.
fn settle_spread(ebpf: &mut Ebpf, spread: Spread) -> Result<(), Failure> {
    let what = "cannot settle how flows are spread over their slots";
    let remedy = "build isnguard again: the object in it is not of this version";
    let map = ebpf
        .map_mut(names::SPREAD)
        .ok_or_else(|| Failure::new(what, "the object does not spread flows", remedy))?;
    slots::settle(&mut map.try_into().explain(what, remedy)?, spread)
}

/// What the programs are to log: they write nothing that nobody wants to read.
fn wanted_of_programs() -> aya_log::Level {
    if tracing::enabled!(target: "isn_ebpf", tracing::Level::DEBUG) {
        aya_log::Level::Debug
    } else {
        aya_log::Level::Warn
    }
}

fn tell_loaded(name: &str, info: Result<ProgramInfo, ProgramError>) {
    if let Ok(info) = info {
        let verified = info.verified_instruction_count().unwrap_or(0);
        tracing::debug!(
            "loaded {name}: id {}, {verified} instructions verified",
            info.id()
        );
    }
}

fn not_prepared(error: &EbpfError, pins: &Pins) -> Failure {
    let what = format!("cannot prepare the maps in {}", pins.home.display());
    match error {
        EbpfError::MapError(MapError::CreateError { name, io_error }) => Failure::new(
            what,
            format!("the kernel did not create {name}: {io_error}"),
            match io_error.raw_os_error() {
                Some(nix::libc::ENOMEM | nix::libc::E2BIG) => {
                    "ask for smaller tables with --max-flows, --max-half-open and --max-history"
                }
                Some(nix::libc::EPERM) => "run it as root, or with CAP_BPF and CAP_NET_ADMIN",
                _ => "see `dmesg`; the kernel must be Linux 6.1 or later",
            },
        ),
        other => Failure::new(
            what,
            crate::failure::chained(other),
            "the kernel must be Linux 6.1 or later, with BPF",
        ),
    }
}

fn not_loaded(name: &str, error: &ProgramError, verbose: bool) -> Failure {
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => refused(name, io_error, &verifier_log.to_string(), verbose),
        other => Failure::new(
            format!("cannot load program `{name}`"),
            crate::failure::chained(other),
            "run it with -v",
        ),
    }
}

fn refused(name: &str, error: &std::io::Error, log: &str, verbose: bool) -> Failure {
    let why = if log.trim().is_empty() {
        format!("the kernel refused it: {error}")
    } else {
        format!(
            "the kernel's verifier refused it: {error}\n{}",
            shown(log, verbose)
        )
    };
    let remedy = if verbose {
        "report this with the log above and `uname -r`"
    } else {
        "run it with -v for the verifier's whole log, and report it with `uname -r`"
    };
    Failure::new(format!("cannot load program `{name}`"), why, remedy)
}

fn shown(log: &str, verbose: bool) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = if verbose {
        0
    } else {
        lines.len().saturating_sub(LAST_LINES)
    };
    let indented: Vec<String> = lines[first..]
        .iter()
        .map(|line| format!("    {line}"))
        .collect();
    indented.join("\n")
}

/// A loaded program by its identifier, or `None` if it is gone or this process may not look.
#[must_use]
pub fn by_id(id: u32) -> Option<ProgramInfo> {
    loaded_programs()
        .filter_map(Result::ok)
        .find(|program| program.id() == id)
}

/// Those of the loaded programs that have these identifiers, as far as this process may look.
#[must_use]
pub fn by_ids(ids: &[u32]) -> Vec<ProgramInfo> {
    loaded_programs()
        .filter_map(Result::ok)
        .filter(|program| ids.contains(&program.id()))
        .collect()
}

/// A program of somebody else, in words.
#[must_use]
pub fn described(id: u32) -> String {
    match by_id(id).as_ref().and_then(ProgramInfo::name_as_str) {
        Some(name) if !name.is_empty() => format!("`{name}` (id {id})"),
        _ => format!("id {id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_verifier_log_is_shown_unless_all_is_asked_for() {
        let lines: Vec<String> = (1..=20).map(|line| format!("{line}: r0 = 1")).collect();
        let log = lines.join("\n\n");
        let short = shown(&log, false);
        assert_eq!(short.lines().count(), LAST_LINES);
        assert!(short.ends_with("20: r0 = 1") && short.starts_with("    15:"));
        assert_eq!(shown(&log, true).lines().count(), 20);
    }

    #[test]
    fn a_refusal_names_the_program_and_the_reason() {
        let denied = std::io::Error::from_raw_os_error(nix::libc::EACCES);
        let failure = refused("isn_xdp_out", &denied, "R1 invalid mem access", false);
        let text = failure.to_string();
        assert!(
            text.contains("`isn_xdp_out`") && text.contains("R1 invalid mem access"),
            "{text}"
        );
        assert!(failure.remedy().contains("-v"));
    }
}
