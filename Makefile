# What a person types here: demo, test, check, bench, chaos, setup-system, lock, clean.
# Each target makes the environment that it needs (.venv, from requirements-dev.lock) by itself.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

# Whatever environment is active in the caller's shell stays out of ours.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

bin := .venv/bin
# Pyright comes whole in its wheel, at the version of the lock: don't ask the network for a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help environment demo test bench chaos fuzz setup-system lock clean \
  check check-style check-layers check-texts check-types

help:
	@echo 'make demo          the example in examples/digits, twice: computed, then reused'
	@echo 'make test          all tests but the long ones'
	@echo 'make check         style, types, layers, texts'
	@echo 'make bench         the measurements in bench/'
	@echo 'make chaos         the long trials in tests/chaos'
	@echo 'make fuzz          coverage-guided fuzzing of what people write (fetches atheris)'
	@echo 'make setup-system  Debian packages that some tests need (as root)'
	@echo 'make lock          write the requirement locks again (needs uv; UPGRADE=1 for newest)'
	@echo 'make clean         remove .venv, .demo, .fuzz and caches'

environment: .venv/installed

.venv/locked: requirements-dev.lock tools/environment.sh
	@bash tools/environment.sh create
	@touch $@

.venv/installed: .venv/locked pyproject.toml
	@bash tools/environment.sh install
	@touch $@

demo: environment
	@bash examples/demo.sh

test: environment
	$(bin)/python -m pytest -n 2 -q

# `make -k check` goes on after the first part that fails.
check: check-style check-layers check-texts check-types

check-style: environment
	$(bin)/ruff check .
	$(bin)/ruff format --check .

check-layers: environment
	$(bin)/lint-imports --no-logo

check-texts: environment
	$(bin)/python tools/check_text.py
	$(if $(wildcard src/mainspring/cli/schemas.py),$(bin)/python -m mainspring.cli.schemas --check)

check-types: environment
	$(bin)/pyright --pythonpath $(bin)/python

bench: environment
	@if [ -f bench/run.py ]; then $(bin)/python bench/run.py; else echo 'bench/: no measurements yet'; fi

chaos: environment
	@if [ -d tests/chaos ]; then $(bin)/python -m pytest -m chaos tests/chaos; \
	else echo 'tests/chaos: no trials yet'; fi

fuzz: environment
	@python3 -m pip install --quiet --upgrade --target .fuzz --no-deps atheris
	@for target in expression pipeline toml; do \
	  PYTHONPATH=.fuzz $(bin)/python tests/hostile/fuzz.py $$target $(or $(SECONDS),60) .fuzz || exit 1; done

setup-system:
	@bash tools/setup_system.sh

compile := uv --no-config pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
  $(if $(UPGRADE),--upgrade)

lock:
	$(compile) pyproject.toml -o requirements.lock
	$(compile) pyproject.toml --all-extras --group dev -c requirements.lock -o requirements-dev.lock
	@python3 tools/check_text.py requirements.lock requirements-dev.lock

clean:
	rm -rf .venv .demo .fuzz .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find src tests tools examples -name __pycache__ -type d -prune -exec rm -rf {} +
