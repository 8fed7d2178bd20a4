# The whole developer interface. Everything here works in a fresh clone.
#
#   make demo           one minute of every fault, live in the terminal, with the verdict at the end
#                       (more in ARGS: make demo ARGS="--agents 250 --rate 500 --seed 7")
#   make test           everything: set-up, format, lints, documentation, all tests
#   make check          format, lints, documentation, dependencies; no tests
#   make kill N=100     kills a running pipeline N times at random moments and checks the record
#   make latency N=15   time from the loss of a connection to Live over a long road, for each rung
#   make etcd           a real etcd, 65,000 changes, some fifty cuts, ten kills: the record is held
#                       against etcd's own account; some minutes
#   make model          searches the recovery machine's small worlds exhaustively (some minutes)
#   make setup          installs what is missing (the others that need it call it)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check kill latency etcd model setup format lint docs deny tests

# One place for what is built, so that every clone on this machine shares it.
UNBROKEN_CACHE ?= $(HOME)/.cache/unbroken
export CARGO_TARGET_DIR ?= $(UNBROKEN_CACHE)/target
CARGO_DENY := $(UNBROKEN_CACHE)/tools/bin/cargo-deny

ARGS ?=
N ?= 20

help:
	@sed -n 's/^#   //p' Makefile

demo: setup
	cargo run --release --locked -p unbroken -- demo $(ARGS)

test: setup format lint docs tests

check: format lint docs deny

tests:
	cargo test --workspace --locked
	cargo test -p unbroken-core --features proof --test model --locked -- --nocapture

# The same small worlds with one more event: some millions of states, some minutes.
model: setup
	UNBROKEN_MODEL=full cargo test --release -p unbroken-core --features proof --test model --locked \
	  -- --nocapture

# The test reads how often to kill from the environment; without it, it kills a few times.
kill: setup
	UNBROKEN_KILLS=$(N) cargo test --release --locked -p unbroken --test kill -- --nocapture

# Without the environment's number the test goes each way twice and asserts no time.
latency: setup
	UNBROKEN_LATENCY_LAPS=$(if $(filter file,$(origin N)),15,$(N)) \
	  cargo test --release --locked -p unbroken --test latency -- --nocapture

# The same test as in `make test`, ten times as large. The server's speed decides how long it takes,
# so it is built as the tests are.
etcd: setup
	UNBROKEN_ETCD=full cargo test --locked -p unbroken --test etcd -- --nocapture

format:
	cargo fmt --all --check

lint:
	cargo clippy --workspace --all-targets --locked -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items

deny: $(CARGO_DENY)
	$(CARGO_DENY) --workspace --locked check bans licenses sources

$(CARGO_DENY):
	@echo "setup: installing cargo-deny into $(UNBROKEN_CACHE)/tools (once, a few minutes)"
	cargo install --locked cargo-deny --root $(UNBROKEN_CACHE)/tools

# Rust itself is not installed for you: which way is a matter of taste (https://rustup.rs).
setup:
	@command -v cargo >/dev/null || { \
	  echo "setup: cargo is missing; install Rust 1.95 or newer from https://rustup.rs" >&2; exit 2; }
	@missing=(); \
	command -v cc >/dev/null || missing+=(gcc libc6-dev); \
	command -v etcd >/dev/null || missing+=(etcd-server); \
	command -v etcdctl >/dev/null || missing+=(etcd-client); \
	command -v prlimit >/dev/null || missing+=(util-linux); \
	if [ $${#missing[@]} -eq 0 ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
	  echo "setup: please install what gives: $${missing[*]} (Debian's names)" >&2; exit 2; fi; \
	sudo=(); [ "$$(id -u)" -eq 0 ] || sudo=(sudo); \
	if [ "$$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then \
	  echo "setup: as root: apt-get install $${missing[*]}" >&2; exit 2; fi; \
	echo "setup: installing with apt-get: $${missing[*]}"; \
	"$${sudo[@]}" apt-get update -q >/dev/null; \
	"$${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
	  apt-get install -y -q --no-install-recommends "$${missing[@]}" >/dev/null
