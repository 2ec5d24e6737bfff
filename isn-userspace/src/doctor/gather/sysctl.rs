//! Settings below `/proc/sys`. Those of `net` are the network namespace's of the thread that reads.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    thread,
};

use nix::sched::{CloneFlags, setns};

use super::super::Known;

/// A number, or why it is not known.
pub fn number(key: &str) -> Known<u32> {
    read(key)
        .map_err(|error| format!("{} cannot be read: {error}", key.replace('/', ".")))
        .and_then(|text| parsed(key, &text))
}

/// The same; `None` where the kernel has no such setting.
pub fn if_there(key: &str) -> Known<Option<u32>> {
    match read(key) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{} cannot be read: {error}", key.replace('/', "."))),
        Ok(text) => parsed(key, &text).map(Some),
    }
}

/// A number that only the machine's first network namespace shows.
pub fn of_machine(key: &str) -> Known<u32> {
    match read(key) {
        Err(error) if error.kind() == ErrorKind::NotFound => in_first_namespace(|| number(key))
            .map_err(|error| {
                format!(
                    "{} is only to be seen in the first network namespace, which cannot be entered: {error}",
                    key.replace('/', ".")
                )
            })?,
        _ => number(key),
    }
}

fn read(key: &str) -> io::Result<String> {
    fs::read_to_string(format!("/proc/sys/{key}"))
}

fn parsed(key: &str, text: &str) -> Known<u32> {
    let text = text.trim();
    text.parse()
        .map_err(|_| format!("{} is no number: {text:?}", key.replace('/', ".")))
}

/// Runs `work` on a thread of its own there, so that this one stays where it is.
fn in_first_namespace<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let first = File::open("/proc/1/ns/net")?;
    let entered = move || {
        setns(&first, CloneFlags::CLONE_NEWNET)?;
        Ok(work())
    };
    thread::scope(|scope| {
        let joined = scope.spawn(entered).join();
        joined.unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read_and_what_is_not_says_its_name() {
        assert!(number("kernel/pid_max").unwrap() > 300);
        assert_eq!(if_there("kernel/no_such_setting"), Ok(None));
        let why = number("kernel/no_such_setting").unwrap_err();
        assert!(why.contains("kernel.no_such_setting"), "{why}");
        assert!(number("kernel/ostype").unwrap_err().contains("no number"));
    }
}
