//! Why a program did not get its seat, from what the kernel says.

use std::{fmt::Display, io};

use aya::programs::{ProgramError, XdpError, tc::TcError};
use nix::libc;

use super::{hook::Hook, interfaces::Interface, programs};
use crate::failure::{Failure, chained};

/// Why a program is not in its seat.
#[derive(Debug)]
pub enum NotAttached {
    /// The driver or the kernel does not offer this kind of seat on this interface.
    NotOffered(io::Error),
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for NotAttached {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What was tried, in words.
pub fn cannot(interface: &Interface) -> String {
    format!("cannot attach to `{}`", interface.name)
}

/// Refuses an interface that has an XDP program already, and names that program.
pub fn refuse_if_taken(interface: &Interface) -> Result<(), Failure> {
    if interface.xdp_programs.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = interface
        .xdp_programs
        .iter()
        .map(|id| programs::described(*id))
        .collect();
    Err(taken(interface, names.join(" and ")))
}

/// The refusal of an interface that has an XDP program of somebody else.
pub fn taken(interface: &Interface, by: impl Display) -> Failure {
    Failure::new(
        cannot(interface),
        format!("it is taken by XDP program {by}"),
        format!(
            "take that program away (ip link set dev {} xdp off, or its own tool), or attach beside \
             it with --hook tc",
            interface.name
        ),
    )
}

/// What an error of attaching means.
pub fn not_attached(interface: &Interface, error: &ProgramError) -> NotAttached {
    match errno(error) {
        Some(libc::EBUSY | libc::EEXIST) => {
            NotAttached::Failed(taken(interface, "that came in between"))
        }
        Some(libc::EPERM | libc::EACCES) => NotAttached::Failed(Failure::new(
            cannot(interface),
            chained(error),
            "run it as root, or with CAP_BPF and CAP_NET_ADMIN",
        )),
        Some(code) => NotAttached::NotOffered(io::Error::from_raw_os_error(code)),
        None => NotAttached::NotOffered(io::Error::other(chained(error))),
    }
}

/// The hook that was asked for is not to be had.
pub fn driver_refused(interface: &str, hook: Hook, why: &impl Display) -> Failure {
    Failure::new(
        format!("cannot attach to `{interface}` with --hook {}", hook.name()),
        format!("the driver refused it: {why}"),
        "use --hook auto or --hook tc; or see whether the MTU is too large for XDP, or large \
         receive offload is on (ethtool -k)",
    )
}

/// What an error of adding a clsact filter means.
pub fn filter_refused(interface: &Interface, error: &ProgramError) -> Failure {
    let why = match errno(error) {
        Some(libc::EEXIST) => "another instance has its clsact filter there".to_owned(),
        _ => chained(error),
    };
    Failure::new(
        cannot(interface),
        why,
        format!(
            "see `tc filter show dev {} ingress` and `egress`; detach the other instance, or use \
             --tc-flavour tcx",
            interface.name
        ),
    )
}

fn errno(error: &ProgramError) -> Option<i32> {
    match error {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        ProgramError::XdpError(XdpError::NetlinkError(error))
        | ProgramError::TcError(TcError::NetlinkError(error))
        | ProgramError::NetlinkError(error) => error.raw_os_error(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use aya::sys::SyscallError;

    use super::*;
    use crate::dataplane::interfaces::tests::interface;

    fn failed_with(code: i32) -> NotAttached {
        let io_error = io::Error::from_raw_os_error(code);
        let error = ProgramError::SyscallError(SyscallError {
            call: "bpf_link_create",
            io_error,
        });
        not_attached(&interface("eth1", 3), &error)
    }

    #[test]
    fn what_the_driver_does_not_offer_is_told_from_what_fails() {
        assert!(matches!(
            failed_with(libc::EOPNOTSUPP),
            NotAttached::NotOffered(_)
        ));
        assert!(matches!(
            failed_with(libc::EINVAL),
            NotAttached::NotOffered(_)
        ));
        let NotAttached::Failed(busy) = failed_with(libc::EBUSY) else {
            panic!()
        };
        assert!(busy.to_string().contains("taken by XDP program"), "{busy}");
        let NotAttached::Failed(denied) = failed_with(libc::EPERM) else {
            panic!()
        };
        assert!(denied.remedy().contains("CAP_NET_ADMIN"));
    }

    #[test]
    fn an_interface_that_is_taken_is_refused_with_the_program_named() {
        let taken = Interface {
            xdp_programs: vec![0xffff_fff0],
            ..interface("eth1", 3)
        };
        let failure = refuse_if_taken(&taken).unwrap_err();
        assert!(failure.to_string().contains("id 4294967280"), "{failure}");
        assert!(failure.remedy().contains("ip link set dev eth1 xdp off"));
        assert!(refuse_if_taken(&interface("eth1", 3)).is_ok());
    }
}
