//! Which steps follow each other in one directory, and which rows they measure.

use crate::scale::{Scale, Size};
use crate::steps::Step;

pub struct Scenario {
    pub name: &'static str,
    pub steps: Vec<Planned>,
    /// Starts of the names of the rows that it measures.
    pub rows: &'static [&'static str],
    pub rounds: usize,
}

pub struct Planned {
    pub step: Step,
    pub argument: u64,
    /// Killed once this many entries have been acknowledged. The next step is told how many they were.
    pub kill_after: Option<u64>,
}

fn plan(step: Step, argument: u64) -> Planned {
    Planned { step, argument, kill_after: None }
}

/// Everything that there is to measure.
pub fn scenarios(scale: &Scale) -> Vec<Scenario> {
    let short = |name, steps: &[Step], rows| Scenario {
        name,
        steps: steps.iter().map(|step| plan(*step, 0)).collect(),
        rows,
        rounds: scale.rounds,
    };
    let mut all = vec![
        short(
            "small",
            &[Step::Small, Step::Open, Step::Open, Step::Open],
            &["get", "view", "absent", "batch", "scan", "load-8", "open", "space"],
        ),
        short("loads", &[Step::Loads], &["load-256", "load-4096"]),
        short("overwrite", &[Step::Overwrite], &["overwrite", "compact"]),
        short("put", &[Step::Put], &["put-256"]),
        short("durable", &[Step::Durable], &["durable"]),
        short("beside", &[Step::Beside], &["beside"]),
        short("large", &[Step::LargeWrite, Step::LargeRead], &["put-1m", "get-1m"]),
        short(
            "cold",
            &[Step::ColdWrite, Step::ColdGet, Step::ColdBatch, Step::ColdScan],
            &["cold"],
        ),
        Scenario {
            name: "killed",
            steps: vec![
                Planned { step: Step::Flood, argument: 0, kill_after: Some(scale.entries / 2) },
                plan(Step::OpenKilled, 0),
            ],
            rows: &["killed"],
            rounds: scale.rounds,
        },
        Scenario { rounds: scale.long_rounds, ..short("aged", &[Step::Aged], &["aged"]) },
        Scenario {
            rounds: if scale.size == Size::Quick { 1 } else { scale.long_rounds },
            ..short("lengths", &[Step::Lengths], &["length"])
        },
    ];
    for count in &scale.sizes {
        all.push(Scenario {
            name: "sizes",
            steps: vec![plan(Step::Size, *count), plan(Step::SizeOpen, *count)],
            rows: &["size"],
            rounds: scale.long_rounds,
        });
    }
    all
}

/// Whether a scenario measures one of the rows that are asked for.
pub fn is_wanted(scenario: &Scenario, selected: &[String]) -> bool {
    selected.is_empty()
        || selected.iter().any(|start| {
            scenario
                .rows
                .iter()
                .any(|row| row.starts_with(start.as_str()) || start.starts_with(row))
        })
}

#[cfg(test)]
mod tests {
    use super::{is_wanted, scenarios};
    use crate::rows::{ROWS, SERIES};
    use crate::scale::{Scale, Size};

    #[test]
    fn every_row_is_measured_by_a_scenario() {
        let scenarios = scenarios(&Scale::new(Size::Quick));
        let rows = ROWS.iter().map(|row| row.name);
        for name in rows.chain(SERIES.iter().map(|series| series.name)) {
            let selected = [name.to_string()];
            assert!(scenarios.iter().any(|scenario| is_wanted(scenario, &selected)), "{name}");
        }
    }

    #[test]
    fn nothing_else_is_run_for_one_row() {
        let scenarios = scenarios(&Scale::new(Size::Quick));
        let wanted = |row: &str| -> Vec<_> {
            let selected = [row.to_string()];
            let wanted = scenarios.iter().filter(|scenario| is_wanted(scenario, &selected));
            wanted.map(|scenario| scenario.name).collect()
        };
        assert_eq!(wanted("durable-8"), ["durable"]);
        assert_eq!(wanted("compact-size"), ["overwrite"]);
        assert_eq!(wanted("aged-compact"), ["aged"]);
    }
}
