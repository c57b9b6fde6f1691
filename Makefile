# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTANCE := instances/kazakhstan-pakistan

.PHONY: demo test install lint format bench instances clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@

demo: install
	$(BIN)/corridor solve port-choice $(INSTANCE) --out results/port-choice --force
	$(BIN)/corridor verify $(INSTANCE) results/port-choice
	$(BIN)/corridor solve transshipment $(INSTANCE) --out results/transshipment --force
	$(BIN)/corridor verify $(INSTANCE) results/transshipment
	$(BIN)/corridor solve rolling-stock $(INSTANCE) --gap 0.01 --out results/rolling-stock --force
	$(BIN)/corridor verify $(INSTANCE) results/rolling-stock
	$(BIN)/corridor report results/port-choice results/transshipment results/rolling-stock --instance $(INSTANCE) \
		--sensitivity 8 --out results/report.html --force

test: install
	$(BIN)/python -m pytest -n auto

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) results build *.egg-info
