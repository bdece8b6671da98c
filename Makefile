# On a fresh machine: `make demo` runs the main job and says where the page is; `make test` passes the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test snapshots house newest lowest matrix lint format bench docs links examples lock chromium postgres clean

# In a folder of its own, so that the example run and leaderboard of the repository stay as they are.
demo: $(VENV)/.core
	mkdir -p build/demo
	cd build/demo && $(abspath $(BIN))/evalkit run

test: $(VENV)/.dev chromium
	$(BIN)/python -m pytest -n auto

# Lines of code, rooms, arrows between them, circles, the longest functions and the most parameters.
house: $(VENV)/bin/python
	$(BIN)/python ci/house.py

# What some eighty command lines give, taken anew: tests/snapshots compares. Say in the commit what changed and why.
snapshots: $(VENV)/.dev
	rm -rf tests/snapshots/kept
	$(BIN)/python tests/snapshots/take.py
	git status --short tests/snapshots/kept

# The same with the newest versions of everything, with the lowest that pyproject.toml allows, and LiteLLM by LiteLLM.
newest lowest matrix: $(VENV)/.dev
	ci/$@.sh

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# External links of the documentation; needs the network, and is no part of the tests.
links: $(VENV)/bin/python
	$(BIN)/python docs/check_links.py

# The generated files that are kept in the repository; CI makes them again and compares.
examples: $(VENV)/.core
	$(BIN)/python docs/make_address.py
	$(BIN)/python docs/make_examples.py
	$(BIN)/python docs/make_cli.py
	$(BIN)/python docs/make_notebook.py
	$(BIN)/python docs/make_metrics.py
	$(BIN)/python docs/make_api.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Only what requirements/ names, at the versions and with the hashes that stand there: any pip can do it.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
OURS := $(INSTALL) --no-deps --no-build-isolation -e .

$(VENV)/.core: pyproject.toml requirements/core.txt requirements/build.txt | $(VENV)/bin/python
	$(INSTALL) --no-compile -r requirements/build.txt -r requirements/core.txt
	$(OURS)
	@touch $@

# Not compiled at once: most of what torch and ray bring is never imported. --no-deps, for the lock is complete, and
# torch, which some packages of it need, has no hash.
$(VENV)/.dev: pyproject.toml $(wildcard requirements/*.txt) | $(VENV)/bin/python
	$(INSTALL) --no-compile --no-deps -r requirements/build.txt -r requirements/core.txt -r requirements/dev.txt
	$(INSTALL) --no-compile -r requirements/torch.txt
	$(OURS)
	@touch $@ $(VENV)/.core

# The newest versions of everything, for requirements/; ci/lock.sh says what each file is for.
lock:
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet uv
	UV=build/lock/bin/uv ci/lock.sh

# The browser that opens the pages in the tests: the system's, else Debian's package, else Playwright's own.
chromium: $(VENV)/.dev
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	       && apt-get update -qq && apt-get install -y -qq chromium fonts-noto-cjk >/dev/null; } \
	  || $(BIN)/playwright install chromium

# The PostgreSQL server of the tests of shared caches: the system's, else Debian's package.
postgres:
	@command -v pg_ctl >/dev/null || ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1 \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	       && apt-get update -qq && apt-get install -y -qq postgresql >/dev/null; }

clean:
	rm -rf $(VENV) dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis
