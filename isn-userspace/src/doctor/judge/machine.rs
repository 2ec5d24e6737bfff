//! Kernel, BPF file system, capabilities, clock.

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use super::{
    super::{
        Check, Finding, Known,
        check::{advice, command},
    },
    known,
};
use crate::failure::Failure;

/// What is read about the machine.
#[derive(Debug)]
pub struct Machine {
    /// The kernel's release, or the refusal of `attach`.
    pub kernel: Result<String, Failure>,
    /// Whether the sorts of maps that it must have could be tried; those that it lacks are a refusal.
    pub maps_tried: bool,
    /// What it lacks of what can be done without, with what is done instead.
    pub lacking: Vec<&'static str>,
    /// Whether `/sys/kernel/btf/vmlinux` is there.
    pub btf: bool,
    /// `net.core.bpf_jit_enable`.
    pub jit: Known<u32>,
    /// `net.core.bpf_jit_harden`.
    pub hardened: Known<u32>,
    /// `/sys/kernel/security/lockdown`; `None` if the kernel has no such thing.
    pub lockdown: Known<Option<String>>,
    /// `kernel.unprivileged_bpf_disabled`.
    pub unprivileged_disabled: Known<u32>,
    /// The directory of pins.
    pub bpffs: Bpffs,
    /// The refusal of `attach`, if a capability is missing.
    pub capabilities: Result<(), Failure>,
    /// Seconds for which the machine slept since it was started.
    pub slept: u64,
}

/// What lies at the directory of pins.
#[derive(Debug)]
pub struct Bpffs {
    /// The directory.
    pub dir: PathBuf,
    /// Options of its mount, if it is in a BPF file system.
    pub mounted: Option<String>,
    /// Why `attach` could not mount one there.
    pub refused: Option<Failure>,
}

const JIT: &str = "net.core.bpf_jit_enable";
const HARDEN: &str = "net.core.bpf_jit_harden";
const UNPRIVILEGED: &str = "kernel.unprivileged_bpf_disabled";

/// All findings about the machine.
#[must_use]
pub fn judge(machine: &Machine) -> Vec<Finding> {
    vec![
        kernel(machine),
        btf(machine.btf),
        jit(&machine.jit, &machine.hardened),
        lockdown(&machine.lockdown, &machine.unprivileged_disabled),
        bpffs(&machine.bpffs),
        capabilities(&machine.capabilities),
        clock(machine.slept),
    ]
}

fn kernel(machine: &Machine) -> Finding {
    match &machine.kernel {
        Err(failure) => Check::Kernel.refused(failure),
        Ok(release) => {
            let maps = if machine.maps_tried {
                "; LRU hash maps, LPM tries and ring buffers are there"
            } else {
                "; without root its maps cannot be tried"
            };
            let lacking = machine.lacking.iter().map(|it| format!("; no {it}"));
            let lacking: String = lacking.collect();
            Check::Kernel.ok(format!("Linux {release} (uname -r){maps}{lacking}"))
        }
    }
}

fn btf(there: bool) -> Finding {
    let file = "/sys/kernel/btf/vmlinux";
    if there {
        return Check::Btf.ok(format!("{file} is there"));
    }
    Check::Btf.note(
        format!("{file} is not there: the programs do without, but tools show less of them"),
        advice("boot a kernel built with CONFIG_DEBUG_INFO_BTF, as distributions build theirs"),
    )
}

fn jit(enabled: &Known<u32>, hardened: &Known<u32>) -> Finding {
    known(Check::Jit, enabled, |enabled| {
        match (enabled, hardened) {
        (0, _) => Check::Jit.warn(
            format!("{JIT}=0: programs are interpreted, several times slower"),
            command(format!("sysctl -w {JIT}=1")),
        ),
        (_, Ok(2)) => Check::Jit.note(
            format!(
                "{JIT}={enabled}, {HARDEN}=2: constants are blinded in programs of root, too, which slows them"
            ),
            command(format!("sysctl -w {HARDEN}=1")),
        ),
        (_, Ok(hardened)) => Check::Jit.ok(format!("{JIT}={enabled}, {HARDEN}={hardened}")),
        (_, Err(_)) => Check::Jit.ok(format!("{JIT}={enabled}")),
    }
    })
}

fn lockdown(state: &Known<Option<String>>, unprivileged: &Known<u32>) -> Finding {
    let state = match state {
        Ok(Some(state)) => format!("/sys/kernel/security/lockdown: {state}"),
        Ok(None) => "the kernel has no lockdown, or securityfs is not mounted".into(),
        Err(why) => return Check::Lockdown.unknown(why),
    };
    match unprivileged {
        Ok(0) => Check::Lockdown.note(
            format!("{state}; {UNPRIVILEGED}=0: every user may load BPF programs"),
            command(format!("sysctl -w {UNPRIVILEGED}=2")),
        ),
        Ok(value) => Check::Lockdown.ok(format!("{state}; {UNPRIVILEGED}={value}")),
        Err(_) => Check::Lockdown.ok(state),
    }
}

fn bpffs(bpffs: &Bpffs) -> Finding {
    let dir = bpffs.dir.display();
    match (&bpffs.mounted, &bpffs.refused) {
        (Some(options), _) if options.split(',').any(|it| it == "ro") => Check::Bpffs.fail(
            format!("the BPF file system at {dir} is mounted read-only ({options})"),
            command(format!("mount -o remount,rw {dir}")),
        ),
        (Some(options), _) => Check::Bpffs.ok(format!(
            "{dir} is in a BPF file system (/proc/self/mountinfo: {options})"
        )),
        (None, Some(failure)) => Check::Bpffs.refused(failure),
        (None, None) => Check::Bpffs.note(
            format!("no BPF file system at {dir} (statfs): `attach` would mount one"),
            command(format!("mount -t bpf -o mode=0700 bpf {dir}")),
        ),
    }
}

fn capabilities(refused: &Result<(), Failure>) -> Finding {
    match refused {
        Ok(()) => Check::Capabilities
            .ok("this process has CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, or what implies them"),
        Err(failure) => Check::Capabilities.refused(failure),
    }
}

/// Flows age by the monotonic clock, which stands still while the machine sleeps.
fn clock(slept: u64) -> Finding {
    if slept < 2 {
        return Check::Clock
            .ok("CLOCK_BOOTTIME and CLOCK_MONOTONIC agree: the machine has not slept");
    }
    Check::Clock.note(
        format!(
            "the machine slept {slept} s since it was started (CLOCK_BOOTTIME - CLOCK_MONOTONIC): flows did not age \
             meanwhile"
        ),
        advice("a gateway should not sleep: mask sleep.target, or switch suspension off in the firmware"),
    )
}
