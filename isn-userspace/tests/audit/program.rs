//! The built program, run from outside.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};

use serde_json::Value;

/// What a run of the program gave.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn json(&self) -> Value {
        assert_eq!(
            self.out.find('\n'),
            Some(self.out.len() - 1),
            "one line: {}",
            self.out
        );
        serde_json::from_str(&self.out).unwrap()
    }

    /// The error as the operator reads it: what, why, and what to do.
    pub fn refused(&self, why: &str, remedy: &str) {
        assert_eq!((self.code, self.out.as_str()), (1, ""), "{}", self.err);
        let lines: Vec<&str> = self.err.lines().collect();
        assert_eq!(lines.len(), 2, "{}", self.err);
        assert!(lines[0].starts_with("isnguard: cannot "), "{}", self.err);
        assert!(lines[0].contains(why), "{}", self.err);
        assert!(lines[1].starts_with("  what to do: "), "{}", self.err);
        assert!(lines[1].contains(remedy), "{}", self.err);
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it was killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// `isnguard audit FILE ARGUMENTS`.
pub fn audit(file: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isnguard"));
    command.arg("audit").arg(file).args(arguments);
    command.output().unwrap().into()
}

/// The same of a capture on standard input.
pub fn audit_input(capture: &[u8], arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isnguard"));
    command.args(["audit", "-"]).args(arguments);
    feed(command, capture)
}

/// Runs a program that reads `capture`.
pub fn feed(mut command: Command, capture: &[u8]) -> Run {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped.stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        // One that refuses the capture does not read it to its end.
        scope.spawn(move || drop(input.write_all(capture)));
        child.wait_with_output().unwrap()
    });
    output.into()
}
