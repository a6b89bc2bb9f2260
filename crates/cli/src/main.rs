//! The `simd-r-drive` command.

fn main() {}
