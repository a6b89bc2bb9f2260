//! A chart of lines over two logarithmic axes.

use super::svg::{Anchor, Canvas, Pen};

pub const WIDTH: f64 = 460.0;
pub const HEIGHT: f64 = 320.0;

const LEFT: f64 = 62.0;
const RIGHT: f64 = 26.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 42.0;

const GRID: Pen<'_> = Pen { color: "#e3e3e3", width: 1.0, is_dashed: false };

pub struct Chart<'a> {
    pub title: String,
    pub axis: &'a str,
    /// Places on the lower axis, with their words, from left to right.
    pub ticks: Vec<(f64, String)>,
    pub lines: Vec<Line<'a>>,
    /// The words of a power of ten on the left axis.
    pub power: fn(f64) -> String,
}

pub struct Line<'a> {
    pub pen: Pen<'a>,
    /// The second of each pair is above zero.
    pub points: Vec<(f64, f64)>,
}

impl Chart<'_> {
    /// Nothing is drawn of a chart without points.
    pub fn draw(&self, canvas: &mut Canvas, (left, top): (f64, f64)) {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let (Some(first), Some(last)) = (self.ticks.first(), self.ticks.last()) else { return };
        if points().next().is_none() {
            return;
        }
        let low = points().map(|(_, y)| y.log10()).fold(f64::MAX, f64::min).floor();
        let high = points().map(|(_, y)| y.log10()).fold(f64::MIN, f64::max).ceil().max(low + 1.0);
        let (x_low, x_span) = (first.0, (last.0 - first.0).max(1e-9));
        let place_x = |x: f64| left + LEFT + (x - x_low) / x_span * (WIDTH - LEFT - RIGHT);
        let place_y =
            |y: f64| top + HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM);
        let (bottom, right) = (place_y(low), place_x(last.0));

        canvas.text((left + LEFT, top + 20.0), Anchor::Start, true, &self.title);
        let mut power = low;
        while power <= high {
            let y = place_y(power);
            canvas.line(&[(left + LEFT, y), (right, y)], GRID);
            let words = (self.power)(10_f64.powf(power));
            canvas.text((left + LEFT - 6.0, y + 4.0), Anchor::End, false, &words);
            power += 1.0;
        }
        for (x, words) in &self.ticks {
            let x = place_x(*x);
            canvas.line(&[(x, bottom), (x, top + TOP)], GRID);
            canvas.text((x, bottom + 15.0), Anchor::Middle, false, words);
        }
        let middle = f64::midpoint(left + LEFT, right);
        canvas.text((middle, bottom + 31.0), Anchor::Middle, false, self.axis);
        for line in &self.lines {
            let placed: Vec<_> =
                line.points.iter().map(|(x, y)| (place_x(*x), place_y(y.log10()))).collect();
            canvas.line(&placed, line.pen);
            placed.iter().for_each(|point| canvas.dot(*point, line.pen.color));
        }
    }
}
