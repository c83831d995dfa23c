# What every recipe does is what CI does: both call the same commands.

# List the recipes
default:
    @just --list

# Everything that CI checks, except for the quick start
check: format lint test

# Fail if the code is not formatted
format:
    cargo fmt --check

# Clippy on every target, warnings are errors
lint:
    cargo clippy --locked --all-targets -- -D warnings

# All tests
test:
    cargo test --locked

# The README's quick start
quickstart:
    cargo run --locked -- run experiments/quickstart.toml

# What CI runs, from start to end
ci:
    bash .ci/run
