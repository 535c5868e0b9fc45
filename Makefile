# The repository's doors. `make demo` to try Postern, `make test` to prove it.

CARGO ?= cargo
# Passed on to `postern demo`, e.g. ARGS="--dir /tmp/demo --postgres-port 15432".
ARGS ?=
# How long each fuzz target runs, in seconds.
FUZZ_SECONDS ?= 60

.PHONY: help demo test lint lint-code bench deps fuzz

help:
	@echo "make demo    everything on this machine, with a sample database (ARGS=…)"
	@echo "make test    unit, integration and end-to-end tests"
	@echo "make lint    formatting, clippy, licences and sources of dependencies"
	@echo "make bench   Postern against a direct connection and other proxies"
	@echo "make deps    install what demo and tests need, or say what is missing"
	@echo "make fuzz    every fuzz target for FUZZ_SECONDS each (needs cargo-fuzz)"

demo:
	@.ci/deps demo
	@$(CARGO) build --locked --profile demo -p postern
	@$(CARGO) run --quiet --locked --profile demo -p postern -- demo $(ARGS)

deps:
	@.ci/deps test

test: deps
	@if [ -x tests/deps.sh ]; then tests/deps.sh; fi
	$(CARGO) nextest run --locked --workspace
	$(CARGO) test --locked --workspace --doc --quiet
	@if [ -x tests/run.sh ]; then tests/run.sh; fi

# What needs nothing but the toolchain.
lint-code:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

lint: lint-code
	@if ! $(CARGO) deny --version >/dev/null 2>&1; then \
		echo "*** SKIPPED: licences, bans, sources, advisories (cargo install --locked cargo-deny)"; exit 0; fi; \
	set -e; $(CARGO) deny --locked check licenses bans sources; \
	if $(CARGO) deny --locked fetch db >/dev/null 2>&1; then $(CARGO) deny --locked check advisories; \
	else echo "*** SKIPPED: advisories (their database cannot be reached)"; fi

bench: deps
	@if [ -x benches/run.sh ]; then benches/run.sh; else echo "benches/run.sh is missing" >&2; exit 1; fi

# There is no unsafe code, so nothing for a sanitizer to find, and the stable compiler will do.
fuzz: export RUSTC_BOOTSTRAP = 1
fuzz:
	@$(CARGO) fuzz --version >/dev/null || { echo "install: cargo install --locked cargo-fuzz" >&2; exit 1; }
	@set -e; cd protocol; for target in $$($(CARGO) fuzz list); do \
		$(CARGO) fuzz run --sanitizer none "$$target" -- -max_total_time=$(FUZZ_SECONDS); \
	done
