//! What was measured of several variants in the same rounds, and how they stand to each other.

use anyhow::{Context as _, Result};

use super::variant::Variant;
use crate::stopwatch::least_and_median;

/// A value of each round for each variant.
#[derive(Debug, Default)]
pub struct Rounds(Vec<(Variant, Vec<f64>)>);

impl Rounds {
    /// Notes a value.
    pub fn note(&mut self, variant: Variant, value: f64) {
        match self.0.iter_mut().find(|(it, _)| it.id == variant.id) {
            Some((_, values)) => values.push(value),
            None => self.0.push((variant, vec![value])),
        }
    }

    /// The variants, in the order in which they were first noted.
    pub fn variants(&self) -> impl Iterator<Item = Variant> {
        self.0.iter().map(|(variant, _)| *variant)
    }

    /// The median of what was noted of a variant.
    pub fn median(&self, variant: Variant) -> Result<f64> {
        let values = self.of(variant).context("a variant without a value")?;
        Ok(least_and_median(values)?.1)
    }

    /// The median of the ratios of two variants, each within one round; `None` if one of them was not measured.
    pub fn ratio(&self, variant: Variant, other: Variant) -> Result<Option<f64>> {
        let (Some(values), Some(others)) = (self.of(variant), self.of(other)) else {
            return Ok(None);
        };
        let ratios: Vec<f64> = values.iter().zip(others).map(|(it, by)| it / by).collect();
        Ok(Some(least_and_median(&ratios)?.1))
    }

    fn of(&self, variant: Variant) -> Option<&[f64]> {
        let found = self.0.iter().find(|(it, _)| it.id == variant.id);
        found.map(|(_, values)| values.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::variant::{PLAIN, TC, XDP},
        *,
    };

    #[test]
    fn ratios_are_taken_within_rounds() {
        let mut rounds = Rounds::default();
        // The machine is twice as slow in the second round and ten times in the third.
        for (slow, noise) in [(1.0, 0.0), (2.0, 0.2), (10.0, -0.5)] {
            rounds.note(PLAIN, 100.0 * slow);
            rounds.note(XDP, 110.0 * slow + noise);
        }
        assert_eq!(rounds.ratio(XDP, PLAIN).unwrap(), Some(1.1));
        assert_eq!(rounds.ratio(TC, PLAIN).unwrap(), None);
        assert!((rounds.median(XDP).unwrap() - 220.2).abs() < 1e-9);
        assert!(rounds.median(TC).is_err());
        let seen: Vec<_> = rounds.variants().map(|it| it.id).collect();
        assert_eq!(seen, ["plain", "xdp"]);
    }
}
