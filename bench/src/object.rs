//! The benchmark's own BPF programs.

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    programs::{SchedClassifier, TcAttachType, Xdp, XdpMode, tc},
};
use isn_tests::namespace::Namespace;

/// As an object file, to be loaded as often as somebody needs maps of his own.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/isn-bench-ebpf"));

/// One of its programs for XDP, in the kernel.
pub fn loaded<'a>(bench: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    let program = bench
        .program_mut(name)
        .with_context(|| format!("no program {name}"))?;
    let program: &mut Xdp = program.try_into()?;
    if program.fd().is_err() {
        program
            .load()
            .with_context(|| format!("the kernel refuses {name}"))?;
    }
    Ok(program)
}

/// Puts one of them, native, at an interface in a namespace; it goes with the object.
pub fn attach(bench: &mut Ebpf, name: &str, namespace: &Namespace, interface: &str) -> Result<()> {
    let program = loaded(bench, name)?;
    namespace
        .enter(|| program.attach(interface, XdpMode::Driver))
        .map(drop)
        .with_context(|| format!("cannot attach {name} to {interface}"))
}

/// The same where arriving packets pass TC.
pub fn attach_tc(
    bench: &mut Ebpf,
    name: &str,
    namespace: &Namespace,
    interface: &str,
) -> Result<()> {
    let program = bench
        .program_mut(name)
        .with_context(|| format!("no program {name}"))?;
    let program: &mut SchedClassifier = program.try_into()?;
    program
        .load()
        .with_context(|| format!("the kernel refuses {name}"))?;
    let attach = || {
        // Needed before Linux 6.6 alone, and there already if something else needed it.
        let _ = tc::qdisc_add_clsact(interface);
        program.attach(interface, TcAttachType::Ingress)
    };
    namespace
        .enter(attach)
        .map(drop)
        .with_context(|| format!("cannot attach {name} to {interface}"))
}
