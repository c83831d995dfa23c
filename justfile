# What every recipe does is what CI does: both call the same commands.

# List the recipes
default:
    @just --list

# Everything that CI checks, except for the quick start
check: format lint test

# Fail if the code is not formatted
format:
    cargo fmt --all --check

# Clippy on every target, warnings are errors
lint:
    cargo clippy --locked --all-targets --workspace -- -D warnings

# All tests
test:
    cargo test --locked

# The tests of the kernels with checks of overflows and of what is unsafe, not optimised
test-checked:
    cargo test --locked -p candlewick-kernels --lib --config profile.dev.package.candlewick-kernels.opt-level=0 --config profile.dev.package.candlewick-kernels.debug-assertions=true --config profile.dev.package.candlewick-kernels.overflow-checks=true

# The numerical tests under each instruction set that this processor has
test-sets:
    bash tests/instruction_sets.sh

# All experiments leave the same bytes behind without an instruction for a product and a sum; a quarter of an hour
test-portable:
    CANDLEWICK_INSTRUCTIONS=portable cargo test --locked --test integration -- --ignored all_experiments_keep

# What Miri can run of the unsafe parts; needs a nightly toolchain with the component miri
miri:
    cargo +nightly miri test -p candlewick-basis --lib -- memory::gaps::tests::what memory::gaps::tests::gaps instructions
    MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-ignore-leaks" cargo +nightly miri test -p candlewick-kernels --lib -- simd:: streaming::tests::a_part merge::tests::a_value rectified_pool::tests::it_is rectified_pool::tests::a_norm threads::convolutions
    MIRIFLAGS="-Zmiri-disable-isolation" cargo +nightly miri test -p candlewick-weights --lib

# N power cuts in the middle of sweeps, simulated from what strace has seen; ARGS, as --only pruning, go to simulate.py
power-cuts N="100000" *ARGS="":
    cargo build --locked --release
    python3 tests/power_loss/simulate.py target/release/wick --cuts {{N}} {{ARGS}}

# Single calls of the system fail in sweeps, one after the other; ARGS, as --every 3, go to faults.py
faults *ARGS:
    cargo build --locked --release
    python3 tests/power_loss/faults.py target/release/wick {{ARGS}}

# What takes too long for every change: 200 kills, mutants, Miri
nightly: miri mutants
    cargo test --locked --test integration -- --ignored two_hundred_kills --nocapture

# 2,000 results folders with a flipped bit, 2,000 checkpoints with a tampered card
mutants:
    cargo test --locked --test integration -- --ignored two_thousand_flipped_bits --nocapture
    cargo test --locked --lib -- --ignored two_thousand_tampered_cards

# 1,000,000 JPEGs and epochs on them within 1.5 GB; needs 16 GB of disk and about an hour; ARGS, as --form tar, go to million.py
million FASHION PYTHON="python3" *ARGS="":
    cargo build --locked --release
    {{PYTHON}} benches/million.py target/release/wick {{FASHION}} {{ARGS}}

# README's two commands, one after the other, from nothing compiled
newcomer:
    CARGO_TARGET_DIR=$(mktemp -d) sh -c 'time cargo run --locked -- run experiments/quickstart.toml --results $CARGO_TARGET_DIR/results && time cargo test --locked'

# Times of single operations; ARGS such as a part of a name go to the bench
bench *ARGS:
    cargo bench --locked --bench operations -- {{ARGS}}

# The logits of eleven presets that are too large for every change, against torchvision's
test-presets:
    cargo test --locked --test integration -- --ignored eleven_larger_presets

# Training steps beside PyTorch's, by a Python that has torch; ARGS go to compare.py
bench-peers PYTHON="python3" *ARGS="":
    cargo build --locked --release
    {{PYTHON}} benches/peers/compare.py target/release/wick {{ARGS}}

# Two training processes at once beside one, by turns; ARGS go to scaling.py
bench-scaling *ARGS:
    cargo build --locked --release
    python3 benches/scaling.py target/release/wick {{ARGS}}

# Transforms beside Albumentations', by a Python that has it; ARGS go to compare_augment.py
bench-augment PYTHON="python3" *ARGS="":
    cargo build --locked --release
    {{PYTHON}} benches/peers/compare_augment.py target/release/wick {{ARGS}}

