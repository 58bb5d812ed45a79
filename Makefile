# make: the study · make test · make lint · make ui · make bench. Everything runs in .venv, which the first call creates.
SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 5000
ACTIVATE := source .venv/bin/activate
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: all test lint ui bench
.DEFAULT_GOAL := all

all: .venv/installed  ## fetch, train, score and report the four tests
	$(ACTIVATE) && dvc repro
	@echo "The report is reports/report.md; \`make ui\` shows the runs."

test: .venv/installed  ## the whole test suite
	$(ACTIVATE) && pytest

lint: .venv/installed
	$(ACTIVATE) && flake8 pipeline tests benchmarks && isort --check pipeline tests benchmarks && mypy

ui: .venv/installed  ## MLflow on this project's runs
	@test -e mlflow.db || { echo "There are no runs yet: \`make\` makes some."; exit 1; }
	@$(ACTIVATE) && id=$$(python -c "import mlflow; print(mlflow.get_experiment_by_name('dcgan').experiment_id)") && \
	echo "Compare the runs at http://127.0.0.1:$(PORT)/#/experiments/$$id/runs?workflowType=machine_learning&compareRunsMode=CHART" && \
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --workers 1 --port $(PORT)

bench: .venv/installed
	$(ACTIVATE) && python -m benchmarks.training && python -m benchmarks.tracking && python -m benchmarks.batch_norm

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(ACTIVATE) && pip install --quiet --constraint constraints.txt --editable '.[test,bench]'
	touch $@
