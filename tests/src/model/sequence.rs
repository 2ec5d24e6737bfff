//! Numbers that wrap: sequence numbers (RFC 9293 section 3.4) and timestamps (RFC 7323 section 5.2).

/// How far `number` lies ahead of `mark`, modulo 2^32; negative if it lies behind.
#[must_use]
pub fn ahead(number: u32, mark: u32) -> i64 {
    i64::from(number.wrapping_sub(mark).cast_signed())
}

/// The one of the two that lies ahead.
#[must_use]
pub fn later(one: u32, other: u32) -> u32 {
    if ahead(other, one) > 0 { other } else { one }
}
