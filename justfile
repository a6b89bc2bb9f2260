# The steps of continuous integration, one by one. `just` lists them.

_list:
    @just --list --unsorted

# Everything that must pass before a change lands.
ci:
    .ci/run

# Format all code.
fmt:
    cargo fmt --all
    cargo fmt --manifest-path fuzz/Cargo.toml
    cargo fmt --manifest-path crates/compat/Cargo.toml
    cargo fmt --manifest-path benches/compare/Cargo.toml

# Formatting, as checked.
format:
    .ci/run format

# Sizes of files, unsafe code, dependencies between crates, the map of the code, the width of prose.
files:
    .ci/run files

# Licenses, duplicates and sources of dependencies. Skipped without cargo-deny.
deny:
    .ci/run deny

# Lints, warnings denied.
clippy:
    .ci/run clippy

# All tests.
test:
    .ci/run test

# Documentation, warnings denied.
docs:
    .ci/run docs

# Each library crate with its own features only.
alone:
    .ci/run alone

# Tests against the published crate.
compat:
    .ci/run compat

# That the comparison with other stores works.
compare:
    .ci/run compare

# Each published crate from its package. Wants a clean work tree.
package:
    .ci/run package

# The model of publication under all interleavings.
loom:
    .ci/run loom

# A fuzz target for a while, from a random seed.
fuzz target="open_bytes" seconds="300":
    cargo +nightly fuzz run {{target}} -- -max_total_time={{seconds}} -timeout=30 -max_len=4096

# Instructions of the hot paths, compared with benches/instructions.txt.
instructions:
    .ci/run instructions

# Benchmarks.
bench *args:
    cargo bench -p simd-r-drive-benches {{args}}

# Comparison with other stores. Takes about 25 minutes, and wants an idle machine.
compare-stores *args:
    cargo run --release --manifest-path benches/compare/Cargo.toml -- {{args}}
