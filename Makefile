# `make demo` and `make test` are all a newcomer needs; each makes .venv first, in seconds.

PYTHON ?= python3
BIN := .venv/bin
PYTEST_JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench fuzz campaign ext constraints clean bootstrap

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: bootstrap  ## real MongoDB and PostgreSQL, sample data, a sync and its proof: under a minute
	$(BIN)/landbridge demo

test: lint  ## everything that must hold: lint, types, import contracts, all tests on real servers
	$(BIN)/python -m pytest -n $(PYTEST_JOBS)

lint: bootstrap  ## style, types and import contracts only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: bootstrap  ## the sync against the limit of this machine
	$(BIN)/python -m bench

fuzz: bootstrap  ## mutated BSON through the kernel, built with sanitizers
	scripts/fuzz

campaign: bootstrap  ## servers and workers die by the hundred under load: about an hour
	$(BIN)/python -m tests.campaign --markdown docs/reliability.md

ext: bootstrap  ## compile the kernels again, in place
	$(BIN)/python setup.py --quiet build_ext --inplace

constraints: bootstrap  ## choose the newest versions of everything that is installed
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --upgrade \
		--python-version 3.11 --no-header --no-annotate --quiet --output-file constraints.txt

clean:  ## remove what was built; .venv stays, and is checked at the next command
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -f .venv/.landbridge-stamp src/landbridge/*/_kernel*.so src/landbridge/*/_kernel.cpp

bootstrap:
	@$(PYTHON) scripts/bootstrap
