# The commands a newcomer needs. Python 3.11 or later; nothing else has to be installed first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
WORKERS ?= 2

.PHONY: help install quickstart test test-all lint bench clean

help:
	@echo "make quickstart  install and see an undefended and a hardened model, with a report"
	@echo "make test        install what the tests need and run them (WORKERS=2)"
	@echo "make test-all    the slow tests too"
	@echo "make lint        ruff, mypy --strict, import-linter"
	@echo "make bench       attacks and the worst case beside the peers, the scorecard (hours)"
	@echo "make clean       remove what was built"

# Stamps: a second run installs nothing again.
$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) torch
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --editable '.[test]'
	$(PIP) --no-deps --ignore-requires-python aics-tlog==0.2.1 pycanon==1.3.6
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	$(PIP) --editable '.[bench]'
	$(PIP) --no-deps torchattacks==3.5.1 pyautoattack==0.2.0
	@touch $@

install: $(VENV)/.installed

quickstart: install
	$(BIN)/hauberk quickstart

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not slow"

test-all: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

bench: $(VENV)/.installed-bench
	$(BIN)/python benchmarks/attacks.py
	$(BIN)/python benchmarks/worst_case.py
	$(BIN)/python benchmarks/defences.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
