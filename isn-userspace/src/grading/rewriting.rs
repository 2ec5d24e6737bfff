//! What the wire would show with isnguard in front of the host.

use std::net::IpAddr;

use isn_common::siphash::Key;

use super::Sample;

/// `samples` of `host` in keyed mode (rule S3).
#[must_use]
pub fn keyed(samples: &[Sample], _host: IpAddr, _secret: Key) -> Vec<Sample> {
    samples.to_vec()
}

/// `samples` of `host` in monotonic mode (rule S2).
#[must_use]
pub fn monotonic(samples: &[Sample], _host: IpAddr, _secret: Key) -> Vec<Sample> {
    samples.to_vec()
}
