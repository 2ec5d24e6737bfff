//! The command lines that run tests, in the dialects of cargo-nextest and of `cargo test`.

use std::ffi::OsString;

use crate::command::CommandLine;

/// The packages whose tests run on the host without privilege.
const HOST_PACKAGES: [&str; 6] = ["-p", "isn-common", "-p", "isnguard", "-p", "xtask"];

/// How the tests of one invocation are run.
#[derive(Clone, Debug)]
pub struct Runner {
    pub nextest: bool,
    pub long: bool,
    pub args: Vec<OsString>,
}

impl Runner {
    /// The examples in isn-common's documentation.
    pub fn documentation(&self) -> CommandLine {
        let line = CommandLine::words("cargo test --doc -p isn-common");
        if self.args.is_empty() {
            line
        } else {
            line.arg("--").args(&self.args)
        }
    }

    /// The tests of everything that needs no privilege.
    pub fn host(&self) -> CommandLine {
        if self.nextest {
            self.finish(CommandLine::words("cargo nextest run").args(HOST_PACKAGES))
        } else {
            self.finish(CommandLine::words("cargo test --no-fail-fast --tests").args(HOST_PACKAGES))
        }
    }

    /// The laboratory's test program `group`; with `kernel` go the laboratory's own tests.
    pub fn laboratory(&self, group: &str) -> CommandLine {
        let own = group == "kernel";
        if self.nextest {
            let own = if own { " | kind(lib) | kind(bin)" } else { "" };
            let line = CommandLine::words("cargo nextest run -p isn-tests -E");
            return self.finish(line.arg(format!("binary({group}){own}")));
        }
        let mut line = CommandLine::words("cargo test --no-fail-fast -p isn-tests");
        if own {
            line = line.args(["--lib", "--bins"]);
        }
        self.finish(line.arg("--test").arg(group))
    }

    fn finish(&self, mut line: CommandLine) -> CommandLine {
        let mut args = self.args.clone();
        if self.nextest {
            if self.long {
                line = line.args(["--profile", "long", "--run-ignored", "all"]);
            }
            // A name filter is meant for one group and leaves the others empty.
            if !args.is_empty() {
                line = line.args(["--no-tests", "warn"]);
            }
        } else if self.long {
            args.insert(0, "--include-ignored".into());
        }
        if args.is_empty() {
            line
        } else {
            line.arg("--").args(args)
        }
    }
}
