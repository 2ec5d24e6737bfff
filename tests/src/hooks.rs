//! What sits at the hooks of an interface: never more than one program of isnguard at each.

use anyhow::{Result, ensure};
use aya::programs::{SchedClassifier, TcAttachType};

use crate::{setup::Hook, topology::Lab};

/// How many BPF programs sit at each hook of an interface of the gateway: arriving at XDP, arriving at TC, leaving at TC.
pub fn programs_at(lab: &Lab, interface: &str) -> Result<[usize; 3]> {
    let shown = ["-d", "link", "show", "dev", interface];
    let at_xdp = lab.gateway.run("ip", &shown)?.matches("prog/xdp").count();
    let at_tc = |way, name| -> Result<usize> {
        let query =
            || SchedClassifier::query_tcx(interface, way).map(|(_, programs)| programs.len());
        let shown = ["filter", "show", "dev", interface, name];
        let filters = lab.gateway.run("tc", &shown)?;
        Ok(lab.gateway.enter(query)? + filters.matches(" handle 0x").count())
    };
    Ok([
        at_xdp,
        at_tc(TcAttachType::Ingress, "ingress")?,
        at_tc(TcAttachType::Egress, "egress")?,
    ])
}

/// Fails unless exactly one program takes what arrives and one what leaves.
pub fn ensure_single(lab: &Lab, interface: &str, hook: Hook) -> Result<()> {
    let wanted = match hook {
        Hook::Tc => [0, 1, 1],
        _ => [1, 0, 1],
    };
    let there = programs_at(lab, interface)?;
    ensure!(there == wanted, "at XDP, TC in, TC out: {there:?}");
    Ok(())
}
