# SPDX-License-Identifier: Apache-2.0
# `make` prints what it can do. Everything lands in .venv and build; nothing else is touched, except Debian packages that
# `make test` needs, and only where apt-get and the rights for it are there.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONUNBUFFERED = 1
# Chromium, mosquitto: what the tests start and no Python package brings.
DEBIAN_PACKAGES := mosquitto chromium

.PHONY: help demo test check bench torture firmware lock clean

help: ## Print these targets
	@echo "Kiezbox: make TARGET"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

# One lock file for running, one for developing, one of other people's decoders, which the tests hold ours against. All
# hold names, versions and hashes, so a changed package is refused.
$(VENV)/run.stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Kiezbox needs Python 3.11 to 3.13, but $(PYTHON) is {v.major}.{v.minor}. Name another one: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || { echo "Setting up $(VENV) (once, about a minute) ..."; \
	  $(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing. On Debian: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock requirements-referee.lock $(VENV)/run.stamp
	@echo "Adding what the tests need to $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-referee.lock
	@touch $@

.PHONY: debian
debian:
	@missing=; for package in $(DEBIAN_PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    echo "Installing Debian packages:$$missing"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else echo "The tests need these Debian packages:$$missing. Install them: sudo apt-get install$$missing" >&2; exit 1; fi; fi

# A 32-bit MicroPython for tests/test_micropython_32bit.py. Left out where npm is not there or brings nothing.
build/node/stamp: tests/micropython_32bit/package.json tests/micropython_32bit/package-lock.json
	@mkdir -p build/node && cp $^ build/node/
	@if command -v npm >/dev/null && command -v node >/dev/null; then \
	  npm ci --prefix build/node --ignore-scripts --no-audit --no-fund --silent && touch $@ || \
	  echo "npm brought no 32-bit MicroPython: those tests are left out." >&2; \
	else echo "Without node and npm the tests on a 32-bit MicroPython are left out." >&2; fi

demo: $(VENV)/run.stamp ## One call for help crosses a blackout (KEEP=1 leaves it running, CITY_MQTT=mqtt://host:port uses your broker)
	@$(BIN)/kiezbox demo $(if $(KEEP),--keep) $(if $(CITY_MQTT),--city-mqtt '$(CITY_MQTT)')

check: $(VENV)/dev.stamp ## Style, types and import rules, without running anything
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy
	@$(BIN)/python -m tools.firmware_types

test: $(VENV)/dev.stamp build/node/stamp debian check ## Every test: both interpreters, real broker, real browser
	@# Two lanes of like length, for two cores: tests with a browser and then the gateway's in one, all others in the other.
	@# The browser driver keeps an event loop of its own running, which other asynchronous tests cannot share, so it is a
	@# run of its own. 5: none of the tests asked for is of this kind.
	@mkdir -p build; $(BIN)/python -m pytest -m "not browser" --lane=rest $(PYTEST_ARGS) >build/other-tests.log 2>&1 & \
	  others=$$!; trap 'kill $$others 2>/dev/null' INT TERM; \
	  $(BIN)/python -m pytest -m browser $(PYTEST_ARGS); first=$$?; \
	  $(BIN)/python -m pytest -m "not browser" --lane=gateway $(PYTEST_ARGS); second=$$?; \
	  wait $$others; third=$$?; cat build/other-tests.log; status=0; \
	  for one in $$first $$second $$third; do \
	    if [ $$one = 5 ] && [ -n '$(PYTEST_ARGS)' ]; then one=0; fi; [ $$one = 0 ] || status=$$one; done; \
	  exit $$status

bench: $(VENV)/dev.stamp debian ## Measure, beside what a city would install instead: build/bench/*.json
	@$(BIN)/python -m bench

torture: $(VENV)/dev.stamp debian ## The long runs: power cuts, crashes, mutated frames (hours)
	@KIEZBOX_LONG=1 $(BIN)/python -m pytest --timeout=0 -m 'not browser' $(PYTEST_ARGS)

firmware: $(VENV)/run.stamp ## Compile the firmware for the board into build/firmware and report its size
	@$(BIN)/kiezbox sim firmware

lock: ## Choose new versions of every package and write the lock files (needs uv)
	@uv pip compile pyproject.toml --extra simulator --group run-build --universal --python-version 3.11 --upgrade --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements.lock
	@uv pip compile pyproject.toml --extra simulator --group run-build --group dev --constraint requirements.lock --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements-dev.lock
	@# What a gateway needs and nothing more: all of it exists for a Raspberry Pi as well, which the simulator's packages do not.
	@uv pip compile pyproject.toml --group run-build --constraint requirements.lock --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements-gateway.lock
	@uv pip compile --group referee --no-deps --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --quiet --output-file requirements-referee.lock

clean: ## Remove build and .venv
	@rm -rf build $(VENV)
