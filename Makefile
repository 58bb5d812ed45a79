# make: the study's report · make demo · make search · make dashboard · make ui · make test · make chaos · make lint · make bench. Everything runs in .venv, which the first call creates.
SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 5000
DASHBOARD_PORT ?= 8080
ACTIVATE := source .venv/bin/activate
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: all hint demo search dashboard test test-all chaos lint publish ui bench
.DEFAULT_GOAL := all

all: hint .venv/installed  ## fetch, train, score and report the runs of params.yaml
	$(ACTIVATE) && dcgan check --time && dcgan repro
	@echo "The report is reports/report.html; \`make ui\` shows the runs, \`make search\` looks for better ones."

hint:
	@echo "\`make demo\` shows digits from a small training within a minute, once the packages are installed."

demo: .venv/installed  ## digits from nothing in a minute, in demo/
	@$(ACTIVATE) && dcgan demo

search: .venv/installed  ## Optuna's search for better runs
	$(ACTIVATE) && dcgan check && dcgan repro search
	@echo "The report is reports/search/report.md; \`make dashboard\` shows the trials, \`dcgan promote\` keeps the winner."

dashboard: .venv/installed  ## optuna-dashboard on this project's searches
	@$(ACTIVATE) && dcgan dashboard $(DASHBOARD_PORT)

test: .venv/test  ## the tests without the slow ones, as many at a time as there are cores
	$(ACTIVATE) && pytest -n auto --dist loadgroup -m "not slow"

test-all: .venv/test  ## every test
	$(ACTIVATE) && pytest -n auto --dist loadgroup

chaos: .venv/test  ## kills, faults and damaged files, in all their numbers: many hours; docs/promises.md has shorter ones
	$(ACTIVATE) && python -m tests.chaos && DCGAN_CHAOS_EXAMPLES=5000 pytest tests/chaos/test_fuzz.py

lint: .venv/lint  ## style, order of imports, types
	$(ACTIVATE) && flake8 pipeline tests benchmarks && isort --check pipeline tests benchmarks && mypy

publish: .venv/installed  ## models and data to a DVC remote, from where clones have them by `dvc pull`: make publish REMOTE=…
	@$(ACTIVATE) && dcgan publish "$(REMOTE)"

ui: .venv/installed  ## MLflow on this project's runs
	@$(ACTIVATE) && python -m pipeline.tracking.ui $(PORT)

bench: .venv/bench  ## everything is measured again: hours
	$(ACTIVATE) && for name in training options stages startup overhead quality growth networks batch_norm search claims pictures scores inception svm; do \
		echo; echo "## python -m benchmarks.$$name"; python -m benchmarks.$$name || exit; done

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(ACTIVATE) && pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/test .venv/lint .venv/bench: .venv/installed  # what only these need
	$(ACTIVATE) && pip install --quiet --constraint constraints.txt --editable '.[$(@F)]'
	touch $@

requirements.lock: .venv/installed  ## every package that `make` installs, with its digests
	$(ACTIVATE) && pip install --quiet uv && UV_CUSTOM_COMPILE_COMMAND="make requirements.lock" uv pip compile setup.cfg \
		--universal --python-version 3.11 --generate-hashes --no-annotate --constraint constraints.txt --quiet --output-file $@
