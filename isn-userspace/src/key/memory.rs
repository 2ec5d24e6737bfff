//! What a process that has seen a key must not leave behind.

use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
};

/// From here on this process leaves no core dump, and nobody but the superuser may look into its memory.
pub fn keep_out_of_dumps() {
    let limited = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    // The limit alone does not hold where the kernel hands dumps to a program.
    if let Err(error) = limited.and(prctl::set_dumpable(false)) {
        tracing::warn!("a core dump of this process could have the key in it: {error}");
    }
}
