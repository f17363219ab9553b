# Targets of the pipeline's steps (docs/ci.md), which also run locally. Included by the Makefile.
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
IMAGE_NAMES := $(SERVICES) client tools
# Where images go; empty means: build here and push nowhere.
REGISTRY ?=
BASE ?=
HEAD ?= HEAD

# --- hooks -----------------------------------------------------------------------------------------------------

.PHONY: hooks
hooks: $(TOOLS)/.installed client/node_modules/.package-lock.json ## Install the git hooks; they need no network afterwards
	$(TOOLS)/bin/pre-commit install --hook-type pre-commit --hook-type commit-msg

.PHONY: hooks-run
hooks-run: $(TOOLS)/.installed ## Run every hook on every file, as CI does; SKIP=types omits some
	$(TOOLS)/bin/pre-commit run --all-files --show-diff-on-failure

.PHONY: commits
commits: ## Check the messages since BASE=…
	@$(CI) $(PYTHON) -m ticketing_ci commits --base "$(BASE)" --head "$(HEAD)"

# Git passes the message's file to the hook; `make` would treat that as a target, so the file is read from git's folder.
.PHONY: commit-message
commit-message: ## Check the message of the commit in progress
	@$(CI) $(PYTHON) -m ticketing_ci commits --file "$$(git rev-parse --git-path COMMIT_EDITMSG)"

.PHONY: overlays
overlays: $(VENV)/.installed ## Render the overlays and hold them to their policies: `make manifests` without servers
	$(BIN)/pytest -q infra/k8s/tests/test_overlays.py infra/k8s/tests/test_images.py

SKAFFOLD ?= skaffold

dist/bin/skaffold:
	go build -C dist/skaffold -o ../bin/skaffold ./cmd/skaffold

.PHONY: skaffold
skaffold: $(filter dist/%,$(SKAFFOLD)) ## Let Skaffold resolve the inputs of each image and render each profile (needs Skaffold, kubectl, the network)
	@# --digest-source=none: nothing is built.
	for profile in "" "--profile dev" "--profile prod"; do \
	  $(SKAFFOLD) diagnose $$profile >/dev/null && $(SKAFFOLD) render $$profile --offline --digest-source=none >/dev/null || exit 1; done