# A whole sweep beside one in PyTorch, by a Python that has torch and albumentations; ARGS go to sweep.py
bench-sweep PYTHON="python3" *ARGS="":
    cargo build --locked --release
    {{PYTHON}} benches/peers/sweep.py target/release/wick data/bundled/fashion-mnist/*images* data/bundled/fashion-mnist/*labels* {{ARGS}}

# Advice beside the four cases, pair by pair of network and data, as a table; DATA has mnist/ and weights/, ARGS go to advice.py
bench-advice DATA *ARGS="":
    cargo build --locked --release
    python3 benches/advice.py target/release/wick {{DATA}} {{ARGS}}

# Recomputes the numbers of FOLDER's report with scipy, and uses its page in a browser if there is one
report-check FOLDER PYTHON="python3":
    {{PYTHON}} tests/report/recompute.py {{FOLDER}}
    {{PYTHON}} tests/report/browser.py {{FOLDER}}/report.html

# The live page of a sweep that runs, used in a browser if there is one; ARGS such as --pictures FOLDER go to browser.py
watch-check *ARGS:
    cargo build --locked
    python3 tests/watch/browser.py target/debug/wick {{ARGS}}

# 2,000 trials on the live page: how soon a change is told, and what it takes while nothing changes
watch-speed:
    cargo test --locked --release --test integration -- --ignored two_thousand_trials_are_followed --nocapture

# Presets in onnxruntime and torchvision beside wick, by a Python that has onnxruntime; ARGS are presets
export-check PYTHON="python3" *ARGS="":
    cargo build --locked --release
    {{PYTHON}} tests/export/onnxruntime_check.py target/release/wick {{ARGS}}

# Heads on frozen features beside PyTorch, by a Python that has torch and torchvision; IMAGES is a folder of openclipart9
bench-transfer IMAGES PYTHON="python3" *ARGS="":
    cargo build --locked --release
    {{PYTHON}} benches/peers/transfer.py target/release/wick crates/weights/bundled/squeezenet1_1.safetensors {{IMAGES}} {{ARGS}}

# Sweeps on a real Slurm of two nodes on this machine, under fire; installs Debian's packages where it may
slurm-test *CASES:
    cargo build --locked
    WICK=target/debug/wick bash tests/slurm/run.sh {{CASES}}

# Fuzzes everything that reads, MINUTES for each target; needs cargo-fuzz and a nightly toolchain
fuzz MINUTES="1":
    fuzz/all.sh {{MINUTES}}

# N random networks beside PyTorch and N random chains beside Albumentations, by a Python that has both
differential N="200" PYTHON="python3" *ARGS="":
    cargo build --locked --release
    {{PYTHON}} tests/differential/layers.py target/release/wick --nets {{N}} {{ARGS}}
    {{PYTHON}} tests/differential/augment.py target/release/wick --chains {{N}} {{ARGS}}

# The guide and the reference as a book, in target/book; needs mdbook
book:
    mdbook build docs

# The README's quick start
quickstart:
    cargo run --locked -- run experiments/quickstart.toml

# What CI runs, from start to end
ci:
    bash .ci/run

# The static programs of a release, in target/dist; needs zig and cargo-zigbuild (pip has both)
dist TARGET="x86_64-unknown-linux-musl":
    packaging/dist.sh {{TARGET}}

# The wheel of a release, in target/dist; needs maturin and wheel too
wheel TARGET="x86_64-unknown-linux-musl":
    packaging/wheel.sh {{TARGET}}

# A wheel in a fresh environment; of the development build without WHEEL. ARGS, as --with pandas torch, go to wheel.py
wheel-check PYTHON="python3" *ARGS="":
    {{PYTHON}} tests/packaging/wheel.py {{ARGS}}

# Two builds of the static program in two folders: the same bytes
reproducible:
    packaging/reproducible.sh

# Every crate as the registry gets it, and its size
package:
    packaging/crates.sh

# Licences, sources, duplicates and known vulnerabilities of all packages; needs cargo-deny
supply-chain *ARGS:
    cargo deny --workspace --all-features check {{ARGS}}

# What is inside a release, as CycloneDX in target/dist; needs cargo-cyclonedx
sbom:
    mkdir -p target/dist
    cargo cyclonedx --format json --manifest-path Cargo.toml --override-filename candlewick.cdx
    mv candlewick.cdx.json target/dist/
    git clean --quiet --force -- 'crates/*.cdx.json' 'data/*.cdx.json'

# All that a release has to pass (RELEASE.md)
release-check: ci supply-chain package dist reproducible wheel
    packaging/static.sh target/dist/wick-*-x86_64-unknown-linux-musl.tar.gz
    python3 tests/packaging/wheel.py target/dist/candlewick-*x86_64.whl --whole --with pandas polars

# Sends all crates to the registry, in the order in which they need each other
publish:
    cargo publish --workspace --locked
