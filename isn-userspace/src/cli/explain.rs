//! `isnguard explain`: what was decided for a flow and why, or what would be.

use std::net::SocketAddr;

use clap::Args;
use isn_common::flow::Vlan;

use super::{Common, Outcome, complain, not_running};
use crate::{
    dataplane::{self, Ends, Foreseen, Instance},
    failure::Failure,
    report::{ExplainReport, Report as _},
};

/// Arguments of `explain`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// One end of the flow, the host's or the peer's
    #[arg(value_name = "SRC:PORT", value_parser = end)]
    source: SocketAddr,
    /// The other end
    #[arg(value_name = "DST:PORT", value_parser = end)]
    destination: SocketAddr,
    /// Only in this VLAN; OUTER.INNER where there are two tags, 0 for none [default: wherever it is]
    #[arg(long, value_name = "N", value_parser = vlan)]
    vlan: Option<Vlan>,
}

const EXAMPLES: &str = "\
Examples:
  isnguard explain 192.0.2.10:1025 198.51.100.2:80
  isnguard explain [2001:db8:1::2]:1025 [2001:db8:2::2]:80 --json
  isnguard explain 192.0.2.10:1025 198.51.100.2:80 --vlan 100

For a flow that is not known, it says what would become of its first SYN and of a segment in mid-flow. The offset that keyed \
mode would give it is not shown.

Exit codes: 0 also where nothing is known of the flow; 2 these are no two ends of a flow; 4 the instance is not attached.";

/// An address and a port.
fn end(text: &str) -> Result<SocketAddr, String> {
    let at: SocketAddr = text.parse().map_err(|_| {
        let hint = if text.matches(':').count() > 1 && !text.starts_with('[') {
            "; an IPv6 address stands in brackets"
        } else {
            ""
        };
        format!("write an address and a port, as 192.0.2.10:80 or [2001:db8::10]:80{hint}")
    })?;
    if at.port() == 0 {
        return Err("the port is a number from 1 to 65535".into());
    }
    Ok(SocketAddr::new(at.ip().to_canonical(), at.port()))
}

/// One VLAN identifier, or the outer and the inner one.
fn vlan(text: &str) -> Result<Vlan, String> {
    let (outer, inner) = text.split_once('.').unwrap_or(("0", text));
    let id = |text: &str| text.parse().ok().filter(|id| *id <= 4094_u16);
    match (id(outer), id(inner)) {
        (Some(outer), Some(inner)) => Ok(Vlan::UNTAGGED.tagged(outer).tagged(inner)),
        _ => Err(
            "write an identifier from 0 to 4094, or two with a point between, the outer one first"
                .into(),
        ),
    }
}

/// Explains a flow.
pub fn explain(args: &ExplainArgs, common: &Common) -> anyhow::Result<Outcome> {
    let (one, other) = (args.source, args.destination);
    if one.is_ipv4() != other.is_ipv4() || one == other {
        let why = if one == other {
            "both ends are the same"
        } else {
            "one address is IPv4, the other IPv6"
        };
        let what = format!("cannot explain a flow between {one} and {other}");
        let remedy = "write the two ends of one connection, as `isnguard flows` shows them";
        complain(&Failure::new(what, why, remedy).into());
        return Ok(Outcome::Usage);
    }
    let Some(instance) = Instance::open(&common.place())? else {
        return Ok(not_running(common));
    };
    let ends = Ends {
        host: one,
        peer: other,
        vlan: args.vlan.unwrap_or_default(),
    };
    let mut known = Vec::new();
    for ends in [ends, ends.turned()] {
        known.extend(instance.known(&ends)?);
    }
    if known.is_empty() && args.vlan.is_none() {
        for ends in instance.elsewhere(&ends)? {
            known.extend(instance.known(&ends)?);
        }
    }
    let foreseen = if known.is_empty() {
        foresee(&instance, &ends)?
    } else {
        Vec::new()
    };
    let (name, now) = (common.instance.as_str(), dataplane::now());
    ExplainReport::new(
        name,
        [one, other],
        &instance.settings,
        &known,
        &foreseen,
        now,
    )
    .print(common.json)?;
    Ok(Outcome::Done)
}

/// What would become of the flow, for each end that the policy guards; where it guards neither, for the first.
fn foresee(instance: &Instance, ends: &Ends) -> Result<Vec<Foreseen>, Failure> {
    let mut all = Vec::new();
    for ends in [*ends, ends.turned()] {
        all.extend(instance.foresee(&ends)?);
    }
    let is_guarded = |it: &Foreseen| it.host_opens.mode.is_some() || it.peer_opens.mode.is_some();
    if all.iter().any(is_guarded) {
        all.retain(is_guarded);
    } else {
        all.truncate(1);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_addresses_with_ports() {
        assert_eq!(end("192.0.2.1:80"), Ok("192.0.2.1:80".parse().unwrap()));
        assert_eq!(
            end("[2001:db8::1]:80"),
            Ok("[2001:db8::1]:80".parse().unwrap())
        );
        assert_eq!(
            end("[::ffff:192.0.2.1]:80"),
            Ok("192.0.2.1:80".parse().unwrap())
        );
        for wrong in ["192.0.2.1", "192.0.2.1:0", "plant:80", "192.0.2.1:http", ""] {
            assert!(end(wrong).is_err(), "{wrong}");
        }
        assert!(end("2001:db8::1:80").unwrap_err().contains("brackets"));
        assert!(end("192.0.2.1").unwrap_err().contains("192.0.2.10:80"));
    }

    #[test]
    fn vlans_are_one_identifier_or_two() {
        assert_eq!(vlan("0"), Ok(Vlan(0)));
        assert_eq!(vlan("100"), Ok(Vlan(100)));
        assert_eq!(vlan("100.200").unwrap().identifiers(), (100, 200));
        for wrong in ["", "4095", "1.2.3", "-1", "a"] {
            assert!(vlan(wrong).is_err(), "{wrong}");
        }
    }
}
