# The only entry points, for people and for CI. `make` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast soak check bench gen

PY := .venv/bin/python
STAMP := .venv/.ready

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): requirements.txt requirements-dev.txt .python-version scripts/setup.sh
	@sh scripts/setup.sh

setup: $(STAMP) ## make .venv with everything that is needed

run: $(STAMP) ## start the sandbox, the local host and a believable company
	@exec $(PY) -m quickstart

test: $(STAMP) ## run all tests, with the real peers
	@$(PY) -m pytest -q -n auto --dist loadgroup -m "not soak"

test-fast: $(STAMP) ## run the tests of the inner loop
	@$(PY) -m pytest -q -n auto --dist loadgroup -m "not slow and not soak"

soak: $(STAMP) ## full matrices and large counts, on virtual or shortened periods
	@BILLY_SOAK=1 $(PY) -m pytest -q -s -m soak

check: $(STAMP) ## ruff, pyright, layers, generated files fresh
	@$(PY) -m ruff check -q .
	@$(PY) -m ruff format -q --check .
	@$(PY) -m pyright --warnings > .venv/pyright.txt || { cat .venv/pyright.txt; exit 1; }
	@$(PY) -m pytest -q tests/test_house.py tests/requirements

bench: $(STAMP) ## measure, as ratios to peers in the same run
	@$(PY) -m bench

gen: $(STAMP) ## write the generated documents anew
	@$(PY) -m shared.surfaces.openapi docs/openapi.json
	@$(PY) -m shared.surfaces.policy docs/policy.md
