//! What monitoring sees: `/metrics` for Prometheus, `/healthz` for whoever only asks whether all is well.
//!
//! ```text
//! scrape ─► server: limits, deadlines ─► answer: path, format ─► reading: maps and state, once for all who wait
//!                                            exposition ◄─ collector ◄─ catalogue: every metric, and where its number is
//! ```
//!
//! A thread of its own serves, so that a slow scrape delays no sweep, nor a sweep a scrape. Nothing here walks through a table: how many
//! flows there are is what the latest sweep has found (`board`), and a metric says when that was.

mod address;
mod answer;
mod board;
pub mod catalogue;
mod collector;
mod exposition;
mod listening;
mod reading;
mod server;

pub use address::MetricsAddress;
pub use board::{Board, Latest, Sweeps};
pub use listening::Listening;
pub use reading::Reading;
pub use server::Server;
