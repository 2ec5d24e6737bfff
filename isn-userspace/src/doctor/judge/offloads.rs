//! What a network card does to frames before a hook sees them, and how long they may be.

use super::{
    super::{
        Check, Finding,
        check::{advice, command},
    },
    interface::{Device, Seated},
    known,
};
use crate::dataplane::{Hook, hook, refusal};

/// What a page of 4096 octets leaves to a frame with XDP, without headroom, the kernel's own notes behind it and the Ethernet header:
/// the longest packet that fits into one buffer on most drivers.
const ONE_BUFFER: u32 = 4096 - 256 - 320 - 18;

/// Why native XDP does not take frames of this length, as far as the driver tells.
pub fn too_long(device: &Device) -> Option<String> {
    let features = device.xdp.as_ref().ok()?;
    let mtu = device.interface.mtu;
    (features.basic && !features.buffers && mtu > ONE_BUFFER).then(|| {
        format!(
            "the MTU is {mtu}, and the driver gives XDP one buffer of at most about {ONE_BUFFER} octets (xdp-features \
             without rx-sg)"
        )
    })
}

pub fn mtu(device: &Device, hook: Hook) -> Finding {
    let mtu = device.interface.mtu;
    let long = mtu > ONE_BUFFER;
    match (hook, too_long(device)) {
        (Hook::Xdp, Some(why)) if matches!(device.hook, Seated::Asked(_)) => {
            Check::Mtu.refused(&refusal::driver_refused(&device.interface.name, hook, &why))
        }
        (Hook::Xdp, Some(why)) => Check::Mtu.warn(
            format!("{why}: longer frames may be lost"),
            command(format!(
                "ip link set dev {} mtu {ONE_BUFFER}",
                device.interface.name
            )),
        ),
        (Hook::Xdp, None) if long && device.xdp.is_ok() => Check::Mtu.ok(format!(
            "MTU {mtu} (netlink); the driver gives XDP frames in several buffers (xdp-features rx-sg)"
        )),
        (Hook::Xdp, None) if long => Check::Mtu.unknown(format!(
            "MTU {mtu} (netlink); whether the driver gives XDP frames in several buffers is not told before Linux 6.3"
        )),
        (Hook::Xdp, None) => {
            Check::Mtu.ok(format!("MTU {mtu} (netlink): a frame fits into one buffer"))
        }
        _ => Check::Mtu.ok(format!("MTU {mtu} (netlink): no matter at {}", hook.name())),
    }
}

fn is_on(offloads: &[String], name: &str) -> bool {
    offloads.iter().any(|it| it == name)
}

/// Whether an offload is on, as far as it can be told.
pub fn is_known_on(device: &Device, name: &str) -> bool {
    let offloads = device.offloads.as_ref();
    offloads.is_ok_and(|offloads| is_on(offloads, name))
}

/// LRO throws away what tells merged segments apart; nothing that is forwarded may be merged by it.
pub fn lro(device: &Device, hook: Hook) -> Finding {
    let name = &device.interface.name;
    known(Check::Lro, &device.offloads, |offloads| {
        if is_on(offloads, "rx-lro") {
            let at = match hook {
                Hook::Tc => "segments are merged for good before they are forwarded",
                Hook::Xdp | Hook::XdpGeneric => {
                    "drivers refuse XDP with it, or XDP sees the first segment alone"
                }
            };
            return Check::Lro.warn(
                format!("rx-lro: on (ethtool -k): {at}"),
                command(format!("ethtool -K {name} lro off")),
            );
        }
        Check::Lro.ok("rx-lro: off (ethtool -k)")
    })
}

pub fn gro(device: &Device, hook: Hook) -> Finding {
    let name = &device.interface.name;
    known(Check::Gro, &device.offloads, |offloads| {
        let on = is_on(offloads, "rx-gro");
        match hook {
            _ if !on => Check::Gro.ok("rx-gro: off (ethtool -k)"),
            Hook::Tc => Check::Gro
                .ok("rx-gro: on (ethtool -k): TC sees merged segments, and translates them as one"),
            Hook::Xdp => Check::Gro
                .ok("rx-gro: on (ethtool -k): native XDP sees frames before they are merged"),
            Hook::XdpGeneric => Check::Gro.note(
                "rx-gro: on (ethtool -k): generic XDP comes after it and copies every merged segment",
                command(format!("ethtool -K {name} gro off")),
            ),
        }
    })
}

/// Frames whose checksum their sender leaves to the hardware are finished before they leave a machine, except between the two ends
/// of a virtual wire.
pub fn checksums(device: &Device, hook: Hook) -> Finding {
    let interface = &device.interface;
    let kind = interface.kind.as_deref();
    if let Some(risk) = hook::risk(hook, &interface.name, kind) {
        return Check::Checksums.note(risk, advice(hook::AGAINST_UNFINISHED));
    }
    match hook {
        Hook::Tc => Check::Checksums
            .ok("at TC: the kernel's own functions bring unfinished checksums up to date"),
        Hook::Xdp | Hook::XdpGeneric => Check::Checksums.ok(format!(
            "at {}: frames from a {} interface come with finished checksums",
            hook.name(),
            kind.unwrap_or("hardware")
        )),
    }
}

pub fn vlan(device: &Device, hook: Hook) -> Finding {
    let name = &device.interface.name;
    known(Check::VlanOffload, &device.offloads, |offloads| {
        let stripped = is_on(offloads, "rx-vlan-hw-parse");
        let state = if stripped { "on" } else { "off" };
        let read = format!("rx-vlan-hw-parse: {state} (ethtool -k)");
        if hook == Hook::Tc || !stripped {
            return Check::VlanOffload.ok(format!(
                "{read}: {} sees the tags that are there",
                hook.name()
            ));
        }
        let evidence = format!(
            "{read}: {} does not see tags that the card takes off, and takes the same addresses in two VLANs for one \
             flow",
            hook.name()
        );
        let fix = command(format!("ethtool -K {name} rxvlan off"));
        if device.uppers.iter().any(|(_, kind)| kind == "vlan") {
            return Check::VlanOffload.warn(evidence, fix);
        }
        Check::VlanOffload.note(evidence, fix)
    })
}
