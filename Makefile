# make: the study's report · make search · make dashboard · make ui · make test · make lint · make bench. Everything runs in .venv, which the first call creates.
SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 5000
DASHBOARD_PORT ?= 8080
ACTIVATE := source .venv/bin/activate
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: all search dashboard test test-all lint ui bench
.DEFAULT_GOAL := all

all: .venv/installed  ## fetch, train, score and report the runs of params.yaml
	$(ACTIVATE) && dvc repro report
	@echo "The report is reports/report.html; \`make ui\` shows the runs, \`make search\` looks for better ones."

search: .venv/installed  ## Optuna's search for better runs
	$(ACTIVATE) && dvc repro search
	@echo "The report is reports/search/report.md; \`make dashboard\` shows the trials, \`dcgan promote\` keeps the winner."

dashboard: .venv/installed  ## optuna-dashboard on this project's searches
	@$(ACTIVATE) && dcgan dashboard $(DASHBOARD_PORT)

test: .venv/installed  ## the tests without the slow ones, as many at a time as there are cores
	$(ACTIVATE) && pytest -n auto --dist loadgroup -m "not slow"

test-all: .venv/installed  ## every test
	$(ACTIVATE) && pytest -n auto --dist loadgroup

lint: .venv/installed
	$(ACTIVATE) && flake8 pipeline tests benchmarks && isort --check pipeline tests benchmarks && mypy

ui: .venv/installed  ## MLflow on this project's runs
	@$(ACTIVATE) && python -m pipeline.tracking.ui $(PORT)

bench: .venv/installed
	$(ACTIVATE) && for name in training options stages startup overhead quality growth networks batch_norm search claims pictures scores inception svm; do \
		echo; echo "## python -m benchmarks.$$name"; python -m benchmarks.$$name || exit; done

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(ACTIVATE) && pip install --quiet --constraint constraints.txt --editable '.[test,bench]'
	touch $@
