//! Facts about kernel, BPF file system, capabilities and clock.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use aya::programs::{SchedClassifier, TcAttachType};
use nix::time::{ClockId, clock_gettime};

use super::{
    super::{
        Known,
        judge::machine::{Bpffs, Machine},
    },
    sysctl,
};
use crate::dataplane::{bpffs, kernel, privileges};

/// Reads them; `dir` is where pins live.
#[must_use]
pub fn machine(dir: &Path) -> Machine {
    let kernel = kernel::check();
    let lacking = kernel
        .as_ref()
        .map_or_else(|_| Vec::new(), |it| lacking(it));
    Machine {
        kernel,
        lacking,
        maps_tried: kernel::missing_maps().is_some(),
        btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
        jit: sysctl::of_machine("net/core/bpf_jit_enable"),
        hardened: sysctl::of_machine("net/core/bpf_jit_harden"),
        lockdown: lockdown(),
        unprivileged_disabled: sysctl::number("kernel/unprivileged_bpf_disabled"),
        bpffs: bpffs_at(dir),
        capabilities: privileges::check(&privileges::TO_ATTACH),
        slept: slept(),
    }
}

/// By what the kernel does where this process may ask, else by its release.
fn lacking(release: &str) -> Vec<&'static str> {
    let is_before = |wanted| kernel::version(release).is_some_and(|it| it < wanted);
    let mut lacking = Vec::new();
    let has_tcx = SchedClassifier::query_tcx("lo", TcAttachType::Ingress).is_ok();
    if !has_tcx && is_before((6, 6)) {
        lacking.push("TCX (clsact filters are used instead)");
    }
    if is_before((6, 3)) {
        lacking.push("word of what drivers do with XDP (it is tried instead)");
    }
    lacking
}

fn lockdown() -> Known<Option<String>> {
    let file = "/sys/kernel/security/lockdown";
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{file} cannot be read: {error}")),
    }
}

fn bpffs_at(dir: &Path) -> Bpffs {
    let is_bpffs = bpffs::is_bpffs(dir);
    Bpffs {
        dir: dir.to_owned(),
        mounted: is_bpffs.then(|| options(dir).unwrap_or_else(|| "options not to be seen".into())),
        refused: if is_bpffs || !dir.exists() {
            None
        } else {
            bpffs::refuse_to_hide(dir).err()
        },
    }
}

/// Options of the mount that `dir` lies in.
fn options(dir: &Path) -> Option<String> {
    let dir = fs::canonicalize(dir).ok()?;
    mount_options(&fs::read_to_string("/proc/self/mountinfo").ok()?, &dir)
}

/// Lines like `43 23 0:39 / /sys/fs/bpf rw,relatime - bpf bpf rw,mode=700`; the last of the longest mount points counts.
fn mount_options(mounts: &str, dir: &Path) -> Option<String> {
    let mut best: Option<(PathBuf, String)> = None;
    for line in mounts.lines() {
        let Some((mount, source)) = line.split_once(" - ") else {
            continue;
        };
        let fields: Vec<&str> = mount.split(' ').collect();
        let (Some(point), Some(own)) = (fields.get(4), fields.get(5)) else {
            continue;
        };
        let of_file_system = source.split(' ').nth(2).unwrap_or_default();
        let longer = best
            .as_ref()
            .is_none_or(|(it, _)| Path::new(point).as_os_str().len() >= it.as_os_str().len());
        if dir.starts_with(point) && longer {
            best = Some((point.into(), format!("{own},{of_file_system}")));
        }
    }
    best.map(|(_, options)| options)
}

fn slept() -> u64 {
    let seconds = |clock| clock_gettime(clock).map_or(0, |it| it.tv_sec());
    let slept = seconds(ClockId::CLOCK_BOOTTIME) - seconds(ClockId::CLOCK_MONOTONIC);
    u64::try_from(slept).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_counts() {
        let mounts = "20 1 0:18 / / rw - ext4 /dev/a rw\n\
                      43 23 0:39 / /sys/fs/bpf rw,relatime - bpf bpf rw,mode=700\n\
                      44 43 0:40 / /sys/fs/bpf ro,nosuid - bpf bpf rw\n";
        let of = |dir: &str| mount_options(mounts, Path::new(dir));
        assert_eq!(of("/sys/fs/bpf/isnguard").as_deref(), Some("ro,nosuid,rw"));
        assert_eq!(of("/home").as_deref(), Some("rw,rw"));
    }

    #[test]
    fn facts_of_this_machine_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let machine = machine(dir.path());
        assert!(machine.kernel.is_ok());
        assert_eq!(machine.bpffs.mounted, None);
        assert!(machine.bpffs.refused.is_none());
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(bpffs_at(dir.path()).refused.is_some());
    }
}
