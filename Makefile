# Synoptic: `make demo` shows it, `make test` proves it, `make check` keeps it tidy. All three do their own set-up.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt

.PHONY: help demo test check format clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 10

.venv/runtime: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(INSTALL) --editable '.[worker,ocr]'
	touch $@

.venv/development: .venv/runtime
	$(INSTALL) --editable '.[worker,ocr,training,kafka,dev]'
	touch $@

demo: .venv/runtime ## run the example reports through the whole chain
	$(BIN)/synoptic demo

test: .venv/development ## run the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

check: .venv/development ## format, lint, types, import contracts, documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy schemas model workers mappers training gateway deploy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/docs

format: .venv/development ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove the environment and everything the demo wrote
	rm -rf .venv synoptic-data demo-output
