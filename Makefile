# Synoptic: `make demo` shows it, `make stack` gives it Kafka and a FHIR server, `make test` proves it, `make check` keeps
# it tidy. All of them do their own set-up.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt

.PHONY: help demo stack test check format clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 10

.venv/runtime: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(INSTALL) --editable '.[worker,ocr,kafka]'
	touch $@

.venv/development: .venv/runtime
	$(INSTALL) --editable '.[worker,ocr,kafka,training,dev]'
	touch $@

demo: .venv/runtime ## run the example reports through the whole chain
	$(BIN)/synoptic demo

stack: .venv/runtime ## run Kafka and a FHIR server until Ctrl-C
	@sh deploy/local/prerequisites.sh
	@$(BIN)/python -m deploy.local.stack $(OPTIONS)

test: .venv/development ## run the tests
	@sh deploy/local/prerequisites.sh
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

clean: ## remove the environment and everything that was built or written
	rm -rf .venv synoptic-data demo-output .stack deploy/local/*/target
