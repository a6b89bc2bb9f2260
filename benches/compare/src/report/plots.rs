//! The plots: bars of each row, latencies, and what changes with the size of stores and of values.

use super::chart::{self, Chart, Line};
use super::format::{digits, figure, power};
use super::svg::{Anchor, Canvas, Pen};
use crate::results::{Results, StoreResults};
use crate::rows::{LATENCIES, ROWS, Row, SERIES, Series, row_by_name};
use crate::stats::Better;

const COLUMNS: usize = 3;

/// A name and a file of each.
pub fn render(results: &Results) -> Vec<(String, String)> {
    let rows = |is_wanted: fn(&str) -> bool| -> Vec<&Row> {
        ROWS.iter().filter(|row| !row.name.ends_with("-live") && is_wanted(row.name)).collect()
    };
    let pictures = [
        ("bars-reads", bars(results, &rows(is_read))),
        ("bars-writes", bars(results, &rows(is_write))),
        ("bars-upkeep", bars(results, &rows(|name| !is_read(name) && !is_write(name)))),
        ("latency", latencies(results)),
        ("sizes", all_series(results, "size-")),
        ("lengths", all_series(results, "length-")),
    ];
    pictures
        .into_iter()
        .filter_map(|(name, picture)| Some((format!("{name}.svg"), picture?)))
        .collect()
}

fn is_read(name: &str) -> bool {
    ["get", "view", "absent", "batch", "scan"].iter().any(|start| name.starts_with(start))
}

fn is_write(name: &str) -> bool {
    let is_compaction = name.contains("compact");
    !is_compaction
        && ["load", "overwrite", "put", "durable", "beside", "aged"]
            .iter()
            .any(|start| name.starts_with(start))
}

/// The color of a store in all plots, by its place in the tables.
fn color(store: &StoreResults, place: usize) -> &'static str {
    const COLORS: [&str; 12] = [
        "#4c78a8", "#54a24b", "#b279a2", "#72b7b2", "#eeca3b", "#9d755d", "#e45756", "#7f7fd5",
        "#2f7f5f", "#c08fd0", "#6b8e23", "#5f9ea0",
    ];
    match store.kind.as_str() {
        "ours" => "#f2600c",
        "floor" => "#a0a0a0",
        _ => COLORS[place % COLORS.len()],
    }
}

fn pen(store: &StoreResults, place: usize) -> Pen<'static> {
    let width = if store.is_ours() { 2.6 } else { 1.4 };
    // The second floor is told from the first.
    let color = if store.name.starts_with("memory") { "#606060" } else { color(store, place) };
    Pen { color, width, is_dashed: store.is_floor() }
}

const PANEL_WIDTH: f64 = 340.0;
const BAR_LEFT: f64 = 100.0;
const BAR_LEN: f64 = 165.0;
const BAR_HEIGHT: f64 = 14.0;

fn bars(results: &Results, rows: &[&Row]) -> Option<String> {
    let panels: Vec<_> = rows
        .iter()
        .filter(|row| results.stores.iter().any(|store| store.median(row.name).is_some()))
        .collect();
    if panels.is_empty() {
        return None;
    }
    let panel_height = 40.0 + BAR_HEIGHT * results.stores.len() as f64;
    let columns = COLUMNS.min(panels.len());
    let lines = panels.len().div_ceil(columns);
    let mut canvas = Canvas::new(PANEL_WIDTH * columns as f64, panel_height * lines as f64 + 6.0);
    for (place, row) in panels.iter().enumerate() {
        let left = PANEL_WIDTH * (place % columns) as f64;
        let top = panel_height * (place / columns) as f64;
        panel(&mut canvas, results, row, (left, top));
    }
    Some(canvas.finish())
}

