//! What can be asked: the one definition behind the help texts, the parsing and the verbs.

use std::{ffi::OsString, fmt, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Sets up, builds, checks, tests and shows isnguard.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
}

/// One verb with its options.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Install what building, checking, testing and the demo need and is not there yet
    Setup(Setup),
    /// Build the `isnguard` binary with its BPF object inside
    Build(Build),
    /// Formatting, clippy for the host and for BPF, and `cargo deny` where it is installed
    Check,
    /// Run the tests; groups `kernel` and `net` need root
    Test(Test),
    /// Random packets through kernel, memory and model until they differ or Ctrl-C; needs root
    Fuzz(Fuzz),
    /// Real connections at random with kills, reloads, floods and flaps in between, ten minutes; needs root
    Soak(Soak),
    /// What isnguard costs, beside floor and peers: paths, gateways, TCP, tables; needs root
    Bench(Bench),
    /// A host with a regressing ISN, without and with isnguard: about a minute, needs root
    Demo(Demo),
    /// Build the Debian package and the static tarball, with checksums
    Dist(Dist),
}

#[derive(Debug, Args)]
pub struct Setup {
    /// Say what would be run, and run nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Build {
    /// Optimised, as it is meant to be used
    #[arg(long)]
    pub release: bool,
}

#[derive(Debug, Args)]
pub struct Test {
    /// Which tests
    #[arg(value_enum, default_value_t = Group::All)]
    pub group: Group,
    /// Also the long tests, which are left out otherwise
    #[arg(long)]
    pub long: bool,
    /// Handed to the test programs: name filters, `--skip NAME`, `--exact`
    #[arg(last = true)]
    pub args: Vec<OsString>,
}

/// A group of tests that need the same surroundings.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Group {
    /// Pure code and user space, on the host; needs no privilege
    Unit,
    /// Programs run in the kernel on packets made here (`BPF_PROG_TEST_RUN`); needs root
    Kernel,
    /// Real TCP through a gateway in network namespaces; needs root
    Net,
    /// All of these
    All,
}

/// As it is typed.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unit => "unit",
            Self::Kernel => "kernel",
            Self::Net => "net",
            Self::All => "all",
        })
    }
}

#[derive(Debug, Args)]
pub struct Fuzz {
    /// Where the random numbers begin; without it, anywhere
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// End after so many packets
    #[arg(long, value_name = "N")]
    pub packets: Option<u64>,
    /// End after this time
    #[arg(long, value_name = "N")]
    pub minutes: Option<u64>,
    /// Play this episode instead, and make it as short as it can be if it fails
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "packets", "minutes"])]
    pub replay: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Soak {
    /// How long connections are opened [default: 10]
    #[arg(long, value_name = "N")]
    pub minutes: Option<u64>,
    /// Where the random numbers begin; without it, anywhere
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The hook of arriving packets, xdp or tc [default: xdp]
    #[arg(long, value_enum)]
    pub hook: Option<SoakHook>,
}

/// The hook that is soaked.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SoakHook {
    /// XDP at ingress, TC at egress
    Xdp,
    /// TC both ways
    Tc,
}

#[derive(Clone, Debug, Args)]
pub struct Bench {
    /// How many flows "many" are
    #[arg(long, value_name = "N")]
    pub flows: Option<u32>,
    /// Measure this part alone; can be given more than once
    #[arg(long, value_enum, value_name = "PART")]
    pub only: Vec<BenchPart>,
    /// Fewer rounds: for a look
    #[arg(long)]
    pub quick: bool,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the ratios to this file as SVG; if only scaling is asked for, that
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Measure this commit first, and show what has changed since
    #[arg(long, value_name = "REV")]
    pub compare: Option<String>,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum BenchPart {
    /// One packet on each path of the programs
    Paths,
    /// The same for flows at random among many
    Random,
    /// Memory, attaching, sweeps, scrapes
    Tables,
    /// A packet through a gateway, beside peers
    Gateway,
    /// Which hook for which traffic: segments alone and in trains that the kernel joins
    Hooks,
    /// Bulk TCP and connections through a gateway, beside peers
    Tcp,
    /// Mixes of traffic, many flows, many cores; only if it is named
    Scaling,
}

/// As it is typed.
impl fmt::Display for BenchPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paths => "paths",
            Self::Random => "random",
            Self::Tables => "tables",
            Self::Gateway => "gateway",
            Self::Hooks => "hooks",
            Self::Tcp => "tcp",
            Self::Scaling => "scaling",
        })
    }
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Leave the lab running and say how to enter it
    #[arg(long)]
    pub keep: bool,
    /// Leave captures of both sides of the gateway in this directory
    #[arg(long, value_name = "DIR")]
    pub pcap: Option<PathBuf>,
    /// Which hook to show
    #[arg(long, value_enum)]
    pub hook: Option<DemoHook>,
}

#[derive(Debug, Args)]
pub struct Dist {
    /// Put them in this directory [default: target/dist]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Pack this program instead of building one, into the Debian package alone
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// The version of the packages, for a build between releases [default: the workspace's]
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
}

/// The hook that the demo attaches to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DemoHook {
    /// XDP at ingress, TC at egress
    Xdp,
    /// TC both ways
    Tc,
    /// One after the other
    Both,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, error::ErrorKind};

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn test_runs_everything_unless_told() {
        let Verb::Test(test) = parse("xtask test").unwrap().verb else {
            panic!("another verb")
        };
        assert_eq!(test.group, Group::All);
        assert!(!test.long && test.args.is_empty());
    }

    #[test]
    fn groups_are_shown_as_typed() {
        for group in Group::value_variants() {
            assert_eq!(
                group.to_possible_value().unwrap().get_name(),
                group.to_string()
            );
        }
    }

    #[test]
    fn parts_are_shown_as_typed() {
        for part in BenchPart::value_variants() {
            assert_eq!(
                part.to_possible_value().unwrap().get_name(),
                part.to_string()
            );
        }
    }

    #[test]
    fn arguments_after_the_dashes_go_to_the_tests() {
        let Verb::Test(test) = parse("xtask test net --long -- hang --exact").unwrap().verb else {
            panic!("another verb")
        };
        assert_eq!(test.group, Group::Net);
        assert!(test.long);
        assert_eq!(test.args, ["hang", "--exact"]);
    }

    #[test]
    fn wrong_arguments_are_refused_before_anything_runs() {
        let kind = |line| parse(line).unwrap_err().kind();
        assert_eq!(kind("xtask test everything"), ErrorKind::InvalidValue);
        assert_eq!(kind("xtask demo --hook xpd"), ErrorKind::InvalidValue);
        assert_eq!(kind("xtask demo --pcap"), ErrorKind::InvalidValue);
        assert_eq!(kind("xtask fuzz --seed x"), ErrorKind::ValueValidation);
        assert_eq!(
            kind("xtask fuzz --replay f --seed 1"),
            ErrorKind::ArgumentConflict
        );
        assert_eq!(kind("xtask soak --hook both"), ErrorKind::InvalidValue);
        assert_eq!(kind("xtask bench --flows x"), ErrorKind::ValueValidation);
        assert_eq!(kind("xtask bench --only all"), ErrorKind::InvalidValue);
        assert_eq!(kind("xtask build extra"), ErrorKind::UnknownArgument);
        assert_eq!(kind("xtask dist --out"), ErrorKind::InvalidValue);
        assert_eq!(kind("xtask polish"), ErrorKind::InvalidSubcommand);
    }
}
