//! Numbers as people read them.

use crate::rows::Unit;

/// With three digits, and thousands or millions as such.
pub fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond if value >= 1e6 => format!("{} M", digits(value / 1e6)),
        Unit::PerSecond if value >= 1e4 => format!("{} k", digits(value / 1e3)),
        Unit::Percent if value > 0.0 && value < 0.01 => "< 0.01".into(),
        _ => digits(value),
    }
}

/// Three significant digits, and all those before the point.
pub fn digits(value: f64) -> String {
    let size = value.abs();
    let places = match size {
        _ if size == 0.0 || size >= 100.0 => 0,
        _ if size >= 10.0 => 1,
        _ if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.places$}");
    match text.split_once('.') {
        Some((whole, part)) if part.bytes().all(|digit| digit == b'0') && size >= 1.0 => {
            whole.into()
        }
        Some(_) => text,
        None => grouped(&text),
    }
}

/// `12,345`.
fn grouped(digits: &str) -> String {
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number on an axis of powers of ten.
pub fn power(value: u64) -> String {
    match value {
        _ if value >= 1 << 20 && value.is_power_of_two() => format!("{} Mi", value >> 20),
        _ if value >= 1 << 10 && value.is_power_of_two() => format!("{} Ki", value >> 10),
        _ if value >= 1_000_000 && value.is_multiple_of(1_000_000) => {
            format!("{} M", value / 1_000_000)
        }
        _ if value >= 1_000 && value.is_multiple_of(1_000) => format!("{} k", value / 1_000),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{digits, figure, power};
    use crate::rows::Unit;

    #[test]
    fn three_digits_are_kept() {
        let shown: Vec<_> = [0.0, 0.0234, 1.0, 1.234, 12.34, 123.4, 1234.0, 1_234_567.0]
            .into_iter()
            .map(digits)
            .collect();
        assert_eq!(shown, ["0", "0.023", "1", "1.23", "12.3", "123", "1,234", "1,234,567"]);
    }

    #[test]
    fn rates_are_in_thousands_and_millions() {
        assert_eq!(figure(2_345_678.0, Unit::PerSecond), "2.35 M");
        assert_eq!(figure(23_456.0, Unit::PerSecond), "23.5 k");
        assert_eq!(figure(2_345.0, Unit::PerSecond), "2,345");
        assert_eq!(figure(23_456.0, Unit::Nanoseconds), "23,456");
        assert_eq!(figure(0.001, Unit::Percent), "< 0.01");
    }

    #[test]
    fn places_on_an_axis_are_short() {
        let shown: Vec<_> = [8, 1 << 10, 16 << 20, 10_000, 10_000_000].map(power).into();
        assert_eq!(shown, ["8", "1 Ki", "16 Mi", "10 k", "10 M"]);
    }
}
