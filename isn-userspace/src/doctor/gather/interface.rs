//! Facts about an interface and what sits on it.

use std::{
    cell::OnceCell,
    io,
    path::{Path, PathBuf},
};

use aya::programs::{ProgramError, ProgramInfo, SchedClassifier, TcAttachType};

use super::{
    super::{
        Known,
        judge::interface::{Device, Other, Seated},
    },
    ethtool::Ethtool,
    features,
    owners::Owners,
};
use crate::{
    dataplane::{
        Status,
        hook::JOINS,
        interfaces::Interface,
        netlink::{Netlink, Way},
        programs,
    },
    settings::{HookChoice, Placed},
};

/// Kinds of interfaces that lie on another one of the same namespace.
const ON_ANOTHER: [&str; 4] = ["vlan", "macvlan", "ipvlan", "macsec"];

/// What interfaces are seen against.
pub struct Surroundings<'a> {
    /// All interfaces.
    pub interfaces: &'a [Interface],
    /// The instance, if it is attached.
    pub status: Option<&'a Status>,
    /// The hook that is asked for.
    pub hook: HookChoice,
    /// Where pins are looked for.
    pub bpffs: &'a Path,
    /// Who owns which program; looked up when it is first asked for.
    pub owners: OnceCell<Owners>,
}

/// Reads everything about an interface.
#[must_use]
pub fn device(
    around: &Surroundings<'_>,
    netlink: &mut Netlink,
    interface: &Interface,
    placed: &Placed,
) -> Device {
    let ethtool = Ethtool::new(&interface.name);
    let ask = |question: fn(&Ethtool) -> Known<String>| {
        ethtool.as_ref().map_err(Clone::clone).and_then(question)
    };
    Device {
        placement: placed.placement,
        hook: around.seated(interface),
        driver: ask(Ethtool::driver),
        queues: ethtool
            .as_ref()
            .map_err(Clone::clone)
            .and_then(Ethtool::queues),
        offloads: ethtool
            .as_ref()
            .map_err(Clone::clone)
            .and_then(Ethtool::offloads),
        xdp: features::of(interface.index),
        controller: around.controller(interface),
        uppers: around.uppers(interface),
        others: around.others(netlink, interface),
        interface: interface.clone(),
    }
}

/// Whether segments come joined to an interface, as far as it can be told.
#[must_use]
pub fn joins(interface: &str) -> bool {
    let offloads = Ethtool::new(interface).and_then(|it| it.offloads());
    offloads.is_ok_and(|on| on.iter().any(|it| it == JOINS))
}

impl Surroundings<'_> {
    fn seated(&self, interface: &Interface) -> Seated {
        let attached = self.status.into_iter().flat_map(|it| &it.attached);
        let mut here = attached.filter(|it| it.ifindex == interface.index);
        let seated = here.find_map(|it| it.hook.map(|hook| (hook, it.reason.clone())));
        match seated {
            Some((hook, reason)) => Seated::Attached(hook, reason),
            None => Seated::Asked(self.hook),
        }
    }

    fn named(interface: &Interface) -> (String, String) {
        let kind = interface.kind.clone().unwrap_or_else(|| "interface".into());
        (interface.name.clone(), kind)
    }

    fn controller(&self, interface: &Interface) -> Option<(String, String)> {
        let index = interface.controller?;
        let controller = self.interfaces.iter().find(|it| it.index == index);
        Some(controller.map_or_else(|| (format!("#{index}"), "interface".into()), Self::named))
    }

    fn uppers(&self, interface: &Interface) -> Vec<(String, String)> {
        let on_it = self.interfaces.iter().filter(|it| {
            it.lower == Some(interface.index)
                && it
                    .kind
                    .as_deref()
                    .is_some_and(|kind| ON_ANOTHER.contains(&kind))
        });
        on_it.map(Self::named).collect()
    }

    /// Programs at any hook of an interface that are not this instance's.
    fn others(&self, netlink: &mut Netlink, interface: &Interface) -> Known<Vec<Other>> {
        let own: Vec<u32> = self
            .status
            .into_iter()
            .flat_map(|it| &it.attached)
            .flat_map(|it| [it.ingress_program, it.egress_program])
            .flatten()
            .collect();
        let mut found: Vec<(&str, bool, u32, String)> = Vec::new();
        for id in &interface.xdp_programs {
            found.push(("XDP", true, *id, programs::described(*id)));
        }
        for (place, way) in [
            ("TCX ingress", TcAttachType::Ingress),
            ("TCX egress", TcAttachType::Egress),
        ] {
            let there = tcx(&interface.name, way)?;
            found.extend(there.iter().map(|it| (place, false, it.id(), named(it))));
        }
        for (place, way) in [
            ("clsact ingress", Way::Ingress),
            ("clsact egress", Way::Egress),
        ] {
            let filters = netlink
                .filters(interface.index, way)
                .map_err(|error| format!("the filters of tc cannot be listed: {error}"))?;
            let ids = filters.iter().filter_map(|it| it.program);
            found.extend(ids.map(|id| (place, false, id, programs::described(id))));
        }
        found.retain(|(_, _, id, _)| !own.contains(id));
        let others = found.into_iter().map(|(place, is_xdp, id, program)| Other {
            place: place.into(),
            is_xdp,
            program,
            owners: self.owners().of(id),
        });
        Ok(others.collect())
    }

    fn owners(&self) -> &Owners {
        self.owners.get_or_init(|| {
            let usual = PathBuf::from("/sys/fs/bpf");
            let mut dirs = vec![usual];
            if !self.bpffs.starts_with(&dirs[0]) {
                dirs.push(self.bpffs.to_owned());
            }
            Owners::look(&dirs)
        })
    }
}

fn named(info: &ProgramInfo) -> String {
    match info.name_as_str() {
        Some(name) if !name.is_empty() => format!("`{name}` (id {})", info.id()),
        _ => format!("id {}", info.id()),
    }
}

/// Identifiers of all programs at TCX, where packets arrive and where they leave.
pub fn at_tcx(interface: &str) -> Known<Vec<u32>> {
    let mut ids = Vec::new();
    for way in [TcAttachType::Ingress, TcAttachType::Egress] {
        ids.extend(tcx(interface, way)?.iter().map(ProgramInfo::id));
    }
    Ok(ids)
}

/// None where the kernel has no TCX.
fn tcx(interface: &str, way: TcAttachType) -> Known<Vec<ProgramInfo>> {
    match SchedClassifier::query_tcx(interface, way) {
        Ok((_, programs)) => Ok(programs),
        Err(ProgramError::SyscallError(error)) if is_denied(&error.io_error) => Err(format!(
            "the TCX programs cannot be listed: {}; run it as root",
            error.io_error
        )),
        Err(_) => Ok(Vec::new()),
    }
}

fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}
