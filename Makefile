# The two commands of the README are `make demo` and `make test`; `make help` lists the rest.
PYTHON ?= python3
PARSER ?= qwen_tools
PAIRS ?= 20000
TIMES ?= 20
JOBS ?= 1
SIDE_BY_SIDE ?= 2
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_HOME ?= $(CURDIR)/.ansible
BENCH := $(VENV)/bin/python -m tests.bench
CONTRACT := $(VENV)/bin/python -m tests.contract
SCENARIOS := $(patsubst molecule/%/molecule.yml,molecule-%,$(wildcard molecule/*/molecule.yml))
# Scenarios beside make test: each takes a quarter of an hour or more, and a job of its own in CI's workflow.
LONG := molecule-node molecule-operation molecule-airgapped
# The longest first: the short ones fill the gaps that they leave.
LAYERS := molecule-default $(filter-out molecule-default $(LONG),$(SCENARIOS)) \
  e2e e2e-agents unit-plays unit-newest-core contract-sample families sanity fuzz pocket-model-sample

.DEFAULT_GOAL := help
.PHONY: $(SCENARIOS) $(shell sed -nE 's/^([a-z0-9-]+):.*/\1/p' $(MAKEFILE_LIST))

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

demo: $(READY) ## Provision a node without a GPU and prove its tool calls (PARSER=hermes shows a failure; DEMO_PORT=8000)
	@$(BENCH) demo --parser "$(PARSER)"

demo-down: $(READY) ## Remove the demo's node
	@$(BENCH) demo-down

check: $(READY) ## Lint and unit tests: about a minute
	@$(MAKE) --no-print-directory --jobs 4 --output-sync=target lint-ansible unit lint-docs lint-python

test: check prepare ## Everything: what CI runs (SIDE_BY_SIDE=2 layers at a time; each prints when it has ended)
	@echo "==> $(SIDE_BY_SIDE) layers at a time, each prints when it has ended: $(LAYERS)"
	@$(MAKE) --no-print-directory --jobs $(SIDE_BY_SIDE) --output-sync=target $(LAYERS)

# ansible-lint checks the syntax of every playbook too.
lint-ansible: $(READY)
	yamllint --strict .
	ansible-lint

lint-python: $(READY)
	ruff check .
	ruff format --check .
	mypy plugins/module_utils tests/bench tests/bootstrap tests/clients tests/cluster tests/contract tests/e2e tests/families tests/profiles benchmarks

lint-docs: $(READY)
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
	antsibull-changelog lint

unit: $(READY) ## Unit tests
	pytest -q --numprocesses auto --dist worksteal -m "not plays"

unit-plays: $(READY) ## Unit tests that run a play: roles on nodes that are made up
	pytest -q --numprocesses auto --dist worksteal -m plays

fuzz: $(READY) ## Random outputs of models through the parser, cut at random (PAIRS=20000 JOBS=1 SEED=…)
	python tests/unit/parser/fuzz.py --pairs $(PAIRS) --jobs $(JOBS) $(if $(SEED),--seed $(SEED))

sanity: $(READY) ## ansible-test sanity
	@$(BENCH) sanity

unit-newest-core: $(READY) ## Unit tests and playbook syntax under the newest ansible-core, where a Python for it is found
	@tests/bench/newest_core.sh

contract-sample: $(READY) ## The tool parser and all profiles in the code of three vLLM releases
	@$(CONTRACT) --sample

families: $(READY) ## Each family's own output through vLLM's own server and parser, and through tool_call_check
	pytest tests/families

contract: $(READY) ## The tool parser and all profiles in the code of all listed vLLM releases
	@$(CONTRACT)

contract-docs: $(READY) ## The same, and write the table of docs/vllm-releases.md
	@$(CONTRACT) --write-docs

profile-docs: $(READY) ## Write the tables of docs/profiles.md from the profiles
	@$(VENV)/bin/python -m tests.profiles.docs

# A floor against regressions, not the aim: that is 0.98 of every shape (tests/pocket_model/README.md).
pocket-model-sample: $(READY) ## Does the committed pocket model still copy what it has never seen?
	@$(BENCH) pocket-model evaluate.py --samples 25 --minimum 0.88

pocket-model: $(READY) ## Train the pocket model anew (tests/pocket_model/README.md)
	@$(BENCH) pocket-model train.py

e2e: prepare ## The official client against real vLLM with the parser and the pocket model (E2E_SEED= as it printed)
	pytest tests/e2e -m "not starts_server and not agents and not opencode"

e2e-broken: prepare ## Servers that are started wrong or die: verify.yml refuses each and names the cause (about 6 minutes)
	pytest tests/e2e -m starts_server

e2e-agents: prepare ## The real OpenCode, Codex and Claude Code do each of their tasks once, by the files that our role wrote
	E2E_TIMES=1 pytest tests/e2e -m agents

e2e-opencode: prepare ## The real OpenCode does four tasks, ten times each, and fails by wrong files as we foresee (E2E_TIMES=10)
	pytest tests/e2e -m opencode

client-schemas: $(READY) ## Continue, Cline, Aider, OGX and llama-stack read the files of our role by their own code (about 5 minutes)
	pytest tests/clients

molecule: $(SCENARIOS) ## The play on systemd nodes: check, converge, idempotence, verify (or one of them: make molecule-node)

$(SCENARIOS): molecule-%: prepare
	molecule test --scenario-name $*

prepare: $(READY) ## Images of the bench, and the collection as users install it
	@$(BENCH) prepare --with-collection

cluster: prepare ## One model on two nodes, set up by the play (about 5 minutes; KEEP_NODES=1 leaves them)
	pytest tests/cluster

bootstrap: prepare ## A rented server that is made up, from bare disks to a verified tool call, and what goes wrong (half an hour)
	pytest tests/bootstrap --numprocesses 2 --dist worksteal

interrupt-node: prepare ## Kill the play at 20 random moments on nodes with a past and run it again (TIMES=20 JOBS=1 SEED=… POWER_CUT=1)
	@$(VENV)/bin/python -m tests.bench.interrupt --times $(TIMES) --jobs $(JOBS) $(if $(SEED),--seed $(SEED)) $(if $(POWER_CUT),--power-cut)

upgrade-node: $(READY) ## A node from vLLM 0.31 to 0.32, and back from one that is not proven; seconds of downtime (about 10 minutes)
	@$(BENCH) prepare
	@$(VENV)/bin/python -m tests.bench.upgrade

chat-templates: $(READY) ## Hold the chat templates against the models' own, in old and new transformers
	@$(VENV)/bin/python -m tests.contract.chat_templates

benchmark-parser: $(READY) .venv-benchmarks/.ready ## Our streaming parser and vLLM's hermes on two releases: table and plot in docs/
	for release in 0.32.0 0.9.2; do \
	  python -m tests.contract --run $$release benchmarks/parser_streaming.py --output benchmarks/results || exit; \
	done
	.venv-benchmarks/bin/python benchmarks/plot_parser_streaming.py

benchmark-throughput: $(READY) ## Our tokens/s against vLLM's own benchmark, and the roofline of this CPU (docs/throughput.md)
	@$(VENV)/bin/python -m benchmarks.throughput_accuracy

artifact: $(READY) ## Build the collection
	ansible-galaxy collection build --force

clean: $(READY) ## Remove the cached images of demo and tests
	@$(BENCH) clean

$(READY): pyproject.toml tests/bench/make_venv.py
	@$(PYTHON) tests/bench/make_venv.py $(VENV)
	@touch $@

.venv-benchmarks/.ready: pyproject.toml tests/bench/make_venv.py
	@$(PYTHON) tests/bench/make_venv.py $(@D) benchmarks
	@touch $@
