# The two commands of the README are `make demo` and `make test`; `make help` lists the rest.
PYTHON ?= python3
PARSER ?= qwen_tools
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_HOME ?= $(CURDIR)/.ansible
BENCH := $(VENV)/bin/python -m tests.bench

.DEFAULT_GOAL := help
.PHONY: help demo demo-down check test lint unit unit-newest-core pocket-model-sample molecule build pocket-model clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

demo: $(READY) ## Provision a node without a GPU and prove its tool calls (PARSER=hermes shows a failure; DEMO_PORT=8000)
	@$(BENCH) demo --parser "$(PARSER)"

demo-down: $(READY) ## Remove the demo's node
	@$(BENCH) demo-down

check: lint unit ## Lint and unit tests: under a minute

test: check unit-newest-core pocket-model-sample molecule ## Everything: what CI runs

lint: $(READY) ## All linters
	ruff check . && ruff format --check .
	yamllint .
	ansible-lint
	mypy
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
	antsibull-changelog lint

unit: $(READY) ## Unit tests and the syntax of every playbook
	pytest -q
	for playbook in site.yml playbooks/*.yml; do ansible-playbook --syntax-check -i inventory.example/hosts.yml $$playbook || exit; done

$(READY): pyproject.toml tests/bench/make_venv.py
	@$(PYTHON) tests/bench/make_venv.py $(VENV)
	@touch $@
