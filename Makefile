# `make help` lists what there is. Needed: make, Python 3.11 or later. Everything else is brought along.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
export PYTHON VENV

BIN := $(VENV)/bin
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
# Whoever has the developer's environment uses it for the product as well.
READY := $(if $(wildcard $(DEV)),$(DEV),$(RUN))

.DEFAULT_GOAL := help
.PHONY: help demo up test check fuzz lock system bench chaos season

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '$(MORE)'

demo: $(READY) ## play a whole season in a made-up city and keep it running (ARGS=--help)
	$(BIN)/outreach demo $(ARGS)

up: $(READY) ## start the product without sample data
	$(BIN)/outreach up $(ARGS)

test: system check ## everything that must hold, about 20 minutes on two cores (ARGS goes to pytest)
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: $(DEV) ## style, the staircase of imports, types
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy outreach channels campaigns

ifneq ($(wildcard tests/bench/__main__.py),)
MORE := $(MORE)\040\040make bench    measure against the budgets (ARGS chooses what)\n
bench: $(DEV)
	$(BIN)/python -m tests.bench $(ARGS)
endif

ifneq ($(wildcard tests/chaos/__main__.py),)
MORE := $(MORE)\040\040make chaos    kill processes at random and compare the books (ARGS=--help)\n
chaos: $(DEV)
	$(BIN)/python -m tests.chaos $(ARGS)
endif

ifneq ($(wildcard tests/season/__main__.py),)
MORE := $(MORE)\040\040make season   replay the season of 2026 day by day, 1 M taxpayers (ARGS=--help)\n
season: $(DEV)
	$(BIN)/python -m tests.season $(ARGS)
endif

fuzz: $(DEV) ## feed every decoder with anything (ARGS="--seconds 600 --only cmpp")
	$(BIN)/python -m tests.wire.test_fuzz_decoders $(ARGS)

lock: $(DEV) ## choose the newest dependencies that fit and write both lock files
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --group dev --output-file requirements-dev.lock

COMPILE := build/boot/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header pyproject.toml

system: ## bring the browser and the fonts that the tests need
	@.ci/system

$(RUN): requirements.lock .ci/venv .ci/uv.lock
	@.ci/venv requirements.lock
	@rm -f $(DEV) && touch $@

$(DEV): requirements-dev.lock .ci/venv .ci/uv.lock
	@.ci/venv requirements-dev.lock
	@rm -f $(RUN) && touch $@
