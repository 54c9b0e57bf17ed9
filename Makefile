# Every target works on a fresh clone: it first does the set-up it needs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The Node of the lockfile, whatever the machine has; npm itself runs on the machine's own.
RUN := PATH="$(CURDIR)/node_modules/.bin:$$PATH"

.PHONY: help setup install build demo demo-stop start test test-kubernetes test-compose check generate format bench clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install the packages of the lockfile and build what runs as a bundle
	@node bin/setup.mjs all

install:
	@node bin/setup.mjs packages

build: setup ## Build worker, server, command line and web UI

demo: setup ## Run a real job on a clone of this checkout, pull its diff, leave the server running
	@$(RUN) node scripts/demo.ts

demo-stop: install ## Stop the server of the demo
	@$(RUN) node scripts/demo.ts stop

start: setup ## Start the server on http://127.0.0.1:7070 (settings: .env.example)
	@exec bin/hangar server start

test: setup ## Everything that proves the project: check, then all tests
	@$(RUN) node scripts/test.ts

test-kubernetes: setup ## The tests in a Kubernetes cluster: builds one (Go, as root), or uses KUBECONFIG
	@$(RUN) node scripts/test-kubernetes.ts

test-compose: setup ## The tests of deploy/docker: builds both images, starts the compose file (Docker with Compose)
	@$(RUN) HANGAR_TEST_COMPOSE=1 vitest run tests/compose

check: install ## Types, lint, import rules, dead code, generated files, house rules
	@$(RUN) node scripts/check.ts

generate: install ## Write the files that are generated from the sources
	@$(RUN) node scripts/generate.ts

format: install ## Format the sources
	@$(RUN) biome check --write .

bench: setup ## Measure the bars of the project (some of them: make bench BARS=p4,p7)
	@$(RUN) node scripts/bench.ts "$(BARS)"

clean: ## Remove what was built; packages and the demo's data stay
	@rm -rf .hangar/test packages/*/dist apps/*/dist
