//! What all rounds have found: what is written as JSON, and rendered from it.

use serde::{Deserialize, Serialize};

use crate::findings::{Findings, Missing};
use crate::stats::Summary;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub machine: Vec<(String, String)>,
    pub size: String,
    pub stores: Vec<StoreResults>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct StoreResults {
    pub name: String,
    pub version: String,
    pub kind: String,
    pub settings: String,
    pub figures: Vec<Figure>,
    pub missing: Vec<Missing>,
}

/// One row of one store, or one point of a series.
#[derive(Debug, Serialize, Deserialize)]
pub struct Figure {
    pub row: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<u64>,
    /// One a round.
    pub values: Vec<f64>,
    /// Of each round: pairs of a quantile and nanoseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<Vec<(f64, f64)>>,
}

impl Figure {
    pub fn summary(&self) -> Option<Summary> {
        Summary::of(&self.values)
    }

    /// The median over rounds of each quantile.
    pub fn median_quantiles(&self) -> Vec<(f64, f64)> {
        let mut medians = Vec::new();
        for (quantile, _) in self.quantiles.first().into_iter().flatten() {
            let of_rounds: Vec<f64> = self
                .quantiles
                .iter()
                .filter_map(|round| round.iter().find(|(other, _)| other == quantile))
                .map(|(_, nanoseconds)| *nanoseconds)
                .collect();
            if let Some(summary) = Summary::of(&of_rounds) {
                medians.push((*quantile, summary.median));
            }
        }
        medians
    }
}

impl StoreResults {
    pub fn add(&mut self, findings: Findings) {
        for finding in findings.found {
            let figures = &mut self.figures;
            let known = figures.iter().position(|f| f.row == finding.row && f.x == finding.x);
            let place = known.unwrap_or_else(|| {
                figures.push(Figure {
                    row: finding.row,
                    x: finding.x,
                    values: Vec::new(),
                    quantiles: Vec::new(),
                });
                figures.len() - 1
            });
            let figure = &mut figures[place];
            figure.values.push(finding.value);
            if !finding.quantiles.is_empty() {
                figure.quantiles.push(finding.quantiles);
            }
        }
        for missing in findings.missing {
            if !self.missing.contains(&missing) {
                self.missing.push(missing);
            }
        }
    }

    pub fn figure(&self, row: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.row == row && figure.x.is_none())
    }

    pub fn median(&self, row: &str) -> Option<f64> {
        self.figure(row)?.summary().map(|summary| summary.median)
    }

    /// The points of a series, by `x`.
    pub fn series(&self, name: &str) -> Vec<(u64, f64)> {
        let mut points: Vec<_> = self
            .figures
            .iter()
            .filter(|figure| figure.row == name)
            .filter_map(|figure| Some((figure.x?, figure.summary()?.median)))
            .collect();
        points.sort_by_key(|(x, _)| *x);
        points
    }

    pub fn is_floor(&self) -> bool {
        self.kind == "floor"
    }

    pub fn is_ours(&self) -> bool {
        self.kind == "ours"
    }
}

#[cfg(test)]
mod tests {
    use super::StoreResults;
    use crate::findings::{Finding, Findings, Missing};

    fn finding(row: &str, x: Option<u64>, value: f64, p50: f64) -> Finding {
        Finding { row: row.into(), x, value, quantiles: vec![(0.5, p50)] }
    }

    #[test]
    fn rounds_are_gathered_by_row_and_place() {
        let mut store = StoreResults::default();
        let missing = Missing { row: "c".into(), why: "cannot".into(), is_unsupported: true };
        for round in [1.0, 5.0, 3.0] {
            store.add(Findings {
                found: vec![
                    finding("a", None, round, 10.0 * round),
                    finding("s", Some(20), round, 0.0),
                    finding("s", Some(10), 2.0 * round, 0.0),
                ],
                missing: vec![missing.clone()],
                ..Default::default()
            });
        }
        assert_eq!(store.median("a"), Some(3.0));
        assert_eq!(store.figure("a").unwrap().median_quantiles(), [(0.5, 30.0)]);
        assert_eq!(store.series("s"), [(10, 6.0), (20, 3.0)]);
        assert_eq!(store.missing, [missing]);
        assert_eq!(store.median("b"), None);
    }
}
