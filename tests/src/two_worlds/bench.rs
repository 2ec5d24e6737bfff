//! The table runner: each case by its name, over each carrier, in fresh worlds; all failures are reported together.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Worlds, flow::Flow};
use crate::{
    packet_builder::{
        Carrier,
        carrier::{DOT1AD, DOT1Q},
    },
    test_run::Room,
};

/// A case: what it shows, beginning with its rule, and how it plays.
pub struct Case {
    name: &'static str,
    play: Box<dyn Fn(&mut Flow<'_>)>,
}

/// Names a case.
pub fn case(name: &'static str, play: impl Fn(&mut Flow<'_>) + 'static) -> Case {
    Case {
        name,
        play: Box::new(play),
    }
}

/// A failed step, thrown by [`Flow`] and caught by the runner: no panic message in between.
pub(super) struct Failed(pub String);

/// IPv4 and IPv6, plain.
#[must_use]
pub fn both_families() -> Vec<Carrier> {
    vec![Carrier::v4(), Carrier::v6()]
}

/// Every way to frame a flow that the data plane must treat alike.
#[must_use]
pub fn all_carriers() -> Vec<Carrier> {
    let mut carriers = both_families();
    for plain in both_families() {
        let v4 = plain.key4().is_some();
        let name = |v4_name, v6_name| if v4 { v4_name } else { v6_name };
        let mut stripped = plain.clone().tagged(DOT1Q, 0x0fff).named(name(
            "IPv4 in QinQ, outer tag stripped",
            "IPv6 in QinQ, outer tag stripped",
        ));
        stripped.stripped = Some(0x2064);
        let mut lone = plain.clone().named(name(
            "IPv4 in 802.1Q, tag stripped",
            "IPv6 in 802.1Q, tag stripped",
        ));
        lone.stripped = Some(100);
        carriers.extend([
            plain
                .clone()
                .tagged(DOT1Q, 0x6064)
                .named(name("IPv4 in 802.1Q", "IPv6 in 802.1Q")),
            plain
                .clone()
                .tagged(DOT1AD, 100)
                .named(name("IPv4 in 802.1ad", "IPv6 in 802.1ad")),
            plain
                .clone()
                .tagged(DOT1AD, 0x0123)
                .tagged(DOT1Q, 0x0456)
                .named(name("IPv4 in QinQ", "IPv6 in QinQ")),
            plain
                .clone()
                .tagged(DOT1Q, 0x6000)
                .named(name("IPv4 with a priority tag", "IPv6 with a priority tag")),
            lone,
            stripped,
        ]);
    }
    carriers
}

/// Plays every case over every carrier.
///
/// # Panics
///
/// If a case fails, with what all failed cases have to say; or if the programs cannot be loaded.
pub fn play(carriers: &[Carrier], cases: &[Case]) {
    play_with(Room::AMPLE, carriers, cases);
}

/// The same with this much room in the tables.
///
/// # Panics
///
/// As [`play`].
pub fn play_with(room: Room, carriers: &[Carrier], cases: &[Case]) {
    let mut worlds = Worlds::load(room).expect("the kernel takes the programs");
    let mut failures = Vec::new();
    for case in cases {
        for carrier in carriers {
            if let Err(report) = one_case(&mut worlds, carrier.clone(), |flow| (case.play)(flow)) {
                failures.push(format!(
                    "case \"{}\" over {}\n{report}",
                    case.name, carrier.name
                ));
                break;
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases fail\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n\n")
    );
}

/// Plays something in fresh worlds, starting with this carrier. The error is a report of what was sent and what is wrong.
///
/// # Panics
///
/// If the maps cannot be written.
pub fn one_case(
    worlds: &mut Worlds,
    carrier: Carrier,
    play: impl FnOnce(&mut Flow<'_>),
) -> Result<(), String> {
    worlds.renew().expect("the maps can be written");
    let mut flow = Flow::new(worlds, carrier);
    catch_unwind(AssertUnwindSafe(|| play(&mut flow))).map_err(|cause| {
        let reason = match cause.downcast::<Failed>() {
            Ok(failed) => failed.0,
            Err(cause) => cause
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string))
                .unwrap_or_else(|| "panicked".to_owned()),
        };
        format!("{}{reason}", flow.transcript())
    })
}
