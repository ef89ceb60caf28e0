//! Medians and how far the rest lies from them.

use std::time::Duration;

/// Observations of one quantity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value below which this share of them lies; NaN when there are none.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1) as f64;
        let at = (share * last).round() as usize;
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(crate) fn p99(&self) -> f64 {
        self.quantile(0.99)
    }

    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Each of these divided by its partner: two programs in the same round.
    pub(crate) fn over(&self, other: &Self) -> Self {
        self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect()
    }

    /// Each of these plus its partner.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        self.0.iter().zip(&other.0).map(|(a, b)| a + b).collect()
    }

    /// The mean of each so many in a row.
    pub(crate) fn means(&self, count: usize) -> Self {
        let groups = self.0.chunks_exact(count);
        groups
            .map(|group| group.iter().sum::<f64>() / count as f64)
            .collect()
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

/// A duration in milliseconds.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A number with three digits; more are noise.
pub(crate) fn digits(value: f64) -> String {
    let places = match value.abs() {
        0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_observations() {
        let samples: Samples = (1..=101).rev().map(f64::from).collect();
        assert_eq!(samples.median(), 51.0);
        assert_eq!(samples.quantile(0.25), 26.0);
        assert_eq!(samples.p99(), 100.0);
        assert!(Samples::default().median().is_nan());
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let slow: Samples = [4.0, 30.0].into_iter().collect();
        let fast: Samples = [2.0, 10.0].into_iter().collect();
        assert_eq!(slow.over(&fast).quantile(0.0), 2.0);
        assert_eq!(slow.plus(&fast).quantile(1.0), 40.0);
    }

    #[test]
    fn means_are_of_whole_groups() {
        let samples: Samples = [1.0, 2.0, 6.0, 4.0, 4.0, 4.0, 9.0].into_iter().collect();
        assert_eq!(samples.means(3).0, [3.0, 4.0]);
    }

    #[test]
    fn numbers_have_three_digits() {
        let texts = [382.4, 12.34, 1.234, 0.2164, 0.0].map(digits);
        assert_eq!(texts, ["382", "12.3", "1.23", "0.216", "0"]);
    }
}
