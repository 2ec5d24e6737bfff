//! Threads that stand for wires and devices: they must do things in time, however busy the machine that they run on.

/// Lets this thread run whenever it can.
pub(crate) fn before_all_others() {
    let lowest = libc::sched_param { sched_priority: 1 };
    // SAFETY: the call reads one live structure and concerns the calling thread alone.
    let refused = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const lowest) };
    if refused != 0 {
        let error = nix::Error::last();
        eprintln!("this thread must share the processor, and its delays will vary: {error}");
    }
}
