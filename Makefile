# Slipway: `make help` lists the commands. Needs Python 3.11 or newer and make; everything else goes into .venv.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
UV_VERSION := 0.13.9
MODEL ?= iris
bin := .venv/bin
slipway = PYTHONPATH=plugins $(bin)/python -m slipway.local

.PHONY: help demo stop status backfill compose-env test lint format bench lock schema clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/installed  ## deliver a model end to end: MODEL=iris (default) or flights, DATE=2013-01-05
	@$(slipway) demo $(MODEL) $(if $(DATE),--date $(DATE))

backfill: .venv/installed  ## deliver past partitions: MODEL=flights FROM=2013-01-01 TO=2013-01-07 [REVERSE=1 PARALLEL=3 REPROCESS=completed]
	@$(slipway) backfill $(MODEL) --from $(or $(FROM),$(error say FROM=2013-01-01)) --to $(or $(TO),$(error say TO=2013-01-07)) \
	  $(if $(REVERSE),--reverse) $(if $(PARALLEL),--parallel $(PARALLEL)) $(if $(REPROCESS),--reprocess $(REPROCESS))

status: .venv/installed  ## what runs where
	@$(slipway) status

stop:  ## end the embedded Airflow, the stand-in cloud and the served models; the data stays in .slipway/
	@if [ -x $(bin)/python ]; then $(slipway) down; else echo "nothing is running: there is no .venv"; fi

compose-env:  ## write .env for docker-compose.yaml, with new random secrets
	@$(PYTHON) .compose/make_env.py

test: .venv/dev-installed  ## run all tests; K=expression selects, JOBS=1 one after the other
	$(bin)/python -m pytest -n $(or $(JOBS),2) --dist loadfile --no-loadscope-reorder $(if $(K),-k "$(K)")

lint: .venv/dev-installed  ## ruff, ruff format and mypy
	$(bin)/ruff check .
	$(bin)/ruff check --preview --select AIR dags plugins
	$(bin)/ruff format --check .
	$(bin)/mypy

format: .venv/dev-installed  ## let ruff rewrite the files
	$(bin)/ruff check --fix-only .
	$(bin)/ruff format .

bench: .venv/dev-installed  ## measure: ONLY=chain, dags, dataset, image, serving or training; default all; writes build/bench.json
	@PYTHONPATH=plugins:. $(bin)/python -m tests.benchmarks $(ONLY)

lock: .venv/uv  ## re-make all pinned requirements from pyproject.toml and serving/*.in
	@mkdir -p build
	$(bin)/uv pip compile -q --upgrade --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
	  --extra local pyproject.toml -o requirements.txt
	$(bin)/uv pip compile -q --upgrade --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
	  --extra local --extra dev -c requirements.txt pyproject.toml -o .ci/requirements.txt
	for name in requirements requirements-joblib; do \
	  $(bin)/uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
	    --generate-hashes -c requirements.txt serving/$$name.in -o serving/$$name.txt || exit; done
	$(bin)/uv pip compile -q --upgrade --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
	  --extra local --extra compose -c requirements.txt pyproject.toml -o build/compose.txt
	$(bin)/python .compose/airflow/added_pins.py requirements.txt build/compose.txt > .compose/airflow/requirements.txt

schema: .venv/installed  ## re-make the JSON Schema that editors check model files against
	@PYTHONPATH=plugins $(bin)/python -m slipway.core.model_file_schema > dags/models/model_file.schema.json

clean: stop  ## stop, and remove .venv, build and all data of the embedded profile
	rm -rf .venv .slipway build

.venv/uv:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Slipway needs Python 3.11 to 3.13; say make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv .venv
	@$(bin)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.venv/installed: requirements.txt | .venv/uv
	@echo "installing Slipway and Airflow into .venv (about a minute the first time)"
	@$(bin)/uv pip install -q --python $(bin)/python --compile-bytecode -r requirements.txt
	@touch $@

.venv/dev-installed: .ci/requirements.txt .venv/installed
	@$(bin)/uv pip install -q --python $(bin)/python --compile-bytecode -r .ci/requirements.txt
	@touch $@
