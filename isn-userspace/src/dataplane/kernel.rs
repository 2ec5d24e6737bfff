//! Whether the kernel has what the programs need.

use aya::{
    maps::MapType,
    programs::ProgramType,
    sys::{BpfHelper, is_helper_supported, is_map_supported},
};
use nix::sys::utsname::uname;

use crate::failure::{Explain as _, Failure};

/// The oldest release that is supported.
const OLDEST: (u32, u32) = (6, 1);
/// Sorts of maps that there is no doing without.
const MAPS: [(MapType, &str); 3] = [
    (MapType::LruHash, "LRU hash maps"),
    (MapType::LpmTrie, "maps of prefixes (LPM tries)"),
    (MapType::RingBuf, "ring buffers"),
];

/// The release as `uname -r` says it.
pub fn release() -> Result<String, Failure> {
    let name = uname().explain("cannot tell the kernel's release", "see `uname -r`")?;
    Ok(name.release().to_string_lossy().into_owned())
}

/// Refuses a kernel that cannot run the programs; gives its release.
pub fn check() -> Result<String, Failure> {
    let release = release()?;
    judged(&release, || {
        is_helper_supported(ProgramType::Xdp, BpfHelper::BPF_FUNC_xdp_load_bytes).ok()
    })?;
    match missing_maps() {
        Some(missing) if !missing.is_empty() => Err(without(&release, &missing)),
        _ => Ok(release),
    }
}

/// Sorts of maps that the kernel does not have; `None` if this process may not try.
#[must_use]
pub fn missing_maps() -> Option<Vec<&'static str>> {
    let mut missing = Vec::new();
    for (kind, name) in MAPS {
        if !is_map_supported(kind).ok()? {
            missing.push(name);
        }
    }
    Some(missing)
}

fn without(release: &str, missing: &[&str]) -> Failure {
    Failure::new(
        CANNOT,
        format!("Linux {release} has no {}", missing.join(" and no ")),
        "boot a kernel with CONFIG_BPF_SYSCALL, Linux 6.1 or later",
    )
}

const CANNOT: &str = "cannot run on this kernel";

/// An older number is no proof: vendors put newer BPF into old releases. `bpf_xdp_load_bytes` came with frames in several
/// buffers, the youngest thing that the programs cannot do without.
fn judged(release: &str, has_buffers: impl FnOnce() -> Option<bool>) -> Result<(), Failure> {
    let is_new = version(release).is_none_or(|version| version >= OLDEST);
    if is_new || has_buffers() != Some(false) {
        return Ok(());
    }
    let (major, minor) = OLDEST;
    Err(Failure::new(
        CANNOT,
        format!("Linux {release} is too old: it has no XDP for frames in several buffers"),
        format!("boot Linux {major}.{minor} or later"),
    ))
}

/// Major and minor number.
#[must_use]
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|it: char| !it.is_ascii_digit());
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_every_sort_are_understood() {
        assert_eq!(version("6.18.44-fc"), Some((6, 18)));
        assert_eq!(version("5.10.0-35-amd64"), Some((5, 10)));
        assert_eq!(version("7.0"), Some((7, 0)));
        assert_eq!(version("six"), None);
    }

    #[test]
    fn an_old_kernel_is_refused_unless_its_vendor_has_made_it_new() {
        let old = judged("5.10.0-35-amd64", || Some(false)).unwrap_err();
        assert!(old.to_string().contains("5.10.0-35-amd64 is too old"));
        assert!(old.remedy().contains("6.1 or later"));
        assert!(judged("5.14.0-503.el9", || Some(true)).is_ok());
        assert!(judged("5.14.0-503.el9", || None).is_ok());
        assert!(judged("6.1.0", || panic!("not asked")).is_ok());
        let bare = without("6.1.0", &["LRU hash maps", "ring buffers"]);
        assert!(
            bare.to_string()
                .ends_with("has no LRU hash maps and no ring buffers")
        );
    }
}
