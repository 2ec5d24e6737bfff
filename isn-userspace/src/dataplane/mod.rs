//! The data plane as a thing in the kernel: loaded, attached, pinned, adopted, inspected, detached.

mod attach;
mod attacher;
mod batch;
mod bpffs;
mod clock;
mod clsact;
mod detach;
mod existing;
mod flows;
mod hook;
mod instance;
mod interfaces;
mod lifetime;
mod lock;
mod maps;
mod namespace;
mod netlink;
mod observe;
mod pins;
mod privileges;
mod programs;
mod refusal;
mod seat;
mod sit;
mod stats;
mod status;
mod table;
mod target;
mod undo;
mod upkeep;

pub use attach::{Attached, attach};
pub use clock::now;
pub use detach::{Leaving, force};
pub use flows::{Flow, Translated};
pub use hook::Hook;
pub use instance::Instance;
pub use lock::Lock;
pub use maps::Maps;
pub use pins::Pins;
pub use stats::{Stats, TableLoad};
pub use status::{Attachment, Status, read as status, sits_on};
pub use table::Table;
pub use upkeep::{Swept, Upkeep};

/// The BPF object: every program and map.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/isn-ebpf"));
