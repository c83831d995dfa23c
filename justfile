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

# Times of single operations; ARGS such as a part of a name go to the bench
bench *ARGS:
    cargo bench --locked --bench operations -- {{ARGS}}

# Training steps of whole networks beside PyTorch's; PYTHON is one that has torch
bench-peers PYTHON="python3" *ARGS="":
    cargo bench --locked --bench steps --no-run
    {{PYTHON}} benches/peers/compare.py {{ARGS}} -- cargo bench --locked --quiet --bench steps --

# The README's quick start
quickstart:
    cargo run --locked -- run experiments/quickstart.toml

# What CI runs, from start to end
ci:
    bash .ci/run
