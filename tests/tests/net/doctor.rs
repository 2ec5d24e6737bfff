//! `isnguard doctor` on gateways that are well, and on such that are not in one way each; what it says to do makes it right.

mod examined;
mod gateway;
mod instance;
mod interfaces;
mod machine;

const INSIDE: [&str; 4] = ["--inside", "inside0", "--protect", "192.0.2.0/24"];
const DEGRADED: i32 = 3;
