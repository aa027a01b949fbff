# Each target does its own set-up and can be repeated.
SHELL := bash
.DELETE_ON_ERROR:
.PHONY: help setup up preview down test test-fast test-engine coverage benchmark benchmark-preview fault-table pictures plugin-schema json-schemas check format
.PHONY: conformance conformance-page policies-page schema monitoring-series benchmark-monitoring benchmark-rollout
.PHONY: docs docs-links reference-pages
.PHONY: lock upgrade toolchain changelog release-check clean

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON ?= python3
# Commands of this file start hundreds of Python processes. With this variable each of them would compile the package.
unexport PYTHONDONTWRITEBYTECODE
# A file of tests runs in one process, which keeps about one core busy. Three processes leave two cores no time to wait;
# with four the same tests take as long, and each of them has less time for what it waits for.
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder
# Each process collects all tests, which takes ten seconds. Some tests wait for timeouts.
PARALLEL_FAST := -n 3 --dist worksteal
# `$(BESIDE) COMMAND` runs a command, and downloads or builds missing tools until it ends.
up preview toolchain: BESIDE = $(BIN)/python -m mig_fleet.toolchain --
test test-engine: BESIDE = $(BIN)/python -m mig_fleet.toolchain $(TEST_TOOLS) --
FAST ?= test-fast
GENUINE := kube etcd mig-parted mig-manager dra-plugin nfd
TEST_TOOLS := engine kube etcd provider mig-parted mig-manager prometheus kubectl yaml sdk-generator

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | column -t -s "$$(printf '\t')"

setup: $(READY) ## the Python environment, from the lock file

$(READY): requirements.lock pyproject.toml
	@echo "Setting up the Python environment in $(VENV) (about a minute, once)$(if $(BESIDE),; missing tools are installed meanwhile) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mig-fleet needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BESIDE) $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

up: $(READY) ## a simulated GPU fleet, and a verified `pulumi up` of stack local on it
	@$(BIN)/mig-fleet local up

preview: $(READY) ## what `make up` would change
	@$(BIN)/mig-fleet local preview

down: $(READY) ## destroy stack local and stop the simulated fleet
	@$(BIN)/mig-fleet local down

test: $(FAST) test-engine conformance ## every test, including those with the real engine (FAST=coverage also measures lines)

test-fast: $(READY) ## the tests that need no engine and no build (1 minute)
	@$(BESIDE) $(BIN)/python -m pytest -m "not engine and not slow and not conformance" $(PARALLEL_FAST) --hypothesis-profile=quick

test-engine: $(READY) ## the tests that `make test-fast` does not run (minutes)
	@$(BIN)/mig-fleet toolchain $(TEST_TOOLS)
	@$(BIN)/python -m pytest -m "engine or slow" $(PARALLEL)

coverage: $(READY) ## `make test-fast` with line coverage; fails below the floor in pyproject.toml
	@$(BESIDE) $(BIN)/python -m pytest -m "not engine and not slow and not conformance" $(PARALLEL_FAST) --cov --cov-report=term:skip-covered

benchmark: $(READY) ## time placement proofs, readings of the probe and help; fails above a bound (half a minute)
	@$(BIN)/python -m benchmarks.proofs
	@$(BIN)/python -m benchmarks.probe_read
	@$(BIN)/python -m benchmarks.help

benchmark-monitoring: $(READY) ## what rules and dashboards cost a Prometheus and a preview; fails above a bound (a minute)
	@$(BIN)/mig-fleet toolchain prometheus
	@$(BIN)/python -m benchmarks.monitoring

benchmark-preview: $(READY) ## what a preview of 100, 1,000 and 5,000 nodes takes; fails above a bound (minutes)
	@$(BIN)/mig-fleet toolchain engine kube etcd
	@$(BIN)/python -m benchmarks.preview

benchmark-rollout: $(READY) ## what mig-fleet adds to MIG Manager's time, and what probes request; fails above a bound (minutes)
	@$(BIN)/mig-fleet toolchain engine kube etcd provider
	@$(BIN)/python -m benchmarks.rollout --nodes 50 --waves 1
	@$(BIN)/python -m benchmarks.probe_requests --nodes 200 --waves 1

fault-table: $(READY) ## write docs/reference/faults.md from faults injected into simulated nodes (minutes)
	@MIG_FLEET_WRITE_FAULTS=yes $(BIN)/python -m pytest -q tests/faults/test_faults.py
	@$(BIN)/python -m pytest -q tests/faults/test_document.py

conformance: $(READY) ## compare the simulator with NVIDIA's own programs; CASES=5000 generates more and other cases (2 minutes)
	@$(BIN)/mig-fleet toolchain $(GENUINE)
	@$(BIN)/python -m tools.conformance $(if $(CASES),--cases $(CASES))

conformance-page: $(READY) ## write the figures of docs/explanation/truth.md (2 minutes)
	@$(BIN)/mig-fleet toolchain $(GENUINE)
	@$(BIN)/python -m tools.conformance --write $(if $(CASES),--cases $(CASES))

policies-page: $(READY) ## write the list of docs/reference/policies.md from the policies
	@$(BIN)/python -m tools.policies_page

reference-pages: $(READY) ## write the generated parts of docs/reference from the code
	@$(BIN)/python -m tools.reference_pages

docs: $(READY) ## build the site of the documentation in build/docs; warnings and broken internal links fail
	@$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet docs build/docs
	@echo "build/docs/index.html"

docs-links: $(READY) ## follow the links of the documentation to other sites (needs the Internet)
	@$(BIN)/python -m sphinx --builder linkcheck --keep-going --quiet docs build/docs-links

pictures: $(READY) ## write docs/pictures/ from recorded previews and series, the catalog and the rule of waves
	@$(BIN)/python -m tools.pictures

review-fixtures: $(READY) ## write the previews in tests/review/previews and their comments (minutes)
	@MIG_FLEET_WRITE_PREVIEWS=yes $(BIN)/python -m pytest -q tests/review/test_engine_previews.py
	@MIG_FLEET_WRITE_PREVIEWS=yes $(BIN)/python -m pytest -q tests/review/test_golden.py

monitoring-series: $(READY) ## record the series of the picture of the pool dashboard with a real Prometheus (a minute)
	@$(BIN)/python -m tools.monitoring_series

plugin-schema: $(READY) ## write plugin/schema.json, the schema of what the plugin serves to other languages
	@$(BIN)/python -m tools.plugin_schema

json-schemas: $(READY) ## write docs/json, the schemas of what `--json` prints
	@$(BIN)/python -m tools.json_schemas

schema: $(READY) ## write mig_fleet/stack_file/schema.json, the JSON Schema of a stack file
	@$(BIN)/python -m tools.stack_file_schema

check: $(READY) ## lint, types, import layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY) ## format the code with ruff
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: ## write requirements.lock; versions stay where they still fit (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --extra simulator --group dev --no-annotate \
		--no-header --no-emit-index-url $(UPGRADE) --output-file requirements.lock pyproject.toml

upgrade: UPGRADE := --upgrade
upgrade: lock ## write requirements.lock with the newest versions that fit (needs uv)

toolchain: $(READY) ## find, download or build the engine, the provider and the control plane
	@$(BIN)/mig-fleet toolchain

changelog: $(READY) ## show the changelog entry that the fragments in changelog.d/ make
	@$(BIN)/towncrier build --draft

release-check: $(READY) ## build, check and compare with the tag as a release does, without publishing
	@$(BIN)/python tools/release.py --dry-run

clean: ## delete the environment and the local state (run `make down` first)
	rm -rf $(VENV) .mig-fleet
