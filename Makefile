# Every target bootstraps what it needs. `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && command -v $$p && break; done)
UV := $(shell command -v uv)
PORT ?= 5000

export PATH := $(CURDIR)/$(BIN):$(PATH)
export MLFLOW_DISABLE_TELEMETRY ?= true
export MLFLOW_EXPERIMENT_NAME ?= recdistill

# uv does not read pip's settings: a folder of local wheels must be told to it.
# A folder that is gone is left out: pip warns of it, uv stops.
FIND_LINKS := $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
FIND_LINKS := $(foreach place,$(FIND_LINKS),$(if $(findstring ://,$(place)),$(place),$(wildcard $(place))))
comma := ,
ifneq ($(FIND_LINKS),)
export UV_FIND_LINKS ?= $(subst $() ,$(comma),$(strip $(FIND_LINKS)))
endif
NOT_INSTALLED := The packages could not be installed, for the reason above: no network (name a folder of wheels with PIP_FIND_LINKS), a proxy (set HTTPS_PROXY), or a full disk; see docs/guides/when_something_fails.md. The same command goes on where it stopped.
# Data that may not be redistributed is looked for here; tests that need it skip without it.
ifneq ($(wildcard ../shared/data),)
export RECDISTILL_DATA ?= $(abspath ../shared/data)
endif

.PHONY: help install demo ui server server-stop test lint unit slow units recipes e2e faults test-faults soak docs menu tables bench gpu-check notebooks lock ranges lowest clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

# One stamp for each set of extras: the demo does not wait for a browser driver or an object store.
install: $(VENV)/.with-dev,docs,server ## Prepare .venv for everything here, pinned (uses uv when it is there)

$(VENV)/.with-%: pyproject.toml requirements.lock
	@test -n "$(PYTHON)" || { echo "The pinned environment needs Python 3.11, and none is on the PATH: install it (uv python install 3.11, conda create -n py311 python=3.11, or your system's package) and set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Preparing $(VENV) with $$($(PYTHON) --version) for $*; a few minutes with pip, less with uv ..."
ifneq ($(UV),)
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python -c requirements.lock -e '.[$*]' || { echo "$(NOT_INSTALLED)"; exit 1; }
else
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip || true # a new one takes half as long as Debian's
	@$(BIN)/python -m pip install --quiet --no-compile -c requirements.lock -e '.[$*]' || { echo "$(NOT_INSTALLED)"; exit 1; }
	@$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true # by every core; some files are templates
endif
	@for extra in $$(echo '$*' | tr , ' '); do touch "$(VENV)/.with-$$extra"; done
	@case '$*' in *dev*) touch $(VENV)/.with-llm;; esac # dev has it
	@touch '$@'

demo: $(VENV)/.with-llm ## Run the whole story on MovieLens-100K (quick preset), some three minutes on two quiet cores
	@recdistill main --preset=quick

ui: $(VENV)/.with-llm ## Browse the runs at http://127.0.0.1:5000 (PORT=... to change)
	@tracking/local.sh $(PORT)

server: $(VENV)/.with-server .env ## Start the team server: PostgreSQL, S3, logins (make server-stop ends it)
	@set -a && . ./.env && python -m tracking start

server-stop: ## End the team server cleanly
	@$(BIN)/python -m tracking stop

.env:
	@(umask 077 && $(BIN)/python -m tracking secrets > $@)
	@echo "Wrote fresh secrets to .env: keep it, and keep it to yourself."

test: install ## Everything CI checks: style, types, layers, documentation, all tests
	@$(MAKE) --no-print-directory -j 2 lint docs faults # one core each
	@$(MAKE) --no-print-directory units # two cores
	@# Half of the time of e2e is waiting for servers: recipes use it.
	@$(MAKE) --no-print-directory -j 2 recipes e2e

lint: $(VENV)/.with-dev ## Style, types, dependency directions
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-cache

unit: $(VENV)/.with-dev ## Unit tests but those that take seconds each: some two minutes
	pytest tests/unit -n 2 --dist worksteal -m "not slow"

slow: $(VENV)/.with-dev ## Unit tests that take seconds each
	pytest tests/unit -n 2 --dist worksteal -m slow

units: $(VENV)/.with-dev ## Both kinds of unit tests in one go, the slow ones first
	pytest tests/unit -n 2 --dist worksteal

recipes: $(VENV)/.with-dev ## Every entry point, small
	pytest tests/recipes -n 2 --dist loadfile --no-loadscope-reorder # a module's stage runs are made once

faults: install ## The part of test-faults that is over in seconds: settings and spaces that are wrong
	pytest tests/faults -m "not slow"

test-faults: install ## Under ten minutes: wrong settings (CASES=10000 for more), the team server's ports and outages, kills (KILLS=200 for more)
	CASES=$(or $(CASES),1500) KILLS=$(or $(KILLS),fit) pytest tests/faults tests/e2e/test_team_server_closed.py tests/e2e/test_outage.py

soak: install ## An hour of sweeps, servers and scoring: memory, files, threads and processes stay flat (MINUTES=10)
	OMP_NUM_THREADS=1 python -m tests.faults.soak --minutes $(or $(MINUTES),60)

e2e: install ## Servers, browser, kills, the chain through mlflow run; pictures in build/screenshots
	@# Three: half of this tier's time is waiting for servers.
	RECDISTILL_SCREENSHOTS=$(CURDIR)/build/screenshots pytest tests/e2e -n 3 --dist loadfile --no-loadscope-reorder -k "not five_deaths" # make test-faults has those

docs: install ## Build the documentation into site/, every warning an error
	mkdocs build --quiet

menu: install ## Write MLproject anew from the main fields of every stage's settings
	@mkdir -p build
	python -c "from recdistill.config import mlproject; print(mlproject(), end='')" > build/MLproject
	@cmp -s build/MLproject MLproject || cp build/MLproject MLproject

tables: $(VENV)/.with-llm ## Write every table of README and docs anew from benchmarks/results
	python -m benchmarks.tables

# Peers want other versions than we do, so each has an environment of its own. One that does not
# install is left out of the comparison; RecTools is guarded, so it must.
PEERS := rectools replay recbole
PEER_ENVIRONMENTS := $(PEERS:%=build/peers/%/.ready)
build/peers/rectools/.ready: PACKAGES := 'rectools[torch]==0.19.0'
build/peers/replay/.ready: PACKAGES := 'replay-rec[torch]==0.22.0'
build/peers/recbole/.ready: PACKAGES := recbole==1.2.1 'numpy<2' 'pandas<3' # it uses what newer ones dropped
$(PEER_ENVIRONMENTS): build/peers/%/.ready:
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet torch==2.13.0 $(PACKAGES) && touch $@ || echo "$* could not be installed, for the reason above"

bench: $(VENV)/.with-llm $(PEER_ENVIRONMENTS) ## Over half an hour, nothing else running: speed beside peers, large catalogs, growth; then the guard on ratios
	OMP_NUM_THREADS=1 python -m benchmarks.training_speed --rounds $(or $(ROUNDS),1) \
	  $$(for peer in $(PEERS); do test ! -e build/peers/$$peer/.ready || echo --peer $$peer=build/peers/$$peer/bin/python; done)
	OMP_NUM_THREADS=1 python -m benchmarks.evaluation_speed --peer-python build/peers/rectools/bin/python
	OMP_NUM_THREADS=1 python -m benchmarks.distillation_speed
	python -m benchmarks.large_catalogs
	OMP_NUM_THREADS=1 python -m benchmarks.scaling --anew
	python -m benchmarks.tables
	python -m benchmarks.guard

gpu-check: $(VENV)/.with-llm ## On a machine with a GPU, under ten minutes: measure what only a GPU can show
	python -m benchmarks.gpu_check

notebooks: install ## Execute the notebooks; the documentation then shows their results
	RECDISTILL_NOTEBOOKS=build/notebooks pytest tests/recipes/test_notebooks.py

lock: install ## Pin what is new in pyproject.toml, keep the other pins (needs uv)
	@mkdir -p build && cp requirements.lock build/lock.txt
	uv pip compile -q pyproject.toml --extra dev --extra docs --extra server --python-version 3.11 --no-header --no-annotate -o build/lock.txt > /dev/null
	@echo "# Every package of the tested environment, pinned. Used as constraints by 'make install'; made by 'make lock'." > requirements.lock
	@grep -vE '^(#|nvidia-|cuda-|triton)' build/lock.txt | sed 's/+cpu//' >> requirements.lock # CPU and GPU builds share it

ranges: install ## Resolve both ends of every range for every Python, check types for each (needs uv)
	@mkdir -p build/ranges
	@for python in 3.11 3.12 3.13 3.14; do for end in highest lowest-direct; do \
	  uv pip compile -q pyproject.toml --extra llm --extra server --python-version $$python --resolution $$end \
	    --no-header --no-annotate -o build/ranges/$$python-$$end.txt > /dev/null && echo "Python $$python, $$end: resolved" || exit 1; \
	done; mypy --python-version $$python || exit 1; done

lowest: ranges ## Pass the unit tests with the lowest versions that the ranges allow (needs uv)
	test -x build/lowest/bin/python || uv venv --quiet --python $(PYTHON) build/lowest
	uv pip install -q --python build/lowest/bin/python -r build/ranges/3.11-lowest-direct.txt hypothesis pytest pytest-xdist ir-measures hatchling
	uv pip install -q --python build/lowest/bin/python --no-deps -e .
	build/lowest/bin/python -m pytest tests/unit -q -n 2

clean: ## Remove caches and finished build files; runs and data stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis site
