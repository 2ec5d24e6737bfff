//! Network namespaces: interface indices mean something only in the namespace they come from.

use std::{fs, os::unix::fs::MetadataExt as _};

use crate::failure::{Explain as _, Failure};

/// Inode number of the network namespace that this thread is in.
pub fn current() -> Result<u64, Failure> {
    let file = "/proc/thread-self/ns/net";
    fs::metadata(file).map(|metadata| metadata.ino()).explain(
        format!("cannot tell this network namespace from {file}"),
        "mount /proc",
    )
}
