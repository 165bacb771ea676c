# `make quickstart` and `make test` start from nothing but Python 3.11; see README.md.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# Two threads on two cores run many times slower than one as soon as anything else runs.
export OMP_NUM_THREADS ?= 1
# Processes of the tests; those of a file stay together, for what they share.
PROCESSES ?= 2
# More options of pytest; CI measures coverage by them.
TEST_OPTIONS ?=

.PHONY: quickstart test test-quick lint default-space ldm-space benchmarks clean

quickstart: $(VENV)/.installed
	$(BIN)/latentopt quickstart

# Tests start many processes, which then need not compile what they import; nor need the next run
# rewrite the assertions of every file, where Python may write what it compiled.
test: $(VENV)/.installed-test lint
	$(BIN)/python -m compileall -q latentopt generative objectives
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --durations=15 $(TEST_OPTIONS)

# The first case of every test that is not slow, as far as half a second of each file allows.
test-quick: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --quick $(TEST_OPTIONS)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check

# Rebuilds the embedded space from its committed settings: about an hour on one core.
default-space: $(VENV)/.installed
	rm -rf latentopt/assets/default_space
	$(BIN)/latentopt train --config examples/configs/default_space.yaml --out latentopt/assets/default_space

# The autoencoder of the default space trained on for detail, a prior over its code, and both again
# on what the prior draws: about two hours on one core, the sum of its stages.
ldm-space: $(VENV)/.installed
	rm -rf latentopt/assets/ldm_space
	$(BIN)/latentopt train --config examples/configs/ldm_space.yaml --out latentopt/assets/ldm_space

benchmarks: $(VENV)/.installed-test
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e ".[test]"
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) dist build runs
