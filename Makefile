# Everything is kept in .venv and .uv; a second run of any target finds it there.
# ARGS goes to the program: make test ARGS="tests/calls -k busy", make run ARGS="--http 0.0.0.0:80".

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory --no-builtin-rules
RUN := .venv/.made-to-run
DEV := .venv/.made-to-develop
BIN := .venv/bin
ARGS ?=
# The tests mostly wait: three at a time, of which two are whole tests, each of them on an Asterisk of its own.
PARALLEL := -n 3 --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check random-calls torture attack sbom bench bench-history

help: ## Show these targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r target text; do printf '%-14s %s\n' "$$target" "$$text"; done

setup: $(DEV) ## Install all that is needed to work on Trunkline
	@echo "==> Ready: .venv/bin/trunkline --help"

demo: $(RUN) ## Start a sandbox, place a recorded call through the Open API, show what comes of it
	@$(BIN)/trunkline demo $(ARGS)

run: $(RUN) ## Start the server (ARGS="--data DIR --http HOST:PORT …")
	@exec $(BIN)/trunkline up $(ARGS)

test: $(DEV) ## Install what the tests need, and run them all
	@sh tests/need.sh
	@$(BIN)/pytest $(PARALLEL) $(ARGS)

check: $(DEV) ## All that a change must pass: style, types, layers, tests
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@sh tests/need.sh
	@$(BIN)/pytest $(PARALLEL) $(ARGS)

random-calls: $(DEV) ## Make calls at random whose truth is known, and compare (ARGS="--calls 1000 --seed 7")
	@sh tests/need.sh
	@cd tests && ../$(BIN)/python -m random_calls $(ARGS)

attack: $(DEV) ## Attack servers that are started for it, on the loopback, and see what comes of it
	@sh tests/need.sh
	@cd tests && ../$(BIN)/python -m attack.web && ../$(BIN)/python -m attack.sip $(ARGS)

sbom: $(DEV) ## Write what Trunkline and its engine are made of (CycloneDX) into dist/sbom
	@sh setup/sbom.sh $(ARGS)

torture: $(DEV) ## Faults one after the other under calls, and whether what is told is true (ARGS="--kills 200 --seed 7")
	@sh tests/need.sh
	@cd tests && ../$(BIN)/python -m torture $(ARGS)

bench: $(DEV) ## Measure, and print ratios
	@sh tests/need.sh
	@PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

bench-history: $(DEV) ## Measure ten million calls on both databases (made once: an hour, 35 GB)
	@sh tests/need.sh
	@$(BIN)/python -m bench.histories $(ARGS)

# Without the tools of development, and without taking them away where they are.
$(RUN): uv.lock pyproject.toml
	@[ $(DEV) -nt uv.lock ] && [ $(DEV) -nt pyproject.toml ] || { \
		uv=$$(sh setup/uv.sh) && \
		echo "==> Installing Trunkline into .venv" && \
		"$$uv" sync --frozen --compile-bytecode --no-dev --inexact; }
	@touch $@

$(DEV): uv.lock pyproject.toml
	@uv=$$(sh setup/uv.sh) && \
		echo "==> Installing Trunkline and its tools of development into .venv" && \
		"$$uv" sync --frozen --compile-bytecode
	@touch $@
