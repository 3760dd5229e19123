# `make demo` runs the main job on built-in data; `make test` passes the tests.
# Needs Python 3.11 or newer and make; everything else goes into .venv.

PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/sh
# One thread in every pool: pytest-xdist and the study's workers fill the cores themselves.
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

.PHONY: demo install test check lint types unit docs test-slow bench clean

demo: install
	$(BIN)/learnaug compare digits --per-class 20 --out demo

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "learnaug needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

test: check unit docs

check: lint types

lint: install
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples

types: install
	$(BIN)/mypy

unit: install
	$(BIN)/pytest -n auto --dist worksteal -m "not slow" tests

docs: install
	$(BIN)/pytest -q --doctest-modules --doctest-continue-on-failure src

test-slow: install
	$(BIN)/pytest -n auto --dist worksteal -m slow tests

bench: install
	$(BIN)/python benchmarks/loop.py
	env -u OMP_NUM_THREADS -u MKL_NUM_THREADS $(BIN)/python benchmarks/ops.py

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis demo build
