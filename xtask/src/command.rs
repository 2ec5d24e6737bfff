//! A command line as a value: it can be compared in a test, shown to a person, and run.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::PathBuf,
};

/// A program, its arguments and the environment variables set for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandLine {
    pub program: OsString,
    pub args: Vec<OsString>,
    pub env: Vec<(&'static str, OsString)>,
    /// Where it runs, if not in the workspace.
    pub dir: Option<PathBuf>,
}

impl CommandLine {
    /// `program` with no argument yet.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
        }
    }

    /// `line` split at white space, so nothing in it may contain any.
    pub fn words(line: &str) -> Self {
        let mut words = line.split_whitespace();
        Self::new(words.next().unwrap_or_default()).args(words)
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds several arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable for this command.
    pub fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Runs it in another directory than the workspace.
    pub fn within(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// The same command as root by way of `sudo`, which hands no variables on.
    pub fn through_sudo(self) -> Self {
        let mut sudo = Self::new("sudo");
        if !self.env.is_empty() {
            sudo = sudo.arg("env");
        }
        for (name, value) in self.env {
            let mut assignment = OsString::from(name);
            assignment.push("=");
            assignment.push(value);
            sudo = sudo.arg(assignment);
        }
        sudo.arg(self.program).args(self.args)
    }
}

/// As one would type it in a shell.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(value))?;
        }
        write!(f, "{}", quoted(&self.program))?;
        self.args
            .iter()
            .try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_typed_in_a_shell() {
        let line = CommandLine::words("cargo nextest run -E")
            .arg("binary(net)")
            .env("ISNGUARD_BIN", "/a b/isnguard");
        assert_eq!(
            line.to_string(),
            "ISNGUARD_BIN='/a b/isnguard' cargo nextest run -E 'binary(net)'"
        );
    }

    #[test]
    fn quotes_and_empty_words_survive_a_shell() {
        assert_eq!(
            CommandLine::new("echo").arg("it's").arg("").to_string(),
            r"echo 'it'\''s' ''"
        );
    }

    #[test]
    fn sudo_keeps_the_environment() {
        let line = CommandLine::words("apt-get update").env("DEBIAN_FRONTEND", "noninteractive");
        assert_eq!(
            line.through_sudo().to_string(),
            "sudo env DEBIAN_FRONTEND=noninteractive apt-get update"
        );
        assert_eq!(
            CommandLine::words("apt-get update")
                .through_sudo()
                .to_string(),
            "sudo apt-get update"
        );
    }
}