.PHONY: workflows
workflows: $(TOOLS)/.installed ## Lint workflows and actions: schema, zizmor, and actionlint where Go or actionlint is there
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions .github/actions/*/action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(TOOLS)/bin/zizmor --offline --quiet --no-progress .github
	@# actionlint 1.7.12 does not know `queue` yet; the schema above does. Its PyPI package downloads the program while it installs, which no hash of ours covers; Go checks what it builds.
	@if command -v actionlint >/dev/null; then lint=actionlint; elif command -v go >/dev/null; then lint="go run $(ACTIONLINT)"; \
	  else echo "actionlint: not run, neither it nor Go is here"; exit 0; fi; PATH="$$PWD/$(TOOLS)/bin:$$PATH" $$lint -color -ignore 'unexpected key "queue" for "concurrency"'

# Programs come out of the images that the manifests name; Alpine's Valkey needs another C library than the runner has.
.PHONY: server-programs
server-programs: ## Copy mongod, nats-server and valkey-server of the manifests' images to dist/servers (needs Docker)
	mkdir -p dist/servers
	set -e; for pair in mongod=mongo: nats-server=nats: valkey-server=valkey/valkey:; do \
	  program=$${pair%%=*}; image=$$(grep -rhoE "image: $${pair#*=}[0-9.]+[a-z0-9.-]*" infra/k8s | sort -u | sed 's/image: //'); \
	  test "$$(echo "$$image" | wc -w)" -eq 1 || { echo "not one image for $$program: $$image"; exit 1; }; \
	  test "$$program" != valkey-server || image=$${image%-alpine}; \
	  container=$$(docker create "$$image"); path=$$(docker run --rm --entrypoint sh "$$image" -c "command -v $$program"); \
	  docker cp --follow-link "$$container:$$path" "dist/servers/$$program"; docker rm "$$container" >/dev/null; \
	  "dist/servers/$$program" --version; done

.PHONY: integration-on-servers
integration-on-servers: ## The integration suites on dist/servers (make server-programs)
	@for program in mongod nats-server valkey-server; do test -x "dist/servers/$$program" || { echo "no dist/servers/$$program"; exit 1; }; done
	PATH="$$PWD/dist/servers:$$PATH" $(MAKE) integration

.PHONY: dockerfiles
dockerfiles: $(TOOLS)/.installed ## Lint the Dockerfiles
	$(TOOLS)/bin/hadolint --config infra/ci/hadolint.yaml $$(git ls-files '*Dockerfile' '*Dockerfile.dev')

.PHONY: scripts
scripts: $(TOOLS)/.installed ## Lint the shell scripts
	$(TOOLS)/bin/shellcheck $$(git ls-files '*.sh') .ci/run

# --- what a change needs ---------------------------------------------------------------------------------------

.PHONY: changes
changes: ## Which suites, images and environments the commits since BASE=… affect
	@$(CI) $(PYTHON) -m ticketing_ci changes --base "$(BASE)" --head "$(HEAD)"

.PHONY: last-deployed
last-deployed: ## The commit last deployed to ENVIRONMENT=… of REPOSITORY=owner/name (needs gh)
	@$(CI) $(PYTHON) -m ticketing_ci last-deployed "$(REPOSITORY)" "$(ENVIRONMENT)"

# --- supply chain ----------------------------------------------------------------------------------------------

OSV_SCANNER := github.com/google/osv-scanner/v2/cmd/osv-scanner@v2.6.0

.PHONY: osv-scanner
osv-scanner: $(TOOLS)/.installed ## Install osv-scanner beside the tools (needs Go; its checksum database verifies the source)
	GOTOOLCHAIN=auto GOBIN="$$PWD/$(TOOLS)/bin" go install $(OSV_SCANNER)

.PHONY: audit
audit: $(TOOLS)/.installed ## Known vulnerabilities in all locks and servers (needs make osv-scanner, and the network)
	@$(CI) $(TOOLS)/bin/python -m ticketing_ci audit

.PHONY: licences
licences: $(VENV)/.installed ## Licences of all packages against what is permitted
	@$(CI) $(BIN)/python -m ticketing_ci licences

.PHONY: secrets-baseline
secrets-baseline: $(TOOLS)/.installed ## Add false positives of the secret scan to .secrets.baseline; review its diff
	$(TOOLS)/bin/detect-secrets scan --slim --exclude-secrets='-(mongodb|verification)$$' --exclude-files '(^|/)(requirements\.lock|package-lock\.json|pass-vectors\.json)$$' >.secrets.baseline

.PHONY: sbom
sbom: $(TOOLS)/.installed $(IMAGE_NAMES:%=dist/sbom/%.cdx.json) ## CycloneDX bills of materials of all images, in dist/sbom

dist/sbom/client.cdx.json: client/package-lock.json
	@mkdir -p $(@D)
	cd client && npm sbom --sbom-format cyclonedx --package-lock-only --omit dev >../$@

dist/sbom/tools.cdx.json: infra/k8s/tools/requirements.lock $(TOOLS)/.installed
	@mkdir -p $(@D)
	$(TOOLS)/bin/cyclonedx-py requirements --output-reproducible --output-format JSON -o $@ $<

dist/sbom/%.cdx.json: %/requirements.lock $(TOOLS)/.installed
	@mkdir -p $(@D)
	$(TOOLS)/bin/cyclonedx-py requirements --output-reproducible --output-format JSON --pyproject $*/pyproject.toml -o $@ $<

# --- images and environments -----------------------------------------------------------------------------------

.PHONY: image
image: ## Build IMAGE=orders (needs Docker); with REGISTRY=… push it, untagged, and print its digest
	@$(CI) $(PYTHON) -m ticketing_ci image "$(IMAGE)" --registry "$(REGISTRY)"

.PHONY: missing-images
missing-images: ## The images that REGISTRY=… lacks for what is checked out
	@$(CI) $(PYTHON) -m ticketing_ci missing --registry "$(REGISTRY)"

