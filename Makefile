# What there is to do here. Needs make and a Python >= 3.11; everything else goes into .venv, once per change of
# pyproject.toml.

VENV := .venv
BIN := $(VENV)/bin
DATA ?=
SIZES ?= 1000,10000,50000
MEM0_PYTHON ?=
CLAUDE_CODE := 2.1.332

# Where it is set, every start of a tool would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench soak clean

help:  ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/run.stamp  ## the main job end to end, on sample sessions, in a temporary store
	@$(BIN)/kept demo

test: lint $(VENV)/claude-code.stamp  ## everything that must hold: style, types, layers, tests
	@$(BIN)/python -m pytest

lint: $(VENV)/dev.stamp $(VENV)/npm.stamp  ## style, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/dev.stamp  ## put the code into the project's format
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format

bench: $(VENV)/run.stamp  ## speed, and with DATA=folder retrieval; MEM0_PYTHON=path compares with Mem0
	@$(BIN)/python benchmarks/speed.py --sizes $(SIZES) $(if $(MEM0_PYTHON),--mem0-python $(MEM0_PYTHON))
	@$(if $(DATA),$(BIN)/python benchmarks/retrieval.py $(DATA),:)

soak: $(VENV)/run.stamp  ## eight processes on one store for a minute
	@$(BIN)/python benchmarks/soak.py

clean:  ## remove what the other targets made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment ---

# The newest supported Python on the path; PYTHON=… picks another.
$(VENV)/base.stamp:
	@python="$(PYTHON)"; \
	for candidate in $${python:-python3.13 python3.12 python3.11 python3}; do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
		echo "Kept needs Python 3.11 or newer, and none of $${python:-python3.13, python3.12, python3.11, python3} is. Install one, or say: make PYTHON=/path/to/python" >&2; \
		exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$("$$found" --version)"; \
	if ! "$$found" -m venv --clear $(VENV) 2>$(VENV).log; then \
		cat $(VENV).log >&2; rm -f $(VENV).log; \
		echo "$$found cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; \
	fi; \
	rm -f $(VENV).log
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@touch $@

$(VENV)/run.stamp: pyproject.toml $(VENV)/base.stamp
	@echo "Installing Kept"
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# Dependency groups came with pip 25.1.
$(VENV)/dev.stamp: pyproject.toml $(VENV)/run.stamp
	@echo "Installing what the tests need"
	@$(BIN)/python -m pip install --help | grep -e --group >/dev/null || { \
		echo "$$($(BIN)/python -m pip --version) is older than 25.1 and could not be upgraded; it knows no dependency groups." >&2; \
		exit 1; \
	}
	@$(BIN)/python -m pip install --quiet --editable '.[server,llm]' --group dev
	@touch $@

# The released npm clients that the acceptance tests run; without npm those are skipped, and say so.
$(VENV)/npm.stamp: tests/acceptance/npm/package-lock.json $(VENV)/base.stamp
	@if command -v npm >/dev/null; then \
		echo "Installing the npm clients" && mkdir -p $(VENV)/npm && \
		cp tests/acceptance/npm/package.json tests/acceptance/npm/package-lock.json tests/acceptance/npm/.npmrc $(VENV)/npm/ && \
		npm ci --silent --prefix $(VENV)/npm; \
	else \
		echo "npm is not installed: its clients are not tested"; \
	fi
	@touch $@

# The client that the plugin is for, some 400 MB; where it cannot be installed its tests are skipped, and say so.
$(VENV)/claude-code.stamp: $(VENV)/base.stamp
	@echo "Installing Claude Code, for the tests of its plugin"
	@npm install --prefix $(VENV)/claude-code --no-audit --no-fund --ignore-scripts --silent @anthropic-ai/claude-code@$(CLAUDE_CODE) \
		|| echo "Claude Code could not be installed: the plugin is not tested in it" >&2
	@touch $@
