//! What a pin holds, as the kernel tells: a map, a program or a link, and of a link where it sits.
//!
//! Everything is read through one descriptor, so that nobody can exchange the pin in between.

use std::{
    ffi::CString,
    fs, io,
    os::{
        fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use aya::{maps::MapData, programs::ProgramInfo};
use nix::libc;

/// `BPF_OBJ_GET` of `linux/bpf.h`.
const OBJ_GET: libc::c_long = 7;

/// The part of `union bpf_attr` that `BPF_OBJ_GET` reads.
#[repr(C)]
struct ObjGet {
    path: u64,
    descriptor: u32,
    flags: u32,
}

/// What lies behind a pin.
#[derive(Debug)]
pub enum Object {
    /// A map.
    Map(MapData),
    /// A program.
    Program(Box<ProgramInfo>),
    /// A link.
    Link(Link),
    /// Something else, as the kernel calls it.
    Other(String),
}

/// A link: its type, its program and its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its type, `xdp` or `tcx` where it is one of ours.
    pub kind: String,
    /// Identifier of its program.
    pub program: u32,
    /// Index of its interface; 0 once the interface is gone or somebody has detached it.
    pub ifindex: u32,
    /// `BPF_TCX_INGRESS` or `BPF_TCX_EGRESS`, where it is a TCX link.
    pub attach_type: Option<u32>,
}

impl Object {
    /// Opens a pin.
    pub fn open(path: &Path) -> io::Result<Self> {
        let descriptor = get(path)?;
        let number = descriptor.as_raw_fd();
        let called = fs::read_link(format!("/proc/self/fd/{number}"))?;
        let called = called.to_string_lossy().replace("anon_inode:", "");
        Ok(match called.trim_matches(['[', ']']) {
            "bpf-map" => Self::Map(MapData::from_fd(descriptor).map_err(io::Error::other)?),
            "bpf-prog" => Self::Program(Box::new(
                ProgramInfo::from_pin(path).map_err(io::Error::other)?,
            )),
            "bpf_link" | "bpf-link" => {
                let told = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))?;
                Self::Link(Link::parse(&told))
            }
            other => Self::Other(other.to_owned()),
        })
    }

    /// In words.
    #[must_use]
    pub fn described(&self) -> String {
        match self {
            Self::Map(_) => "a map".into(),
            Self::Program(_) => "a program".into(),
            Self::Link(link) => format!("a link of type {}", link.kind),
            Self::Other(other) => format!("`{other}`"),
        }
    }
}

impl Link {
    /// Reads lines like `ifindex: 5`; what an older kernel does not tell stays as in the default.
    fn parse(told: &str) -> Self {
        let value = |key: &str| {
            let mut lines = told.lines().filter_map(|line| line.split_once(':'));
            let found = lines.find(|(name, _)| *name == key);
            found.map_or("", |(_, value)| value.trim())
        };
        let number = |key| value(key).split(' ').next().and_then(|it| it.parse().ok());
        Self {
            kind: value("link_type").into(),
            program: number("prog_id").unwrap_or(0),
            ifindex: number("ifindex").unwrap_or(0),
            attach_type: number("attach_type"),
        }
    }
}

fn get(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = ObjGet {
        path: path.as_ptr().addr() as u64,
        descriptor: 0,
        flags: 0,
    };
    // SAFETY: the kernel reads `size_of::<ObjGet>()` octets of a live structure, and the string that it
    // points to, which lives as long.
    let opened = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            OBJ_GET,
            &raw mut attributes,
            size_of::<ObjGet>(),
        )
    };
    let opened = i32::try_from(opened).map_err(io::Error::other)?;
    if opened < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for this call; nobody else has it.
    let descriptor = unsafe { OwnedFd::from_raw_fd(opened) };
    // The kernel sets it for BPF objects anyway; a copy has it in any case.
    descriptor.as_fd().try_clone_to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_of_a_link_is_understood() {
        let told = "pos:\t0\nflags:\t02000002\nlink_type:\ttcx\nlink_id:\t9\nprog_tag:\t6d\n\
                    prog_id:\t77\nifindex:\t5\nattach_type:\t47 (egress)\n";
        let link = Link {
            kind: "tcx".into(),
            program: 77,
            ifindex: 5,
            attach_type: Some(47),
        };
        assert_eq!(Link::parse(told), link);
        assert_eq!(Link::parse(""), Link::default());
    }
}