.PHONY: tag-image
tag-image: ## Tag IMAGE=orders DIGEST=sha256:… in REGISTRY=… with its content: the last step, after signing
	@$(CI) $(PYTHON) -m ticketing_ci tag "$(IMAGE)" "$(DIGEST)" --registry "$(REGISTRY)"

.PHONY: sign
sign: ## Sign TARGET=registry/name@sha256:… with the pipeline's own identity (needs cosign)
	cosign sign --yes "$(TARGET)"

.PHONY: cluster-secrets
cluster-secrets: $(VENV)/.installed ## Keys from the environment into the cluster, and random ones for what is missing; MEMBERS=3
	kubectl apply -f infra/k8s/namespace.yaml
	@$(CI) $(BIN)/python -m ticketing_ci secrets
	$(BIN)/python infra/k8s/cluster_secrets.py --members $(or $(MEMBERS),1) $(SECRET_OPTIONS) --apply

.PHONY: release
release: $(VENV)/.installed ## Deploy ENVIRONMENT=dev to the current cluster, test it, and roll back on failure
	@$(CI) $(BIN)/python -m ticketing_ci release "$(ENVIRONMENT)" --registry "$(REGISTRY)" \
	  --revision "$$(git describe --always --tags)" --url "$(URL)" --verify-as "$(VERIFY_AS)"

.PHONY: smoke
smoke: ## Read the public pages of URL=https://…
	@$(CI) $(BIN)/python -m ticketing_ci smoke --url "$(URL)"

# --- versions --------------------------------------------------------------------------------------------------

.PHONY: wheel
wheel: $(TOOLS)/.installed ## Build ticketing-common into dist/wheel and try it alone in an empty environment
	rm -rf dist/wheel && $(TOOLS)/bin/python -m build --wheel --no-isolation --outdir dist/wheel common
	@# Its dependencies come from the lock; nothing of this tree is on the path while it is imported.
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(BIN)/python -m venv "$$folder/v" \
	  && "$$folder/v/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps -r tickets/requirements.lock \
	  && "$$folder/v/bin/pip" install --quiet --disable-pip-version-check --no-deps dist/wheel/*.whl && "$$folder/v/bin/pip" check \
	  && wheel="$$PWD/infra/ci/try_wheel.py" && cd "$$folder" && v/bin/python -I "$$wheel"

.PHONY: release-notes
release-notes: ## The part of CHANGELOG.md for VERSION=v1.2.3; fails when it or the packages' versions disagree
	@$(CI) $(PYTHON) -m ticketing_ci notes "$(VERSION)"

.PHONY: publish-release
publish-release: wheel sbom ## Put wheel and bills of materials of VERSION=v1.2.3 on GitHub (needs gh)
	@$(MAKE) --no-print-directory --silent release-notes VERSION="$(VERSION)" >dist/notes.md
	gh release create "$(VERSION)" --verify-tag --title "$(VERSION)" --notes-file dist/notes.md dist/wheel/*.whl dist/sbom/*.json

# --- dependencies ----------------------------------------------------------------------------------------------

.PHONY: upgrade-locks
upgrade-locks: $(TOOLS)/.installed ## Newest versions that are a week old in all Python locks, with the uv of the tools
	@# A stolen package is mostly noticed within days. A younger one that closes a hole is taken by hand: make lock UPGRADE=…
	PATH="$$PWD/$(TOOLS)/bin:$$PATH" UV_EXCLUDE_NEWER="$$($(TOOLS)/bin/python -c 'from datetime import UTC, datetime, timedelta; \
	  print((datetime.now(UTC) - timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ"))')" $(MAKE) lock UPGRADE=--upgrade

.PHONY: propose-locks
propose-locks: ## Push what `make upgrade-locks` changed as a branch, and open a pull request (needs gh)
	@if git diff --quiet; then echo "Nothing newer"; exit 0; fi; \
	  git switch --quiet --force-create locks && git -c user.name="github-actions[bot]" \
	    -c user.email="41898282+github-actions[bot]@users.noreply.github.com" commit --quiet --all --message "Take newer Python packages" && \
	  git push --force --quiet origin locks && { test -n "$$(gh pr list --head locks --json number --jq '.[]')" || \
	    gh pr create --head locks --title "Take newer Python packages" --body "Made by \`make upgrade-locks\`."; }