/// The stores of one row, the best first.
fn panel(canvas: &mut Canvas, results: &Results, row: &Row, (left, top): (f64, f64)) {
    let mut bars: Vec<_> = results
        .stores
        .iter()
        .enumerate()
        .filter_map(|(place, store)| Some((place, store, store.median(row.name)?)))
        .collect();
    bars.sort_by(|(_, _, one), (_, _, other)| match row.better {
        Better::Higher => other.total_cmp(one),
        Better::Lower => one.total_cmp(other),
    });
    let direction = match row.better {
        Better::Higher => "longer is better",
        Better::Lower => "shorter is better",
    };
    canvas.text((left + 10.0, top + 16.0), Anchor::Start, true, &full_title(row));
    let note = format!("{}, {direction}", row.unit.name());
    canvas.text((left + 10.0, top + 29.0), Anchor::Start, false, &note);
    // Floors may be longer than the picture is wide: stores are what is to be compared.
    let stores = bars.iter().filter(|(_, store, _)| !store.is_floor());
    let longest = stores.map(|(_, _, value)| *value).fold(0.0, f64::max);
    let longest =
        if longest > 0.0 { longest } else { bars.iter().map(|bar| bar.2).fold(1e-9, f64::max) };
    for (line, (place, store, value)) in bars.into_iter().enumerate() {
        let y = top + 36.0 + BAR_HEIGHT * line as f64;
        canvas.text((left + BAR_LEFT - 6.0, y + 9.5), Anchor::End, store.is_ours(), &store.name);
        let share = value / longest;
        let len = (share.min(1.0) * BAR_LEN).max(1.0);
        canvas.rectangle((left + BAR_LEFT, y), (len, BAR_HEIGHT - 3.0), color(store, place));
        let words = figure(value, row.unit);
        let words = if share > 1.0 { format!("» {words}") } else { words };
        canvas.text((left + BAR_LEFT + len + 5.0, y + 9.5), Anchor::Start, store.is_ours(), &words);
    }
}

/// A title that goes on from the row above is told as a whole.
fn full_title(row: &Row) -> String {
    let Some(rest) = row.title.strip_prefix('…') else { return row.title.into() };
    let place = ROWS.iter().position(|other| other.name == row.name).unwrap_or(0);
    let whole = ROWS[..place].iter().rev().find(|other| !other.title.starts_with('…'));
    let whole = whole.map_or("", |other| other.name);
    format!("{whole}: {}", rest.trim())
}

