//! Facts about forwarding in XDP: whether interfaces can, and what packets would go past.

use std::collections::BTreeMap;

use super::{
    super::{
        Known,
        judge::forward::{Device, Forward},
    },
    ethtool::Ethtool,
    features, firewall, sysctl,
};
use crate::dataplane::{
    interfaces::Interface,
    netlink::{Netlink, Way},
    programs,
};

/// Reads everything; programs with these numbers are the instance's own.
#[must_use]
pub fn forward(
    sides: &[&Interface],
    all: &[Interface],
    own: &[u32],
    netlink: &mut Netlink,
) -> Forward {
    Forward {
        devices: sides.iter().map(|it| device(it, all)).collect(),
        ruleset: firewall::ruleset(),
        marks: netlink
            .rules_by_mark()
            .map_err(|error| format!("the rules of routing cannot be listed: {error}")),
        queues: queues(sides, netlink),
        programs: programs(sides, own, netlink),
        ipsec: firewall::ipsec(),
    }
}

fn device(interface: &Interface, all: &[Interface]) -> Device {
    let name = &interface.name;
    let forwards = |family| sysctl::number(&format!("net/{family}/conf/{name}/forwarding"));
    let controller = interface.controller.map(|index| {
        let found = all.iter().find(|it| it.index == index);
        found.map_or_else(|| format!("#{index}"), |it| it.name.clone())
    });
    Device {
        name: name.clone(),
        kind: interface.kind.clone(),
        forwards_v4: forwards("ipv4"),
        forwards_v6: forwards("ipv6"),
        xdp: features::of(interface.index),
        offloads: Ethtool::new(name).and_then(|it| it.offloads()),
        controller,
        has_address: interface.address != [0; 6],
    }
}

fn queues(sides: &[&Interface], netlink: &mut Netlink) -> Known<Vec<(String, String)>> {
    let kinds: BTreeMap<u32, Vec<String>> = netlink
        .queueing()
        .map_err(|error| format!("the queueing disciplines cannot be listed: {error}"))?;
    let found = sides.iter().flat_map(|it| {
        let kinds = kinds.get(&it.index).cloned().unwrap_or_default();
        kinds.into_iter().map(|kind| (it.name.clone(), kind))
    });
    Ok(found.collect())
}

/// Programs of others at TC, where packets arrive or leave.
fn programs(sides: &[&Interface], own: &[u32], netlink: &mut Netlink) -> Known<Vec<String>> {
    let mut found = Vec::new();
    for interface in sides {
        let mut ids = super::interface::at_tcx(&interface.name)?;
        for way in [Way::Ingress, Way::Egress] {
            let filters = netlink
                .filters(interface.index, way)
                .map_err(|error| format!("the filters of tc cannot be listed: {error}"))?;
            ids.extend(filters.iter().filter_map(|it| it.program));
            let others = filters.iter().filter(|it| it.program.is_none()).count();
            if others > 0 {
                found.push(format!("{others} tc filters of `{}`", interface.name));
            }
        }
        ids.retain(|id| !own.contains(id));
        let named = ids.iter().map(|id| {
            format!(
                "tc program {} of `{}`",
                programs::described(*id),
                interface.name
            )
        });
        found.extend(named);
    }
    Ok(found)
}
