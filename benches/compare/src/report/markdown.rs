//! The tables, as they can be pasted into a document.

use std::fmt::Write;

use super::format::{figure, power};
use crate::results::{Results, StoreResults};
use crate::rows::{ROWS, Row, SERIES, Series};
use crate::stats::Summary;
use crate::stores::profiles;

pub fn render(results: &Results) -> String {
    let mut text = String::new();
    let mut sections = vec![machine(results), settings(results)];
    if results.stores.iter().any(|store| !store.figures.is_empty()) {
        sections.push(main_table(results));
        sections.extend(SERIES.iter().filter_map(|series| series_table(results, series)));
        sections.push(spreads(results));
    }
    sections.push(calls(results));
    sections.push(missing(results));
    for section in sections.iter().filter(|section| !section.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(section);
    }
    text
}

fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    text.push_str(&line(head));
    text.push_str(&line(&vec!["---".to_string(); head.len()]));
    rows.iter().for_each(|row| text.push_str(&line(row)));
    text
}

fn machine(results: &Results) -> String {
    let mut text = format!("Size: {}. ", results.size);
    if results.size == "quick" {
        text.push_str("Such a run shows that everything works. Its figures mean nothing. ");
    }
    for (name, value) in &results.machine {
        write!(text, "\n- {name}: {value}").expect("a string");
    }
    text + "\n"
}

fn settings(results: &Results) -> String {
    let rows: Vec<_> = results
        .stores
        .iter()
        .map(|store| vec![store.name.clone(), store.version.clone(), store.settings.clone()])
        .collect();
    table(&["store", "version", "settings"].map(String::from), &rows)
}

/// The best of the other stores, without the floors.
fn best_rival<'a>(results: &'a Results, row: &Row) -> Option<(&'a StoreResults, f64)> {
    let rivals = results.stores.iter().filter(|store| !store.is_ours() && !store.is_floor());
    let mut best: Option<(&StoreResults, f64)> = None;
    for store in rivals {
        let Some(value) = store.median(row.name) else { continue };
        if best.is_none_or(|(_, other)| row.better.best([value, other].into_iter()) != Some(other))
        {
            best = Some((store, value));
        }
    }
    best
}

fn main_table(results: &Results) -> String {
    let mut head = vec!["row".to_string(), "unit".to_string()];
    head.extend(results.stores.iter().map(|store| store.name.clone()));
    head.push("ahead of the best rival".into());
    let mut rows = Vec::new();
    for row in ROWS {
        let cells: Vec<_> = results
            .stores
            .iter()
            .map(|store| {
                store.median(row.name).map_or(String::new(), |value| figure(value, row.unit))
            })
            .collect();
        if cells.iter().all(String::is_empty) {
            continue;
        }
        let title = format!("{} (`{}`)", row.title, row.name);
        let mut line = vec![title, row.unit.name().to_string()];
        line.extend(cells);
        line.push(ahead(results, row));
        rows.push(line);
    }
    let note = "Medians of rounds. In the last column, how many times better than the best rival this store is: \
        less than 1 is a loss.\n\n";
    note.to_string() + &table(&head, &rows)
}

/// How far ahead this store is, and of whom.
fn ahead(results: &Results, row: &Row) -> String {
    let ours = results.stores.iter().find(|store| store.is_ours());
    let Some(ours) = ours.and_then(|store| store.median(row.name)) else { return String::new() };
    let Some((rival, value)) = best_rival(results, row) else { return String::new() };
    match row.better.times(ours, value) {
        Some(times) if times < 1.0 => format!("**{times:.2}** ({})", rival.name),
        Some(times) => format!("{times:.2} ({})", rival.name),
        None => format!("({})", rival.name),
    }
}

fn series_table(results: &Results, series: &Series) -> Option<String> {
    let all: Vec<_> = results.stores.iter().map(|store| store.series(series.name)).collect();
    let mut places: Vec<u64> = all.iter().flatten().map(|(x, _)| *x).collect();
    places.sort_unstable();
    places.dedup();
    if places.is_empty() {
        return None;
    }
    let mut head = vec![series.axis.to_string()];
    head.extend(results.stores.iter().map(|store| store.name.clone()));
    let rows: Vec<_> = places
        .iter()
        .map(|place| {
            let mut line = vec![power(*place)];
            line.extend(all.iter().map(|points| {
                let found = points.iter().find(|(x, _)| x == place);
                found.map_or(String::new(), |(_, value)| figure(*value, series.unit))
            }));
            line
        })
        .collect();
    let title = format!("`{}`: {}, {}\n\n", series.name, series.title, series.unit.name());
    Some(title + &table(&head, &rows))
}