/// Charts in a grid, with the names of all stores below.
fn charts(results: &Results, charts: &[Chart<'_>]) -> Option<String> {
    const LEGEND: f64 = 44.0;
    let charts: Vec<_> = charts
        .iter()
        .filter(|chart| chart.lines.iter().any(|line| !line.points.is_empty()))
        .collect();
    if charts.is_empty() {
        return None;
    }
    let columns = 2.min(charts.len());
    let lines = charts.len().div_ceil(columns);
    let (width, height) = (chart::WIDTH * columns as f64, chart::HEIGHT * lines as f64);
    let mut canvas = Canvas::new(width.max(chart::WIDTH), height + LEGEND);
    for (place, chart) in charts.iter().enumerate() {
        let left = chart::WIDTH * (place % columns) as f64;
        chart.draw(&mut canvas, (left, chart::HEIGHT * (place / columns) as f64));
    }
    let (mut x, mut y) = (20.0, height + 12.0);
    for (place, store) in results.stores.iter().enumerate() {
        let needed = 44.0 + 6.6 * store.name.len() as f64;
        if x + needed > width {
            (x, y) = (20.0, y + 16.0);
        }
        canvas.line(&[(x, y), (x + 20.0, y)], pen(store, place));
        canvas.text((x + 25.0, y + 4.0), Anchor::Start, store.is_ours(), &store.name);
        x += needed;
    }
    Some(canvas.finish())
}

fn nanoseconds(value: f64) -> String {
    match value {
        _ if value >= 1e9 => format!("{} s", digits(value / 1e9)),
        _ if value >= 1e6 => format!("{} ms", digits(value / 1e6)),
        _ if value >= 1e3 => format!("{} µs", digits(value / 1e3)),
        _ => format!("{} ns", digits(value)),
    }
}

fn latencies(results: &Results) -> Option<String> {
    /// Where the longest wait is, one step after the last quantile.
    const LONGEST: f64 = 6.0;
    let place = |quantile: f64| {
        if quantile >= 1.0 { LONGEST } else { -(1.0 - quantile).log10() }
    };
    let ticks: Vec<(f64, String)> =
        [(0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")]
            .iter()
            .map(|(quantile, words)| (place(*quantile), (*words).to_string()))
            .chain([(LONGEST, "longest".to_string())])
            .collect();
    let all: Vec<_> = LATENCIES
        .iter()
        .filter_map(|name| row_by_name(name))
        .map(|row| Chart {
            title: row.title.trim_end_matches(", median").trim_end_matches(", entries").into(),
            axis: "of the operations take at most so long",
            ticks: ticks.clone(),
            lines: lines(results, |store| {
                let quantiles = store.figure(row.name).map(|f| f.median_quantiles());
                let quantiles = quantiles.unwrap_or_default().into_iter();
                quantiles
                    .filter(|(quantile, nanoseconds)| *quantile >= 0.5 && *nanoseconds > 0.0)
                    .map(|(quantile, nanoseconds)| (place(quantile), nanoseconds))
                    .collect()
            }),
            power: nanoseconds,
        })
        .collect();
    charts(results, &all)
}

fn lines<'a>(
    results: &'a Results,
    points: impl Fn(&StoreResults) -> Vec<(f64, f64)>,
) -> Vec<Line<'a>> {
    let mut lines: Vec<_> = results
        .stores
        .iter()
        .enumerate()
        .map(|(place, store)| {
            (store.is_ours(), Line { pen: pen(store, place), points: points(store) })
        })
        .collect();
    // Ours is drawn last, above the others.
    lines.sort_by_key(|(is_ours, _)| *is_ours);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn all_series(results: &Results, start: &str) -> Option<String> {
    let all: Vec<_> = SERIES
        .iter()
        .filter(|series| series.name.starts_with(start))
        .map(|series| series_chart(results, series))
        .collect();
    charts(results, &all)
}

fn series_chart<'a>(results: &'a Results, series: &'a Series) -> Chart<'a> {
    let mut places: Vec<u64> =
        results.stores.iter().flat_map(|store| store.series(series.name)).map(|(x, _)| x).collect();
    places.sort_unstable();
    places.dedup();
    Chart {
        title: format!("{}, {}", series.title, series.unit.name()),
        axis: series.axis,
        ticks: places.iter().map(|x| ((*x as f64).log10(), power(*x))).collect(),
        lines: lines(results, |store| {
            let points = store.series(series.name).into_iter();
            points.filter(|(_, y)| *y > 0.0).map(|(x, y)| ((x as f64).log10(), y)).collect()
        }),
        power: |value| match value {
            _ if value >= 1e6 => format!("{} M", digits(value / 1e6)),
            _ if value >= 1e4 => format!("{} k", digits(value / 1e3)),
            _ if value < 1.0 => value.to_string(),
            _ => digits(value),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::findings::{Finding, Findings};
    use crate::results::{Results, StoreResults};
    use crate::rows::{ROWS, SERIES};

    fn store(name: &str, kind: &str, factor: f64) -> StoreResults {
        let mut store = StoreResults { name: name.into(), kind: kind.into(), ..Default::default() };
        let quantiles = vec![(0.5, 100.0 * factor), (0.99, 900.0 * factor), (1.0, 1e6 * factor)];
        let rows = ROWS.iter().map(|row| Finding {
            row: row.name.into(),
            x: None,
            value: factor,
            quantiles: quantiles.clone(),
        });
        let points = SERIES.iter().flat_map(|series| {
            [10, 1000].map(|x| Finding {
                row: series.name.into(),
                x: Some(x),
                value: factor * x as f64,
                quantiles: Vec::new(),
            })
        });
        store.add(Findings { found: rows.chain(points).collect(), ..Default::default() });
        store
    }

    #[test]
    fn every_plot_has_every_store() {
        let results = Results {
            stores: vec![
                store("us", "ours", 2.0),
                store("them", "rival", 1.0),
                store("floor", "floor", 9.0),
            ],
            ..Default::default()
        };
        let plots = render(&results);
        assert_eq!(plots.len(), 6);
        for (name, plot) in plots {
            assert!(!plot.contains("NaN") && !plot.contains("inf"), "{name}");
            for store in ["us", "them", "floor"] {
                assert!(plot.contains(&format!(">{store}</text>")), "{name}, {store}");
            }
        }
    }

    #[test]
    fn a_row_that_nobody_has_is_not_drawn() {
        assert!(render(&Results::default()).is_empty());
        let zero = StoreResults { name: "us".into(), kind: "ours".into(), ..Default::default() };
        assert!(render(&Results { stores: vec![zero], ..Default::default() }).is_empty());
    }

    #[test]
    fn zeros_are_drawn_as_such() {
        let results = Results { stores: vec![store("us", "ours", 0.0)], ..Default::default() };
        for (name, plot) in render(&results) {
            assert!(!plot.contains("NaN") && !plot.contains("inf"), "{name}");
        }
    }
}
