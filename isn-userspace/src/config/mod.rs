//! The configuration file: read with the place of everything that is wrong, overridden by the command line, shown with where each
//! value came from, taken over at run time, and changed without touching what else stands in it.

#[cfg(test)]
mod documents;
mod edit;
mod fault;
mod given;
mod keys;
mod last_reload;
mod read;
mod rules;
mod show;
mod source;
mod store;
mod value;

pub use edit::{Edit, edited};
pub use fault::{Fault, Faults, Placed as PlacedFault};
pub use given::{Given, Origin, Said};
pub use keys::{KEYS, Key, RULE_KEYS};
pub use last_reload::LastReload;
pub use read::read;
pub use show::{RuleLine, Setting, Shown};
pub use source::{Loaded, Source};
pub use store::{Replacement, Unread, text};
