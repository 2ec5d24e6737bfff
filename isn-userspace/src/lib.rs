//! User space of isnguard: attaches the data plane to interfaces, keeps it tidy, reports on it.
//!
//! The data plane itself lies in the kernel, in pinned programs, links and maps: it goes on when
//! every process of this program has ended.

pub mod audit;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod dataplane;
pub mod doctor;
pub mod failure;
pub mod grading;
pub mod hosts;
pub mod key;
pub mod logging;
pub mod metrics;
pub mod plot;
pub mod report;
pub mod settings;
pub mod snapshot;
pub mod top;
