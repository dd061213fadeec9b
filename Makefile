# dwtsvc: `make scan` scans to scan.pdf, `make test` runs the tests; each sets up what it needs.

PYTHON ?= python3
ARGS ?=
export PYTHON

run := .venv/bin/python -m
setup := @sh packaging/setup

.PHONY: help setup scan test test-twain storm storm-files lint format bench man completions dist types npm pictures \
    lock clean

help: ## show these verbs
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: ## make .venv with all that running, testing and developing need
	$(setup) test

scan: ## set up, then scan to scan.pdf (or the next free name); ARGS="--source feeder ..." adds options
	$(setup) run
	@.venv/bin/dwtsvc scan --or-virtual --next-free -o scan.pdf $(ARGS)

# All of them at once in several processes, and each file in one of them, so that its tests share what they set up.
# In their order: those of the browser and whole commands, which take long, come before those of single modules.
test: ## set up, then run the everyday tests; ARGS="tests/cli -k name" chooses
	$(setup) test
	@$(run) pytest $(or $(ARGS),-n auto --dist loadfile --no-loadscope-reorder)

test-twain: ## scan with the TWAIN driver in Wine, with a data source of its own (needs wine64 and MinGW)
	$(setup) test
	@DWTSVC_TEST_TWAIN=1 $(run) pytest -o timeout=600 $(ARGS) tests/twain/test_wine.py

storm: ## kill the service, its monitor and its workers while clients use it; ARGS="500 7" is how often, and a seed
	$(setup) test
	@$(run) tests.faults.storm $(ARGS)

storm-files: ## give files made to break their readers to all that reads; ARGS="1000 7 batches" is how many, a seed, a part
	$(setup) test
	@$(run) tests.faults.storm_files $(ARGS)

# mypy finds the command package by the name it is installed under, and new files at once, through this link.
lint: ## check style, types, layers and spelling
	$(setup) test
	$(run) ruff check .
	$(run) ruff format --check .
	@mkdir -p build/types && ln -sfn ../../cli build/types/dwtsvc_cli
	MYPYPATH=build/types $(run) mypy -p dwtsvc -p dwtsvc_cli
	.venv/bin/lint-imports
	.venv/bin/codespell

format: ## lay the code out and mend what ruff can mend
	$(setup) test
	$(run) ruff check --fix .
	$(run) ruff format .

bench: ## measure against the peers
	$(setup) test
	$(run) benchmarks $(ARGS)

man: ## write man/ from the commands
	$(setup) test
	$(run) dwtsvc_cli.papers man man

completions: ## write completions/ for bash, zsh, fish and PowerShell
	$(setup) test
	$(run) dwtsvc_cli.papers completions completions

dist: ## build the wheel and the source archive in dist/
	$(setup) test
	$(run) build --no-isolation

types: ## check dwtsvc.js with TypeScript and write its .d.ts files (needs npm)
	@sh packaging/npm/types

npm: ## make the npm package of dwtsvc.js in dist/ (needs npm)
	@sh packaging/npm/pack

pictures: ## draw the pictures of docs/images: every state of the scan page, the consent page and the dialog
	$(setup) test
	@$(run) tests.browser.scan_pictures docs/images 360 1280
	@$(run) tests.browser.consent_pictures docs/images

lock: ## resolve the Python packages anew (needs uv)
	uv pip compile pyproject.toml --group backend --universal --generate-hashes --no-header --no-annotate -o requirements.lock
	uv pip compile pyproject.toml --group backend --group dev --universal --generate-hashes --no-header --no-annotate \
	    -c requirements.lock -o requirements-dev.lock

clean: ## remove what was built, and .venv
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
