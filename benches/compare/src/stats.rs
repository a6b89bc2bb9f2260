//! What is said of the measurements of several rounds.

/// A value of several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub rounds: usize,
}

impl Summary {
    /// `None` if there is nothing to sum up.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: median_of_sorted(&sorted)?,
            min: *sorted.first()?,
            max: *sorted.last()?,
            rounds: sorted.len(),
        })
    }

    /// Distance of the extremes, as a share of the median.
    pub fn spread(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { (self.max - self.min) / self.median }
    }
}

fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(upper, sorted[sorted.len() / 2 - 1]))
}

/// Which direction is an improvement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
}

impl Better {
    /// How many times better `value` is than `other`: above 1 is ahead. `None` if there is nothing to divide by.
    pub fn times(self, value: f64, other: f64) -> Option<f64> {
        let (above, below) = match self {
            Self::Higher => (value, other),
            Self::Lower => (other, value),
        };
        (below > 0.0).then(|| above / below)
    }

    /// The best of these values.
    pub fn best(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        values.reduce(|best, value| match self {
            Self::Higher => best.max(value),
            Self::Lower => best.min(value),
        })
    }
}

/// The order of `count` stores in a round: each round starts with another one.
pub fn rotated(count: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |place| (place + round) % count)
}

#[cfg(test)]
mod tests {
    use super::{Better, Summary, rotated};

    #[test]
    fn the_median_of_odd_and_even_counts() {
        assert_eq!(Summary::of(&[3.0, 1.0, 2.0]).unwrap().median, 2.0);
        assert_eq!(Summary::of(&[4.0, 1.0, 3.0, 2.0]).unwrap().median, 2.5);
        assert_eq!(Summary::of(&[7.0]).unwrap().median, 7.0);
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn the_spread_covers_all_rounds() {
        let summary = Summary::of(&[10.0, 8.0, 13.0]).unwrap();
        assert_eq!((summary.min, summary.max, summary.rounds), (8.0, 13.0, 3));
        assert!((summary.spread() - 0.5).abs() < 1e-9);
        assert_eq!(Summary::of(&[0.0, 0.0]).unwrap().spread(), 0.0);
    }

    #[test]
    fn ahead_is_above_one_in_both_directions() {
        assert_eq!(Better::Higher.times(6.0, 3.0), Some(2.0));
        assert_eq!(Better::Lower.times(6.0, 3.0), Some(0.5));
        assert_eq!(Better::Higher.times(6.0, 0.0), None);
        assert_eq!(Better::Higher.best([1.0, 3.0, 2.0].into_iter()), Some(3.0));
        assert_eq!(Better::Lower.best([2.0, 1.0, 3.0].into_iter()), Some(1.0));
        assert_eq!(Better::Lower.best(std::iter::empty()), None);
    }

    #[test]
    fn each_store_is_first_in_some_round() {
        let firsts: Vec<_> = (0..3).map(|round| rotated(3, round).next().unwrap()).collect();
        assert_eq!(firsts, [0, 1, 2]);
        let mut all: Vec<_> = rotated(5, 3).collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4]);
    }
}
