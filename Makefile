# Every command of the project; `make help` is the table of contents. The work is done by the command
# `province` (.venv/bin/province --help): a target only makes the Python environment and calls it.
#   ENV=…     the environment, a folder of inventories/ (default: lab)
#   LAYER=… LIMIT=…   one layer, some hosts (converge; verify knows LAYER)
#   LOOK=no   converge every host, not only those that say they have something to do
#   CHANGED=yes  speak only to hosts of which something else is asked than when they last were as declared
#   SCOPE=all|changed  which tests
#   KILLS=… SEED=… ONLY=…  how many killed runs, which, which drills (ONLY: which benchmarks, too)
#   ROUNDS=…  rounds of each side of a benchmark
#   DO=… SNAPSHOT=… HOST=… KEY=… WHO=… FILE=…  what to do with packages, with keys, with who opens the ledger
#   RUN=… HOST=…  one run in full, those that changed a host
#   PYTHON=…  the Python that .venv is made with (3.11 or 3.13)

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

ENV ?= lab
LAYER ?=
LIMIT ?=
SCOPE ?= all
KILLS ?= 3
SEED ?=
ONLY ?=
ROUNDS ?= 5
DO ?= list
SNAPSHOT ?=
HOST ?=
KEY ?=
WHO ?=
FILE ?=
RUN ?=
LOOK ?=
CHANGED ?=
PYTHON ?= /usr/bin/python3

province := .venv/bin/province
# Somebody's name, as one word of a shell: a new recipient bears it, an old one is removed by it.
who = $(if $(filter add,$(DO)),--who) '$(subst ','\'',$(WHO))'

.PHONY: help
help: ## This page
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  ENV=lab (an environment of inventories/), LAYER=, LIMIT=, SCOPE=all|changed'

.PHONY: up
up: env ## Build the environment: machines, networks, services. Again: changes nothing. Starts here
	@$(province) up $(ENV)

.PHONY: test
test: env ## Prove everything: linters, unit, component, repository tests, the living lab (SCOPE=all|changed)
	@$(province) test $(ENV) --scope $(SCOPE)

.PHONY: check
check: env ## What of `test` needs no machine and no root
	@$(province) test $(ENV) --scope $(SCOPE) --no-machine

.PHONY: converge
converge: env ## Bring the hosts to what is declared (LAYER=, LIMIT=; CHANGED=yes: only hosts a change concerns; LOOK=no: every task)
	@$(province) converge $(ENV) $(if $(LAYER),--layer $(LAYER)) $(if $(LIMIT),--limit $(LIMIT)) \
		$(if $(filter no,$(LOOK)),--no-look) $(if $(filter yes,$(CHANGED)),--changed)

.PHONY: verify
verify: env ## Ask the living environment whether it does what is planned (LAYER=)
	@$(province) verify $(ENV) $(if $(LAYER),--layer $(LAYER))

.PHONY: drift
drift: env ## What is other than planned on hosts, machines, networks; changes nothing (HOST=, DO=repair)
	@$(province) drift $(ENV) $(HOST) $(if $(filter repair,$(DO)),--repair)

.PHONY: plan
plan: env ## What follows from the environment's register: units, addresses, hosts, flows
	@$(province) plan inventories/registers/$$($(province) status $(ENV) --register)

.PHONY: hosts
hosts: env ## The hosts of the environment, with their addresses and groups
	@$(province) hosts inventories/$(ENV)/environment.yml

.PHONY: status
status: env ## What runs where, and how to reach it
	@$(province) status $(ENV)

.PHONY: runs
runs: env ## What was run, by whom, how it ended, what it changed where (RUN=1 in full, HOST=)
	@$(province) runs $(ENV) $(RUN) $(if $(HOST),--host $(HOST))

.PHONY: packages
packages: env ## Snapshots of packages: DO=list|update|diff|promote|rollback (SNAPSHOT=)
	@$(province) packages $(DO) $(ENV) $(SNAPSHOT)

.PHONY: keys
keys: env ## Keys of tunnels: DO=list|rotate (HOST=a hub or a unit's gateway); no packet is lost
	@$(province) keys $(DO) $(ENV) $(if $(HOST),--host $(HOST))

.PHONY: recipients
recipients: env ## Who opens the key ledger: DO=list|add|remove|identity|save|restore (KEY=age1… WHO=, FILE=)
	@$(province) recipients $(DO) $(ENV) $(if $(FILE),'$(FILE)') $(if $(KEY),'$(KEY)') $(if $(WHO),$(who))

.PHONY: down
down: env ## Take the environment away, and only it; list the packages that `up` installed
	@$(province) down $(ENV)

.PHONY: drill
drill: env ## Kill runs, lose the state, end the daemon: the lab heals, neighbours stay (KILLS=, SEED=, ONLY=)
	@$(province) drill $(ENV) --kills $(KILLS) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

.PHONY: bench
bench: env ## Run the benchmarks side by side, keep their rounds, write docs/reference/benchmarks.md (ONLY=, ROUNDS=)
	@PROVINCE_ENVIRONMENT=$(ENV) .venv/bin/python -m tests.benchmarks $(ONLY) --rounds $(ROUNDS)

.PHONY: env
env: ## The Python environment in .venv, hashes enforced; needs no root
	@bootstrap/env.sh $(PYTHON)

.PHONY: engine
engine: env ## The Pulumi engine, built from its Go module where there is none
	@$(province) engine

.PHONY: image
image: env ## The host image anew, from the environment's own mirror where it stands
	@$(province) image $(ENV)

.PHONY: three-tiers
three-tiers: env ## Write the register of a province of three tiers, out of an old official list (OUT=folder)
	@bootstrap/three-tiers.sh "$(OUT)" $(PYTHON)

.PHONY: lock
lock: ## Compile requirements/environment.txt from environment.in, with hashes
	@bootstrap/lock.sh $(PYTHON)

.PHONY: clean
clean: ## Remove what was made in this folder (.venv, caches); the lab stays
	rm -rf .venv .venv.log .mypy_cache .pytest_cache .ruff_cache .hypothesis .ansible ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
