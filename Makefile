# What a person does with Pushback, one target each. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: setup up rehearsal down test fuzz soak lint format bench gate-simulation lock clean help loop

PYTHON ?= python3.11
BIN := .venv/bin
PARTS := api jobs ui dev
PINS := $(PARTS:%=requirements/%.txt)
ROOMS := backend jobs ui tests
# The threads of a fit sleep while they wait for each other: the machine has other work.
export OMP_WAIT_POLICY = passive

setup: .venv/.installed ## Make the Python environment in .venv (2 minutes the first time, then nothing)

.venv/.installed: $(PINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
		echo "Pushback needs Python 3.11, but '$(PYTHON)' is missing or is another version."; \
		echo "Install it (Debian 12: apt-get install python3.11 python3.11-venv; macOS: brew install python@3.11),"; \
		echo "or say where it is: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3.11"; exit 1; } >&2
	@free=$$(df -Pm . | awk 'NR == 2 { print $$4 }'); test "$$free" -ge 3000 || { \
		echo "The disk has $$free MiB free here, and Pushback's packages need 3000: make room, then run this again."; \
		exit 1; } >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "Python could not make .venv (see above). On Debian and Ubuntu: apt-get install python3.11-venv" >&2; exit 1; }
	@# Without --no-compile the half that nobody imports is compiled too, which doubles the time.
	@echo "Installing the pinned packages into .venv: about two minutes and 2 GB ..."
	@$(BIN)/python -m pip install -qq --no-compile --no-input --disable-pip-version-check $(PINS:%=-r %)
	@touch $@ && echo "The environment is ready."

up: setup ## Ingest, train the first champion, start everything; Ctrl-C stops it all
	@exec $(BIN)/python -m jobs.up

rehearsal: setup ## The same in var/rehearsal on ports of its own, to break: make rehearsal ARGS="--break delays:JFK:x2"
	@PUSHBACK_HOME="$${PUSHBACK_HOME:-var}/rehearsal" API_PORT=8100 UI_PORT=8601 MLFLOW_PORT=5100 \
		$(BIN)/python -m jobs.up --rehearsal $(ARGS)

down: ## Stop a running Pushback; what it knows stays
	@test -x $(BIN)/python || { echo "Nothing runs: there is no .venv."; exit 0; }; exec $(BIN)/python -m jobs.down

test: setup ## Run every test that this machine can; ARGS="-k name" to choose, REQUIRE_ALL=1 to fail on a skip
	@$(BIN)/python -m pytest -p tests.require_all $(if $(filter 1,$(REQUIRE_ALL)),--require-all) $(ARGS)

fuzz: setup ## Thousands of requests made from the OpenAPI document, by every role; ARGS="--examples 200 --seed 7" for others
	@$(BIN)/python -m pytest -p tests.fuzz.options -q -s tests/integration/test_api_fuzz.py $(or $(ARGS),--examples 20)

soak: setup ## Ten minutes of mixed load with two processes killed in the middle; ARGS=2 for two minutes
	@$(BIN)/python -m tests.soak $(ARGS)

lint: setup ## Check formatting, style, types and which room may import which
	@$(BIN)/ruff format --check $(ROOMS)
	@$(BIN)/ruff check $(ROOMS)
	@$(BIN)/mypy
	@$(BIN)/pylint --score=n $(ROOMS)
	@$(BIN)/lint-imports --no-logo

format: setup ## Put the code into its format
	@$(BIN)/ruff format $(ROOMS)
	@$(BIN)/ruff check --fix --quiet $(ROOMS)

bench: setup ## Measure speed and memory on this machine; writes bench.json
	@$(BIN)/python -m tests.bench $(ARGS)

loop: setup ## Replay April to June with a real Prometheus and Alertmanager, and tell what the closed loop did
	@$(BIN)/python -m jobs.loop $(ARGS)

gate-simulation: setup ## Try the promotion gate on 2,000 simulated years of nightly looks (15 minutes)
	@$(BIN)/python -m jobs.gate_simulation $(ARGS)

lock: setup ## Pin requirements/*.txt anew, after a change of a *.in file
	@for part in $(PARTS); do echo "requirements/$$part.txt"; \
		CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --strip-extras --no-allow-unsafe \
			--no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
			--output-file requirements/$$part.txt requirements/$$part.in 2>.venv/lock.log \
			|| { tail -n 20 .venv/lock.log >&2; exit 1; }; done

clean: ## Remove the environment and caches; what Pushback knows (var/) stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis bench.json
	@find $(ROOMS) -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## List these targets
	@echo "Pushback: will this flight be disrupted?"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
