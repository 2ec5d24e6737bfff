//! An XDP program that lets everything pass, at the end of a line: a veth takes frames that XDP redirects to it only if its other end
//! has a program.

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result};
use nix::net::if_::if_nametoindex;

use crate::namespace::Namespace;

const PROG_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_TYPE_XDP: u32 = 37;
const NATIVE: u32 = 1 << 2;
/// `r0 = 2` (`XDP_PASS`), `exit`.
const INSTRUCTIONS: [u64; 2] = [0x0000_0002_0000_00b7, 0x0000_0000_0000_0095];

/// `union bpf_attr` as `BPF_PROG_LOAD` reads it, as far as it is needed.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    rest: [u64; 12],
}

/// The same for `BPF_LINK_CREATE`.
#[repr(C)]
#[derive(Default)]
struct Create {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
    rest: [u64; 6],
}

/// The program on one interface; it goes with this value.
#[derive(Debug)]
pub struct Passing(#[expect(dead_code, reason = "held, not used")] OwnedFd);

impl Passing {
    /// Attaches it to `interface` in `namespace`. Frames are not merged there, so that captures show them as they were sent.
    pub fn attach(namespace: &Namespace, interface: &str) -> Result<Self> {
        let link = namespace.enter(|| attach_here(interface));
        let link = link.with_context(|| {
            format!(
                "cannot attach XDP_PASS to {interface} in {}",
                namespace.name()
            )
        })?;
        namespace.run("ethtool", &["-K", interface, "gro", "off"])?;
        Ok(Self(link))
    }
}

fn attach_here(interface: &str) -> Result<OwnedFd> {
    let mut load = Load {
        kind: PROG_TYPE_XDP,
        count: u32::try_from(INSTRUCTIONS.len())?,
        instructions: INSTRUCTIONS.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        ..Load::default()
    };
    let program = bpf(PROG_LOAD, &mut load)?;
    let mut create = Create {
        program: u32::try_from(std::os::fd::AsRawFd::as_raw_fd(&program))?,
        interface: if_nametoindex(interface)?,
        attach_type: ATTACH_TYPE_XDP,
        flags: NATIVE,
        ..Create::default()
    };
    Ok(bpf(LINK_CREATE, &mut create)?)
}

fn bpf<A>(command: libc::c_int, attributes: &mut A) -> io::Result<OwnedFd> {
    let size = size_of::<A>();
    // SAFETY: `attributes` is what this command reads, of this size; what its pointers lead to is static.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size) };
    let fd = i32::try_from(result).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
