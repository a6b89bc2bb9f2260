//! Human-readable sizes.

const UNITS: [(&str, u64); 3] = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)];

/// Formats `bytes` for people, in powers of 1,024: `"512 bytes"`, `"1.50 KB"`, `"3.00 GB"`.
pub fn format_bytes(bytes: u64) -> String {
    match UNITS.iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => format!("{:.2} {unit}", bytes as f64 / *size as f64),
        None => format!("{bytes} bytes"),
    }
}

/// Parses a number of bytes with an optional unit, in powers of 1,024: `"4096"`, `"64k"`, `"64
/// KB"`, `"2M"`, `"1gb"`.
///
/// # Errors
/// A sentence that names the part that cannot be parsed or is too large for this machine.
pub fn parse_buffer_size(size: &str) -> Result<usize, String> {
    let text = size.trim();
    let digits_len = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_len);
    let number: u64 =
        digits.parse().map_err(|_| format!("cannot read \"{size}\" as a number of bytes"))?;
    let unit = unit.trim().to_ascii_uppercase();
    let factor = match unit.as_str() {
        "" => 1,
        "K" | "KB" => 1 << 10,
        "M" | "MB" => 1 << 20,
        "G" | "GB" => 1 << 30,
        _ => return Err(format!("unknown unit \"{unit}\" in \"{size}\": use K, M or G")),
    };
    number
        .checked_mul(factor)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| format!("\"{size}\" is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_in_powers_of_1024() {
        let written: Vec<_> =
            [0, 1, 1023, 1024, 1536, 1 << 20, 1 << 30, 1 << 40].map(format_bytes).into();
        let expected = [
            "0 bytes",
            "1 bytes",
            "1023 bytes",
            "1.00 KB",
            "1.50 KB",
            "1.00 MB",
            "1.00 GB",
            "1024.00 GB",
        ];
        assert_eq!(written, expected);
    }

    #[test]
    fn sizes_are_read_with_and_without_units() {
        for (text, bytes) in
            [("0", 0), ("4096", 4096), ("64k", 65_536), (" 64 KB ", 65_536), ("1G", 1 << 30)]
        {
            assert_eq!(parse_buffer_size(text), Ok(bytes));
        }
        for text in
            ["", "K", "abc", "-1", "1.5K", "10XZ", "99999999999999999999", "18446744073709551615G"]
        {
            assert!(parse_buffer_size(text).is_err(), "{text}");
        }
    }
}
