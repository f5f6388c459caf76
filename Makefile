# make run [DIR=path]   explain the sample workspace, or a folder of yours, in the terminal
# make test             everything quick: Python and client tests, linters, types
# make lint             linters and types only
# make vsix             the extension for this platform and the universal one, in build/
# make clean            remove what these made
#
# Needs Python 3.11 or later; test and vsix need Node 20 or later too. Each step is done once: see .stamps/.

DIR ?= tests/workspaces/sample
TARGET ?= $(or $(shell node client/scripts/target.mjs 2>/dev/null),this-platform)

VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
NPM := npm --prefix client --no-audit --no-fund --no-update-notifier --loglevel=error

PYTHON_SOURCES := $(shell find analyzers server -name '*.py' -not -path '*/__pycache__/*' 2>/dev/null)
CLIENT_SOURCES := $(shell find client/src client/images client/syntaxes client/walkthrough client/scripts client/bundle -type f 2>/dev/null)

.PHONY: run test test-python test-client lint lint-python lint-client vsix clean
.DELETE_ON_ERROR:

run: .stamps/runtime
	@$(BIN)/kernelscope explain "$(DIR)"

test: .stamps/dev .stamps/client test-python test-client lint

test-python: .stamps/dev
	$(BIN)/python -m pytest -q -n auto $(PYTEST)

test-client: .stamps/client
	cd client && node scripts/test.mjs

lint: lint-python lint-client

lint-python: .stamps/dev
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

lint-client: .stamps/client
	cd client && node_modules/.bin/tsc --noEmit && node_modules/.bin/biome check --error-on-warnings .

vsix: build/kernelscope-$(TARGET).vsix build/kernelscope-universal.vsix
	@ls -l build/*.vsix

build/kernelscope-universal.vsix: .stamps/client $(CLIENT_SOURCES) client/package.json README.md
	@cd client && node scripts/package.mjs universal

build/kernelscope-%.vsix: .stamps/client .stamps/dev $(CLIENT_SOURCES) $(PYTHON_SOURCES) client/package.json pyproject.toml constraints.txt README.md
	@$(BIN)/python client/bundle/make_bundle.py $* --out build/bundle/$* --wheels build/wheels
	@cd client && node scripts/package.mjs $*

# The interpreter: PYTHON=..., else the first on PATH that is new enough.
$(BIN)/python:
	@set -e; for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    "$$python" -m venv $(VENV) >.venv-log 2>&1 && rm -f .venv-log && exit 0; \
	    rm -rf $(VENV) .venv-log; echo "make: $$python cannot make a virtual environment: install python3-venv, or give another by PYTHON=..." >&2; exit 1; \
	  fi; \
	done; echo "make: Python 3.11 or later is missing: install it from https://www.python.org/downloads/, or give its path by PYTHON=..." >&2; exit 1

.stamps/runtime: pyproject.toml constraints.txt | $(BIN)/python
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt hatchling editables
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt --no-build-isolation -e .
	@mkdir -p .stamps && touch $@

.stamps/dev: .stamps/runtime
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

.stamps/client: client/package.json client/package-lock.json
	@node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null || { echo "make: Node 20 or later is missing: install it from https://nodejs.org/" >&2; exit 1; }
	@$(NPM) ci --ignore-scripts >/dev/null
	@mkdir -p .stamps && touch $@

clean:
	rm -rf $(VENV) .stamps build client/node_modules client/out
