# One line each; `just` lists them. Every recipe is plain cargo underneath.

# List the recipes.
default:
    @just --list

# A flash sale against a real server, with its proof.
demo:
    cargo run --release -- demo

# All tests, as the README has it.
test:
    cargo test --workspace

# The same tests, each in a process of its own, and the doc tests after them.
nextest:
    cargo nextest run --workspace && cargo test --workspace --doc

# What a change has to pass.
ci:
    .ci/run

# Format everything.
fmt:
    cargo fmt --all

# Lints as errors.
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Licences, advisories, duplicate and foreign sources of dependencies.
deny:
    cargo deny check

# Take what has changed in golden files, after a look at the differences.
golden:
    cargo insta review

# All figures, and the table of benches/README.md anew. On a quiet machine.
bench:
    cargo bench --bench figures

# Real baskets with errors put in, told to a real server and reconciled: all found, none invented.
baskets FILE="tests/fixtures/baskets-excerpt.csv" SEED="7":
    cargo bench --bench baskets -- {{FILE}} {{SEED}}

# holdfast beside PostgreSQL and Redis, and the tables of docs/comparison.md anew. On a quiet machine.
compare:
    cargo run --release --manifest-path benches/compare/Cargo.toml

# Serve from ./data with the explained configuration file.
serve:
    cargo run --release -- serve --config config/holdfast.toml

# Read the ledgers of a stopped server and prove their invariants.
verify DIR="./data":
    cargo run --release -- verify --data-dir {{DIR}}
