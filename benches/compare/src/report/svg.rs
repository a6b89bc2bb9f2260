//! A picture of lines, rectangles and words.

use std::fmt::Write;

pub struct Canvas {
    width: f64,
    height: f64,
    body: String,
}

/// Where the given point of a text is.
#[derive(Debug, Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Pen<'a> {
    pub color: &'a str,
    pub width: f64,
    pub is_dashed: bool,
}

impl Canvas {
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    pub fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), color: &str) {
        self.put(&format!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{color}"/>"#
        ));
    }

    pub fn line(&mut self, points: &[(f64, f64)], pen: Pen<'_>) {
        let mut path = String::new();
        for (x, y) in points {
            write!(path, "{x:.1},{y:.1} ").expect("a string");
        }
        let dashes = if pen.is_dashed { r#" stroke-dasharray="4 3""# } else { "" };
        self.put(&format!(
            r#"<polyline points="{}" fill="none" stroke="{}" stroke-width="{}"{dashes}/>"#,
            path.trim_end(),
            pen.color,
            pen.width,
        ));
    }

    pub fn dot(&mut self, (x, y): (f64, f64), color: &str) {
        self.put(&format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="2.2" fill="{color}"/>"#));
    }

    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, is_bold: bool, text: &str) {
        let weight = if is_bold { r#" font-weight="bold""# } else { "" };
        let anchor = anchor.name();
        let text = escaped(text);
        self.put(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}"{weight}>{text}</text>"#
        ));
    }

    fn put(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// The whole file. It has a background, since documents are shown on light and on dark ones.
    pub fn finish(self) -> String {
        let Self { width, height, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"11\" \
             fill=\"#222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{Anchor, Canvas};

    #[test]
    fn words_are_escaped() {
        let mut canvas = Canvas::new(10.0, 10.0);
        canvas.text((1.0, 2.0), Anchor::Middle, true, "a < b & c");
        let file = canvas.finish();
        assert!(file.contains("a &lt; b &amp; c"));
        assert!(file.starts_with("<svg") && file.trim_end().ends_with("</svg>"));
    }
}
