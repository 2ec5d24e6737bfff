//! `isnguard top`: what goes on, looked at again and again.
//!
//! ```text
//! counters ───────────────── each look ─► Rates ─┐
//! tables ── a part a look ────► Roll: flows ─────┼─► App: what is shown, and how ─► draw
//! status, hosts of `run` ── a thread, at leisure ─┘        ▲ keys
//! ```
//!
//! A look costs as much with a million flows as with a hundred: the tables are read a part at a time, and the view says in how
//! many looks it had gone round. Nothing here writes anything but the screen.

mod app;
mod asking;
mod draw;
mod keys;
mod lines;
mod rates;
mod roll;
#[cfg(test)]
mod tests;

pub use app::{App, Keys, Life, Tab};
pub use asking::{Asked, Asking, HostRow};
pub use draw::draw;
pub use keys::{Reply, press};
pub use lines::Summary;
pub use rates::{Rates, VERDICTS};
pub use roll::{Listed, Order, Roll};
