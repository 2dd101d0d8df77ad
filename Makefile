# Everything a newcomer needs: `make demo` and `make test`. The rest are their parts.
PYTHON ?= $(firstword $(foreach v,3.11 3.12 3.13 3.14,$(shell command -v python$(v))) python3)
VENV := .venv
BIN := $(VENV)/bin
COLLECTION := collections/ansible_collections/stopgap/remediation
export PATH := $(CURDIR)/$(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

.PHONY: demo test setup postgres lint unit sanity lab-test molecule faults bench wheel clean

demo: setup
	stopgap lab setup
	stopgap demo

# Two cores: what uses one of them runs beside what uses the other.
test: setup
	$(MAKE) --jobs=2 --output-sync lint sanity
	$(MAKE) unit
	$(MAKE) lab-test
	$(MAKE) molecule

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "stopgap needs Python 3.11 or newer: install it, or say which: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "this Python has no venv: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# The ledger's tests run on a real server of their own, and move the clocks of processes.
postgres:
	tests/setup_postgres.sh
	tests/faults/setup.sh

lint: setup
	ruff check .
	ruff format --check .
	mypy
	ansible-lint --offline --profile production
	cd $(COLLECTION) && antsibull-changelog lint

# The sanity tests that need no network; the collection's own folder is where ansible-test must stand.
sanity: setup
	tests/sanity.sh

# Three workers for two cores, here and below: there is always one that waits for a process, a boot or a timeout.
unit: setup postgres
	pytest -q -n 3 -m "not lab and not e2e and not bench" tests

lab-test: setup postgres
	stopgap lab setup
	pytest -q -n 3 --dist loadfile -m "lab or e2e" --ignore tests/unit tests

molecule: setup
	stopgap lab setup
	molecule test

# Schedules of real faults on lab hosts, an hour and more; SEED=n plays one and prints all that was said.
FIRST ?= 1
SCHEDULES ?= 200
RESULTS ?= $(VENV)/faults.jsonl
faults: setup postgres
	stopgap lab setup
	python -m tests.faults $(if $(SEED),--seed $(SEED),--first $(FIRST) --schedules $(SCHEDULES) --results $(RESULTS) --report docs/reference/faults.md)

bench: setup postgres
	stopgap lab setup
	pytest -q -s -m bench tests/bench

wheel: setup
	$(BIN)/python -m build --wheel --outdir dist

clean:
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache
