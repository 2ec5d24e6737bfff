//! Which hook is the cheaper one for which traffic. Native XDP runs for every frame before the kernel has done anything for it; TC runs
//! once for all segments that were joined on the way there. Measured (`docs/operating.md`): XDP is cheaper for segments that come
//! alone, TC from two segments on.

#[cfg(test)]
mod tests;

use super::{
    super::{
        Check, Finding,
        check::{advice, command},
    },
    interface::Device,
    known,
    offloads::is_known_on,
};
use crate::dataplane::{
    Hook,
    hook::{JOINS, unfinished},
};

/// What the interface offers, and whether its hook goes with it.
pub fn judge(device: &Device, hook: Hook) -> Finding {
    known(Check::Traffic, &device.offloads, |_| {
        let facts = facts(device);
        match hook {
            Hook::XdpGeneric => Check::Traffic.note(
                format!("{facts}; generic XDP is the dearest for all traffic"),
                advice("use --hook auto or --hook tc"),
            ),
            Hook::Xdp => at_xdp(device, &facts),
            Hook::Tc => at_tc(device, &facts),
        }
    })
}

/// Where segments are joined, and whether the driver has XDP.
fn facts(device: &Device) -> String {
    let state = |name| {
        if is_known_on(device, name) {
            "on"
        } else {
            "off"
        }
    };
    let native = match &device.xdp {
        Ok(features) if features.basic => "native XDP offered",
        Ok(_) => "native XDP not offered",
        Err(_) => "not told whether native XDP is offered",
    };
    format!(
        "rx-gro: {}, {JOINS}: {} (ethtool -k); {native} (xdp-features)",
        state("rx-gro"),
        state(JOINS)
    )
}

fn at_xdp(device: &Device, facts: &str) -> Finding {
    if let Some(kind) = unfinished(device.interface.kind.as_deref()) {
        return Check::Traffic.note(
            format!(
                "{facts}; a {kind} interface gives up segments of 64 KiB for any native XDP program: bulk TCP costs several \
                 times as much"
            ),
            advice("use --hook tc, unless most packets are small or forwarded in XDP"),
        );
    }
    if is_known_on(device, JOINS) {
        return Check::Traffic.note(
            format!("{facts}; drivers give {JOINS} up for native XDP, and bulk TCP costs more"),
            advice("use --hook tc for bulk TCP; keep XDP against floods and for small packets"),
        );
    }
    let or = if is_known_on(device, "rx-gro") {
        "; for bulk TCP, of which GRO joins the segments behind it, --hook tc is cheaper"
    } else {
        ""
    };
    Check::Traffic.ok(format!(
        "{facts}: XDP is the cheaper hook for small packets, SYNs and floods, and the one that can forward{or}"
    ))
}

fn at_tc(device: &Device, facts: &str) -> Finding {
    // What a sender on this machine says comes in segments of 64 KiB, whether or not anything joins them here.
    let whole = unfinished(device.interface.kind.as_deref()).is_some();
    let native = device.xdp.as_ref().is_ok_and(|it| it.basic) && !whole;
    let joined = whole || is_known_on(device, "rx-gro") || is_known_on(device, JOINS);
    match (joined, native) {
        (true, true) => Check::Traffic.ok(format!(
            "{facts}: TC runs once for all segments that are joined, the cheaper hook for bulk TCP; for small packets, SYNs and \
             floods, --hook xdp is cheaper"
        )),
        (true, false) => Check::Traffic.ok(format!(
            "{facts}: TC runs once for all segments that are joined, the cheaper hook for bulk TCP, and the one that suits \
             this interface"
        )),
        (false, true) => Check::Traffic.note(
            format!("{facts}; TC runs for every segment, and native XDP would be cheaper for all traffic"),
            advice("use --hook xdp; or, for bulk TCP, switch GRO on (ethtool -K IF gro on)"),
        ),
        (false, false) => Check::Traffic.note(
            format!("{facts}; TC runs for every segment of bulk TCP, and so does the kernel's forwarding"),
            command(format!("ethtool -K {} gro on", device.interface.name)),
        ),
    }
}
