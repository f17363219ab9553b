# The one command list: hooks, people and CI run the same targets. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVICES := $(patsubst %/Dockerfile,%,$(filter-out client/%,$(wildcard */Dockerfile)))
PACKAGES := common $(SERVICES) infra/testkit infra/ops infra/local infra/bench infra/system-tests
SOURCES := $(PACKAGES:%=%/src) infra/ci/src
TYPED := $(SOURCES) $(wildcard $(PACKAGES:%=%/tests)) infra/ci/tests infra/k8s nats-tests
# Tools of hooks and pipeline, apart: `make up` needs none of them.
TOOLS := $(VENV)/tools
# What the pipeline decides, in Python without packages; run in place, so that a job that only asks installs nothing.
CI := PYTHONPATH=infra/ci/src:common/src

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-17s %s\n", $$1, $$2}'

# --- what is installed ---------------------------------------------------------------------------------------

$(VENV)/.installed: requirements.lock pyproject.toml $(PACKAGES:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the Python packages (a minute or two, once)…"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(PACKAGES:%=-e ./%)
	@touch $@

.PHONY: install
install: $(VENV)/.installed ## Build .venv from the lock file

$(TOOLS)/.installed: infra/ci/requirements.lock $(VENV)/.installed
	@test -x $(TOOLS)/bin/python || $(BIN)/python -m venv $(TOOLS)
	@$(TOOLS)/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r infra/ci/requirements.lock
	@touch $@

.PHONY: tools
tools: $(TOOLS)/.installed ## Install what hooks and supply-chain checks need, from a lock of their own

# What an image installs: that service's own part of requirements.lock, in the same versions.
LOCK_IMAGE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-package ticketing-common --constraint requirements.lock --no-annotate --custom-compile-command "make lock"

.PHONY: lock
lock: $(VENV)/.installed ## Resolve requirements.lock again (needs uv on PATH); UPGRADE=--upgrade takes newer versions
	uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  $(patsubst %,--no-emit-package ticketing-%,common local ops testkit system-tests $(SERVICES)) --custom-compile-command "make lock" \
	  $(PACKAGES:%=%/pyproject.toml) --group dev -o requirements.lock
	for service in $(SERVICES); do $(LOCK_IMAGE) $$service/pyproject.toml -o $$service/requirements.lock || exit 1; done
	$(LOCK_IMAGE) common/pyproject.toml infra/k8s/tools/requirements.in -o infra/k8s/tools/requirements.lock
	$(LOCK_IMAGE) infra/ci/requirements.in -o infra/ci/requirements.lock

# --- the product -----------------------------------------------------------------------------------------------

.PHONY: up
up: $(VENV)/.installed ## Run the whole product; ARGS="--detach" passes options
	@$(BIN)/ticketing up $(ARGS)

.PHONY: down
down: $(VENV)/.installed ## Stop the processes of `make up`
	@$(BIN)/ticketing down $(ARGS)

.PHONY: dev-secrets
dev-secrets: $(VENV)/.installed ## Make keys and passwords for a development cluster and apply them (needs kubectl)
	kubectl apply -f infra/k8s/namespace.yaml
	$(BIN)/python infra/k8s/cluster_secrets.py --members 1 --tls --apply

.PHONY: cluster-check
cluster-check: $(VENV)/.installed ## Restart and kill parts of a development cluster under load; ARGS="--context kind-kind" (needs kubectl)
	@$(BIN)/python infra/k8s/cluster_check.py $(ARGS)

# --- quality ---------------------------------------------------------------------------------------------------

.PHONY: format
format: $(VENV)/.installed ## Format, and fix what can be fixed automatically
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

.PHONY: lint
lint: $(VENV)/.installed ## Format check, lint, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

.PHONY: types
types: $(VENV)/.installed ## mypy strict on every src and every folder of tests
	$(BIN)/mypy $(TYPED)

.PHONY: unit
unit: $(VENV)/.installed ## The fast tests, without processes or network
	$(BIN)/pytest -q -m unit

.PHONY: check
check: lint types unit ## What every commit keeps green

# --- tests -----------------------------------------------------------------------------------------------------

.PHONY: test
test: check integration flow client-check browser ## Everything, from a fresh clone

.PHONY: integration
integration: $(VENV)/.installed ## Services and common over real MongoDB, NATS, Redis and the Stripe double; SUITE=orders for one part
	@# A part named with SUITE=… may have unit tests only, which pytest reports as 5.
	$(BIN)/pytest -q -m "not unit and not flow" -n 3 --dist loadfile --no-loadscope-reorder $(SUITE) || { code=$$?; test $$code -eq 5 -a -n "$(SUITE)" || exit $$code; }

.PHONY: manifests
manifests: $(VENV)/.installed ## Render the overlays and hold them, Dockerfiles and skaffold.yaml to their policies
	$(BIN)/pytest -q infra/k8s

.PHONY: flow
flow: $(VENV)/.installed ## The tests of all processes over HTTP
	$(BIN)/pytest -q -m flow -n 2 --dist loadfile

DURATION ?= 180

.PHONY: chaos
chaos: $(VENV)/.installed ## Buyers against a stack whose processes are killed at random; DURATION=180 (seconds), SEED=…
	@$(BIN)/ticketing-chaos --seconds $(DURATION) $(if $(SEED),--seed $(SEED)) $(ARGS)

client/node_modules/.package-lock.json: client/package-lock.json
	cd client && npm ci --no-audit --no-fund
	@touch $@

.PHONY: client-lint
client-lint: client/node_modules/.package-lock.json ## Lint and format check of the client, and whether its API types are current
	cd client && npm run --silent lint && npm run --silent format:check && npm run --silent api-types -- --check

.PHONY: client-check
client-check: client-lint ## Lint, types and component tests of the client
	cd client && npm run --silent typecheck && npm run --silent test

# A stack of its own for what follows it in the recipe: its addresses are in BASE_URL and INBOX_URL, and it is gone afterwards.
ON_A_STACK = data=$$(mktemp -d) && trap '$(BIN)/ticketing down --data-dir '$$data' >/dev/null; rm -rf '$$data EXIT && \
  $(1) $(foreach what,SIGNIN SIGNUP HOLDS LISTINGS PAYMENTS,RATE_LIMIT_$(what)=off) $(BIN)/ticketing up --detach --data-dir $$data && \
  eval "$$($(BIN)/ticketing status --json --data-dir $$data | $(BIN)/python -c 'import json, sys; of = json.load(sys.stdin)["addresses"]; print("export BASE_URL=%s INBOX_URL=%s" % (of["client"], of["inbox"]))')"

.PHONY: browser
browser: $(VENV)/.installed client/node_modules/.package-lock.json ## Chromium through the real stack
	@$(call ON_A_STACK,RESERVATION_WINDOW_SECONDS=45) && npm --prefix client run --silent test:e2e

.PHONY: screenshots
screenshots: $(VENV)/.installed client/node_modules/.package-lock.json ## Take docs/screenshots again
	@$(ON_A_STACK) && npm --prefix client run --silent screenshots

.PHONY: lighthouse
lighthouse: $(VENV)/.installed client/node_modules/.package-lock.json ## Lighthouse over the main pages, on a quiet machine (fetches it)
	@$(ON_A_STACK) && npm --prefix client run --silent lighthouse

# --- measurements ----------------------------------------------------------------------------------------------

.PHONY: bench
bench: $(VENV)/.installed ## Speed as ratios to a baseline, on a quiet machine (20 minutes); figures into docs/bench
	@code=0; for part in delivery streams routes; do $(BIN)/ticketing-bench $$part || code=$$?; done; exit $$code

.PHONY: bench-load
bench-load: $(VENV)/.installed ## The whole product under load, on a quiet machine (20 minutes); figures into docs/bench
	@$(BIN)/ticketing-bench load $(ARGS)

.PHONY: bench-quick
bench-quick: $(VENV)/.installed ## The ratios of event delivery and routes in under two minutes, into .local/bench
	@code=0; for part in delivery routes; do $(BIN)/ticketing-bench $$part --quick || code=$$?; done; exit $$code

# --- documents -------------------------------------------------------------------------------------------------

.PHONY: docs
docs: $(VENV)/.installed ## Write docs/events, docs/openapi, docs/settings.md, the client's API types and the dashboard again from the code
	$(BIN)/python -m ticketing_common.events.documents docs/events
	$(CI) $(BIN)/python -m ticketing_ci.openapi docs/openapi
	$(CI) $(BIN)/python -m ticketing_ci.settings_page docs/settings.md
	$(BIN)/python -m ticketing_common.telemetry.dashboard infra/k8s/components/operations/dashboard.json
	@if command -v node >/dev/null; then node client/scripts/api-types.mjs; else echo "client/lib/api/generated.ts: not written, Node is missing"; fi

include infra/ci/ci.mk