/// How far rounds were apart.
fn spreads(results: &Results) -> String {
    let mut head = vec!["row".to_string()];
    head.extend(results.stores.iter().map(|store| store.name.clone()));
    let mut rows = Vec::new();
    for row in ROWS {
        let shown = |summary: Summary| {
            format!("{} – {}", figure(summary.min, row.unit), figure(summary.max, row.unit))
        };
        let cells: Vec<_> = results
            .stores
            .iter()
            .map(|store| store.figure(row.name).and_then(|f| f.summary()).filter(|s| s.rounds > 1))
            .map(|summary| summary.map_or(String::new(), shown))
            .collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            rows.push([vec![format!("`{}`", row.name)], cells].concat());
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    "Lowest and highest of the rounds.\n\n".to_string() + &table(&head, &rows)
}

/// Rows for which the same calls are measured share a line.
fn calls(results: &Results) -> String {
    let profiles: Vec<_> = results
        .stores
        .iter()
        .filter_map(|store| profiles().into_iter().find(|profile| profile.name == store.name))
        .collect();
    let mut head = vec!["rows".to_string()];
    head.extend(profiles.iter().map(|profile| profile.name.to_string()));
    let mut lines: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for row in ROWS.iter().filter(|row| !row.title.starts_with('…')) {
        if !results.stores.iter().any(|store| store.figure(row.name).is_some()) {
            continue;
        }
        let cells: Vec<_> =
            profiles.iter().map(|profile| (row.call)(&profile.calls).to_string()).collect();
        match lines.iter_mut().find(|(_, other)| *other == cells) {
            Some((names, _)) => names.push(row.name),
            None => lines.push((vec![row.name], cells)),
        }
    }
    let mut rows: Vec<Vec<String>> = lines
        .into_iter()
        .map(|(names, cells)| {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            [vec![names.join(", ")], cells].concat()
        })
        .collect();
    let settle = profiles.iter().map(|profile| profile.calls.settle.to_string());
    rows.push(
        std::iter::once("before rows that are not `-live`".to_string()).chain(settle).collect(),
    );
    "What is called.\n\n".to_string() + &table(&head, &rows)
}

fn missing(results: &Results) -> String {
    let mut text = String::new();
    for store in &results.stores {
        for missing in &store.missing {
            writeln!(text, "- {}, `{}`: {}", store.name, missing.row, missing.why)
                .expect("a string");
        }
    }
    if text.is_empty() { text } else { format!("What is missing, and why.\n\n{text}") }
}

#[cfg(test)]
mod tests {
    use super::{ahead, render};
    use crate::findings::{Finding, Findings, Missing};
    use crate::results::{Results, StoreResults};
    use crate::rows::row_by_name;

    fn store(name: &str, kind: &str, figures: &[(&str, Option<u64>, f64)]) -> StoreResults {
        let mut store = StoreResults { name: name.into(), kind: kind.into(), ..Default::default() };
        for (row, x, value) in figures {
            let found = Finding { row: (*row).into(), x: *x, value: *value, quantiles: Vec::new() };
            store.add(Findings { found: vec![found], ..Default::default() });
        }
        store
    }

    fn results() -> Results {
        let mut slow = store("slow", "rival", &[("get", None, 1e6), ("get-hot", None, 300.0)]);
        slow.missing.push(Missing { row: "scan".into(), why: "no".into(), is_unsupported: true });
        Results {
            stores: vec![
                store(
                    "us",
                    "ours",
                    &[("get", None, 3e6), ("get-hot", None, 60.0), ("size-get", Some(1000), 90.0)],
                ),
                store("fast", "rival", &[("get", None, 2e6), ("get-hot", None, 30.0)]),
                slow,
                store("floor", "floor", &[("get", None, 9e6), ("get-hot", None, 10.0)]),
            ],
            ..Default::default()
        }
    }

    #[test]
    fn the_best_rival_is_named_and_floors_are_none() {
        let results = results();
        assert_eq!(ahead(&results, row_by_name("get").unwrap()), "1.50 (fast)");
        assert_eq!(ahead(&results, row_by_name("get-hot").unwrap()), "**0.50** (fast)");
        assert_eq!(ahead(&results, row_by_name("scan").unwrap()), "");
    }

    #[test]
    fn tables_have_a_cell_for_each_store() {
        let text = render(&results());
        let row = "| random get (`get`) | per s | 3 M | 2 M | 1 M | 9 M | 1.50 (fast) |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| 1 k | 90 |  |  |  |"), "{text}");
        assert!(text.contains("- slow, `scan`: no"), "{text}");
        assert!(!text.contains("`scan`)"), "a row that nobody has");
    }
}
