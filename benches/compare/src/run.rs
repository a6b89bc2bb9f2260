//! Rounds: each runs every store once, in another order than the one before.

use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::args::Args;
use crate::machine;
use crate::process::{Order, execute};
use crate::results::{Results, StoreResults};
use crate::scale::Scale;
use crate::scenarios::{Scenario, is_wanted, scenarios};
use crate::stats::rotated;
use crate::store::Kind;
use crate::stores::profiles;

/// # Errors
/// If there is no place for the stores.
pub fn run(args: &Args) -> Result<Results, String> {
    let scale = Scale::new(args.size);
    let parent = args.directory.clone().unwrap_or_else(std::env::temp_dir);
    fs::create_dir_all(&parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    let place = tempfile::Builder::new()
        .prefix("compare-")
        .tempdir_in(&parent)
        .map_err(|error| format!("{}: {error}", parent.display()))?;
    let mut results = Results {
        machine: machine::describe(place.path()),
        size: scale.size.name().into(),
        stores: chosen(args),
    };
    let started = Instant::now();
    for scenario in scenarios(&scale) {
        if !is_wanted(&scenario, &args.rows) {
            continue;
        }
        for round in 0..args.rounds.unwrap_or(scenario.rounds) {
            for store in rotated(results.stores.len(), round) {
                let store = &mut results.stores[store];
                let began = Instant::now();
                one(&scenario, store, args, &scale, place.path())?;
                eprintln!(
                    "{:>6.1} s  {} {}, round {}, {}: {:.1?}",
                    started.elapsed().as_secs_f64(),
                    scenario.name,
                    scenario.steps.first().map_or(0, |step| step.argument),
                    round + 1,
                    store.name,
                    began.elapsed(),
                );
            }
        }
    }
    Ok(results)
}

fn chosen(args: &Args) -> Vec<StoreResults> {
    let is_chosen = |name: &str| args.stores.contains(&name);
    profiles()
        .into_iter()
        .filter(|profile| is_chosen(profile.name))
        .map(|profile| StoreResults {
            name: profile.name.into(),
            version: machine::version(profile.package),
            kind: match profile.kind {
                Kind::Ours => "ours",
                Kind::Rival => "rival",
                Kind::Floor => "floor",
            }
            .into(),
            settings: profile.settings.into(),
            ..Default::default()
        })
        .collect()
}

/// All steps of a scenario with one store.
fn one(
    scenario: &Scenario,
    store: &mut StoreResults,
    args: &Args,
    scale: &Scale,
    place: &Path,
) -> Result<(), String> {
    // What the store before has left to be written would slow this one down.
    settle_file_system(place);
    let directory = tempfile::tempdir_in(place).map_err(|error| error.to_string())?;
    let mut told = 0;
    for planned in &scenario.steps {
        let argument = if planned.argument > 0 { planned.argument } else { told };
        let order = Order {
            store: &store.name,
            planned,
            argument,
            directory: directory.path(),
            scale,
            selected: &args.rows,
        };
        let (findings, acknowledged) = execute(&order);
        told = acknowledged;
        for missing in &findings.missing {
            if !missing.is_unsupported {
                eprintln!("        {}: {}: {}", store.name, missing.row, missing.why);
            }
        }
        let is_over = findings.is_over;
        store.add(findings);
        if is_over {
            break;
        }
    }
    Ok(())
}

fn settle_file_system(place: &Path) {
    if let Ok(directory) = fs::File::open(place) {
        rustix::fs::syncfs(&directory).ok();
    }
}

/// # Errors
/// If a store has answered wrongly, or ours has failed.
pub fn verdict(results: &Results) -> Result<(), String> {
    let mut bad = Vec::new();
    for store in &results.stores {
        for missing in &store.missing {
            let is_wrong = missing.why.contains("WRONG ANSWER");
            if is_wrong || (store.is_ours() && !missing.is_unsupported) {
                bad.push(format!("{}: {}: {}", store.name, missing.row, missing.why));
            }
        }
    }
    if bad.is_empty() { Ok(()) } else { Err(bad.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::verdict;
    use crate::findings::{Missing, WrongAnswer};
    use crate::results::{Results, StoreResults};

    fn results(kind: &str, why: &str, is_unsupported: bool) -> Results {
        let missing = Missing { row: "get".into(), why: why.into(), is_unsupported };
        let store =
            StoreResults { kind: kind.into(), missing: vec![missing], ..Default::default() };
        Results { stores: vec![store], ..Default::default() }
    }

    #[test]
    fn a_run_fails_for_a_wrong_answer_of_anybody() {
        let why = WrongAnswer("get of entry 7".into()).to_string();
        assert!(verdict(&results("rival", &why, false)).unwrap_err().contains("entry 7"));
    }

    #[test]
    fn a_run_fails_for_any_failure_of_ours() {
        assert!(verdict(&results("ours", "no space left", false)).is_err());
        assert!(verdict(&results("ours", "cannot", true)).is_ok());
        assert!(verdict(&results("rival", "no space left", false)).is_ok());
    }
}
