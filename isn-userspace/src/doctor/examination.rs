//! The whole examination: of the machine, of the interfaces that are named or in use, of the instance.

use std::cell::OnceCell;

use ipnet::IpNet;

use super::{
    Check, Finding, gather,
    judge::{self, instance::Seen},
};
use crate::{
    dataplane::{
        Status,
        attach::open_netlink,
        interfaces::{self, Interface},
        netlink::Netlink,
    },
    failure::Failure,
    settings::{HookChoice, Placed, Placement, Protect, Request},
};

/// What was found.
#[derive(Debug)]
pub struct Examination {
    /// Name of the instance.
    pub instance: String,
    /// Whether it is attached.
    pub attached: bool,
    /// Everything that was checked.
    pub findings: Vec<Finding>,
}

impl Examination {
    /// Whether something works worse than it could.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.findings.iter().any(|it| it.degrades)
    }
}

/// Examines what `attach` would find with this request; without interfaces in it, the instance as it is attached.
#[must_use]
pub fn examine(request: &Request) -> Examination {
    let place = &request.place;
    let mut findings = judge::machine::judge(&gather::machine(&place.bpffs));
    let state = gather::state(place);
    let network = open_netlink().and_then(|mut netlink| {
        let interfaces = interfaces::all(&mut netlink)?;
        Ok((netlink, interfaces))
    });
    let attached = state.status().is_some();
    let options = options(request);
    let name = place.instance.as_str();
    if let Some(key) = gather::key(request, state.status(), &options) {
        findings.push(judge::instance::key(&key));
    }
    let interfaces = match network {
        Ok((mut netlink, interfaces)) => {
            around(
                request,
                state.status(),
                &interfaces,
                &mut netlink,
                &mut findings,
            );
            interfaces
        }
        Err(failure) => {
            findings.push(Check::Interface.unknown(failure.to_string()));
            Vec::new()
        }
    };
    let seen = gather::running(state, place, &interfaces);
    findings.extend(judge::instance::judge(&seen, name, &options));
    if let Seen::There(running) = &seen {
        findings.extend(judge::tables::judge(running));
        findings.extend(running.keyed.then(|| judge::instance::adopting(running)));
    }
    findings.sort_by_key(|it| it.check);
    Examination {
        instance: name.into(),
        attached,
        findings,
    }
}

/// Options that name the instance, where they are not the default.
fn options(request: &Request) -> String {
    let place = &request.place;
    let named = place.instance.as_str() != "default";
    let elsewhere = place.bpffs.as_os_str() != "/sys/fs/bpf";
    let instance = named.then(|| format!(" --instance {}", place.instance));
    let bpffs = elsewhere.then(|| format!(" --bpffs {}", place.bpffs.display()));
    [instance, bpffs].into_iter().flatten().collect()
}

/// Interfaces and gateway.
fn around(
    request: &Request,
    status: Option<&Status>,
    interfaces: &[Interface],
    netlink: &mut Netlink,
    findings: &mut Vec<Finding>,
) {
    let mut placed = placed(request, status);
    let surroundings = gather::Surroundings {
        interfaces,
        status,
        hook: match request.hook {
            None | Some(HookChoice::Auto) if request.forwards() => HookChoice::Xdp,
            asked => asked.unwrap_or(HookChoice::Auto),
        },
        bpffs: &request.place.bpffs,
        owners: OnceCell::new(),
    };
    for one in &placed {
        match interfaces::usable(interfaces, &one.interface) {
            Ok(interface) => {
                let device = gather::device(&surroundings, netlink, interface, one);
                findings.extend(judge::interface::judge(&device));
            }
            Err(failure) => findings.push(unusable(one, &failure)),
        }
    }
    let forwards = status.is_some_and(|it| it.attached.iter().any(|one| one.forwards));
    if request.forwards() || forwards {
        findings.push(forwarding(request, status, &placed, interfaces, netlink));
    }
    let guarded = guarded(request, status);
    // Where packets are forwarded, the hosts are inside and the peers outside: there is nothing else to tell.
    if request.forwards() || forwards {
        placed.retain(|it| it.placement == Placement::Inside);
    }
    let sides = gather::sides(&placed, status.is_some(), &guarded, interfaces, netlink);
    let gateway = gather::gateway(sides, interfaces);
    findings.extend(judge::gateway::judge(&gateway));
}

/// Whether packets can be forwarded in XDP, and past what.
fn forwarding(
    request: &Request,
    status: Option<&Status>,
    placed: &[Placed],
    interfaces: &[Interface],
    netlink: &mut Netlink,
) -> Finding {
    let is_placed = |it: &&Interface| placed.iter().any(|one| one.interface == it.name);
    let sides: Vec<&Interface> = interfaces.iter().filter(is_placed).collect();
    let attached = || status.into_iter().flat_map(|it| &it.attached);
    let own: Vec<u32> = attached()
        .flat_map(|it| [it.ingress_program, it.egress_program])
        .flatten()
        .collect();
    let facts = gather::forward(&sides, interfaces, &own, netlink);
    let told = request.forward_past_rules == Some(true);
    judge::forward::judge(&facts, told, attached().any(|it| it.forwards))
}

fn unusable(placed: &Placed, failure: &Failure) -> Finding {
    judge::interface::unusable(&placed.interface, failure)
}

/// The interfaces that are named; else those that are in use.
fn placed(request: &Request, status: Option<&Status>) -> Vec<Placed> {
    if !request.placed.is_empty() {
        return request.placed.clone();
    }
    let attached = status.into_iter().flat_map(|it| &it.attached);
    let placed = attached.map(|it| Placed {
        interface: it.interface.clone(),
        placement: it.placement,
    });
    placed.collect()
}

/// The prefixes that are named; else those that are in use; else everything.
fn guarded(request: &Request, status: Option<&Status>) -> Vec<IpNet> {
    let mut guarded: Vec<IpNet> = match (request.protect.is_empty(), status) {
        (false, _) => request.protect.iter().map(|it| it.prefix).collect(),
        (true, Some(status)) => status.policy.rules().map(|it| it.prefix).collect(),
        (true, None) => Protect::everything().iter().map(|it| it.prefix).collect(),
    };
    guarded.sort_unstable();
    guarded.dedup();
    guarded
}
