//! Keyed mode as it comes into use, changes its key, and goes out of use, under connections that live (S3, S15).
//!
//! The offset of a keyed flow follows from the packet and the key alone, so a flow needs an entry only where that gives
//! something else than the flow has. Whatever changes what follows, a policy or a key, therefore goes in these steps:
//!
//! 1. `pinning`: flows that are known get a place that nothing evicts, with what they have. Where that is not enough room,
//!    nothing is changed.
//! 2. The settings or the policy change: `plan` at `attach`, `rotation` at `key rotate`, where `switch` has the order of writes.
//! 3. `pinning` once more, for what came in between.
//! 4. `adopting`: flows that are not known are taken for such of before, for as long as one may have been silent.

mod adopting;
mod patience;
mod pinning;
mod plan;
mod rotation;
mod state;
mod switch;

pub use adopting::Adopting;
use isn_common::{
    abi::flow::{Control, Record},
    tick::Tick,
};
pub use patience::Patience;
pub use pinning::{Ends, Pinned, pin};
pub use plan::Plan;
pub use rotation::{Rotated, Rotation};
pub use state::KeyState;

use self::pinning::Demand;
use crate::{failure::Failure, report::counted};

/// Whether a flow has the offset of a key before the current one.
fn is_of_older_key(record: &Record, generation: u32) -> bool {
    let control = record.control();
    control.has(Control::KEYED) && !control.is_of_generation(generation)
}

/// Refuses what flows would have no room for; `what` was tried.
fn check_room(what: &str, demands: [Demand; 2], otherwise: &str) -> Result<(), Failure> {
    let lacking = ["IPv4", "IPv6"]
        .into_iter()
        .zip(demands)
        .find(|(_, it)| !it.is_met());
    let Some((family, demand)) = lacking else {
        return Ok(());
    };
    let Demand {
        wanted,
        of_one_host,
        free,
        most,
    } = demand;
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let mut why = format!(
        "{} must be kept, and of {most} places among the translated ones {free} are free",
        counted(wanted, &format!("live {family} connection"))
    );
    if let Some((host, wanted)) = of_one_host {
        why += &format!("; {wanted} of them are of {host}, which leaves too little to others");
    }
    let remedy = format!(
        "nothing was changed. Try again when fewer are open (`isnguard stats` shows the tables; `isnguard run` removes what has \
         ended), or attach anew with a larger --max-flows (isnguard detach --drain){otherwise}"
    );
    Err(Failure::new(what, why, remedy))
}

/// A span in words.
fn span(ticks: u32) -> String {
    crate::report::span(Tick::to_seconds(ticks).round())
}
