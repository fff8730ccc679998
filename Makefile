# Every target sets up what it needs in .venv, so that a fresh clone needs no other step.
# `make help` lists them.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
# Passed on to the command that a target runs: `make test ARGS="tests/core -k resume"`.
ARGS ?=
# Test processes. They share the tests by "worksteal", which keeps neighbours together, so that a module's fixture is
# mostly set up once. Each computes on one thread: several threads apiece on a busy machine can slow torch down twentyfold.
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Twice quiet leaves errors: a build backend's advice to its authors is of no use here.
INSTALL := $(PIP) install --quiet --quiet --constraint constraints.txt --build-constraint constraints.txt

# pip finds one local distribution's need of another only where one command names both.
DISTRIBUTIONS := core plugins/image plugins/audio plugins/text recipes
EDITABLE := $(foreach distribution,$(DISTRIBUTIONS),--editable ./$(distribution))
MANIFESTS := $(DISTRIBUTIONS:%=%/pyproject.toml)

# Each stamp records that one step of the set-up is done, and goes out of date with what that step reads.
PIP_READY := $(VENV)/.pip-ready
RUNTIME_READY := $(VENV)/.runtime-ready
DEV_READY := $(VENV)/.dev-ready

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'Options: PYTHON=python3.12 (for a new .venv), ARGS="..." (for the command), WORKERS=4 (test processes)'

.PHONY: demo
demo: $(RUNTIME_READY) ## train a small GAN, from nothing to a report
	$(BIN)/sparring demo $(ARGS)

.PHONY: test
test: $(DEV_READY) ## run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

.PHONY: check
check: $(DEV_READY) ## check formatting, lint, types, and who imports whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: bench
bench: $(DEV_READY) ## run the benchmarks
	$(BIN)/python -m tests.benchmarks $(ARGS)

.PHONY: docs
docs: $(DEV_READY) ## build the documentation into build/docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going --builder html $(ARGS) docs build/docs

.PHONY: clean
clean: ## remove .venv and everything else that these targets make; runs/ stays
	rm -rf $(VENV) build dist $(DISTRIBUTIONS:%=%/build) $(DISTRIBUTIONS:%=%/dist) recipes/*.egg-info
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find core plugins recipes tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(PIP_READY):
	$(PYTHON) -m venv $(VENV)
	@# The pip that comes with Python 3.11 knows neither dependency groups nor build constraints.
	$(PIP) install --quiet --quiet --upgrade --constraint constraints.txt pip
	@touch $@

$(RUNTIME_READY): $(PIP_READY) constraints.txt $(MANIFESTS)
	$(INSTALL) $(EDITABLE)
	@touch $@

# The extras are installed as well, so that the tests reach the code that uses them.
$(DEV_READY): $(RUNTIME_READY) pyproject.toml
	$(INSTALL) --editable "./core[hub,lora,onnx,tensorboard]" --editable "./plugins/image[datasets]" \
	  --editable "./plugins/text[datasets]" --editable "./plugins/audio[datasets,prompts,quality]" --group dev
	@touch $@
