//! What the tests hand on to the verdict.

use super::Class;

/// The sort of generator, and what its figures and its grade depend on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) class: Class,
    /// In words.
    pub(super) detail: String,
    /// Growth with time that an attacker can compute, in numbers a second.
    pub(super) rate: f64,
    /// The step of which all growth is a multiple; 0 if there is none.
    pub(super) step: u32,
    /// Whether something of the next number can be told from those before.
    pub(super) predictable: bool,
    /// Whether the next number itself can be told, whatever the numbers look like.
    pub(super) computable: bool,
}

impl Finding {
    /// A generator of which something can be predicted.
    pub(super) const fn predictable(class: Class, detail: String) -> Self {
        Self {
            class,
            detail,
            rate: 0.0,
            step: 0,
            predictable: true,
            computable: false,
        }
    }

    /// A generator whose next number is known.
    pub(super) const fn computable(class: Class, detail: String) -> Self {
        let mut finding = Self::predictable(class, detail);
        finding.computable = true;
        finding
    }

    /// A generator of which nothing can be predicted, or nothing is known.
    pub(super) const fn other(class: Class, detail: String) -> Self {
        let mut finding = Self::predictable(class, detail);
        finding.predictable = false;
        finding
    }
}

/// A number with separators of thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The same for a rate, which is 0 or more.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive and far below 2^64"
)]
pub(super) fn rounded(rate: f64) -> String {
    grouped(rate.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(800), "800");
        assert_eq!(grouped(64_000), "64,000");
        assert_eq!(rounded(15_624_999.7), "15,625,000");
    }
}
