# Everything runs in .venv, which `make setup` builds; nothing has to be installed by hand but Python, git and make.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo setup lint type imports format test test-long test-fast bench clean

help: ## show this help
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/demo.stamp ## ingest a catalogue of photographs, search it, show the pictures
	@$(BIN)/python -m tuku.demo demo/catalogue
	@$(BIN)/tuku ingest demo/catalogue/catalogue.csv --config conf/local.yaml
	@$(BIN)/tuku search "a motorcycle" --config conf/local.yaml --limit 6 --grid demo/search.png
	@echo "Ask for something else: $(BIN)/tuku search \"a cup of coffee\" --grid demo/search.png"

setup: .venv/dev.stamp ## build the environment for working on tuku

lint: .venv/dev.stamp ## ruff: rules and format
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

type: .venv/dev.stamp ## mypy, strict, on src
	@$(BIN)/mypy --no-error-summary

imports: .venv/dev.stamp ## import-linter: imports go one way
	@PYTHONPATH=src $(BIN)/lint-imports > .venv/imports.log || { cat .venv/imports.log; exit 1; }

format: .venv/dev.stamp ## mend what ruff can mend
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

test: .venv/dev.stamp ## all checks and all tests but the long ones
	@$(MAKE) --no-print-directory -j 2 lint type imports
	@$(BIN)/python -m pytest -q -m "not long" -n 2 --dist loadfile --no-loadscope-reorder --durations=30

test-long: .venv/dev.stamp ## jobs against the local DashScope, with faults, stops and budgets (minutes)
	@$(BIN)/python -m pytest -q -m long

test-fast: .venv/dev.stamp ## the tests that are done in seconds
	@$(BIN)/python -m pytest -q -m "not ray and not milvus" tests/unit tests/contract

bench: .venv/dev.stamp ## the benchmarks: each prints ratios (about an hour)
	@$(PIP) -e '.[bench]'
	@for script in local_ingest fetch memory load serve gpu_embed reduced_decode; do $(BIN)/python benchmarks/$$script.py || exit 1; done

clean: ## remove what demo and tests made; the environment stays
	@rm -rf demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "tuku needs Python 3.10 or newer: make PYTHON=/path/to/python3.12 …"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "No venv: on Debian, apt-get install python3-venv"; rm -rf .venv; exit 1; }

.venv/demo.stamp: .venv/bin/pip pyproject.toml constraints.txt
	@echo "Setting up .venv (a minute or two the first time) …"
	@$(PIP) -e '.[local,demo,serve]'
	@touch $@

.venv/dev.stamp: .venv/bin/pip pyproject.toml constraints.txt
	@echo "Setting up .venv for development (a minute or two the first time) …"
	@$(PIP) -e '.[local,demo,dashscope,openai,hf,s3,cluster,serve,dev]'
	@touch $@ .venv/demo.stamp
