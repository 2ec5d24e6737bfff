//! Facts from the machine, each by itself: one that cannot be read says why and stands in nobody's way.

mod ethtool;
mod features;
mod firewall;
mod forward;
mod gateway;
mod instance;
mod interface;
mod machine;
mod owners;
mod sysctl;

pub use forward::forward;
pub use gateway::{gateway, rp_filter, sides};
pub use instance::{key, running, state};
pub use interface::{Surroundings, device, joins};
pub use machine::machine;
