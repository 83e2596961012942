# Two commands do everything on a machine that has Python 3.11+ and make:
#   make demo    the main job: three devices find each other, part, meet again and prove themselves equal
#   make test    the whole test suite
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CODE := edda_sync tests benchmarks

.PHONY: demo test lint format bench mutants kill interrupts power flips backups copies networks damage fuzz operations reach simulate hunt whole model azurite lock sbom clean

$(STAMP): pyproject.toml
	@echo "Making a virtual environment in $(VENV) (once, about half a minute)"
	@$(PYTHON) -c 'import sys; sys.exit("edda-sync needs Python 3.11 or newer; set PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/edda demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 4 --dist worksteal

lint: $(STAMP)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

# `make bench AGAINST=../before` runs every workload in that checkout, too, and prints both (docs/benchmarks.md).
AGAINST ?=
bench: $(STAMP)
	$(BIN)/python -m $(if $(AGAINST),benchmarks.against $(AGAINST),benchmarks)

# A campaign, not a test: `make kill RUNS=1000 SEED=0` continues from any seed and appends to docs/evidence.md.
RUNS ?= 1000
SEED ?= 0
kill: $(STAMP)
	$(BIN)/python -m tests.e2e.kill_campaign --runs $(RUNS) --seed $(SEED)

# A campaign: Ctrl-C at random moments; `make interrupts ROUNDS=20000 SEED=0`.
ROUNDS ?= 20000
interrupts: $(STAMP)
	$(BIN)/python -m tests.e2e.interrupts --rounds $(ROUNDS) --seed $(SEED)

# A campaign: bits flip in the files of stores of each kind; `make flips FLIPS=5000 SEED=0` appends to docs/evidence.md.
FLIPS ?= 5000
flips: $(STAMP)
	$(BIN)/python -m tests.e2e.flips_campaign --flips $(FLIPS) --seed $(SEED)

# A campaign: backup commands are killed at any moment; `make backups KILLS=1000 SEED=0` appends to docs/evidence.md.
KILLS ?= 1000
backups: $(STAMP)
	$(BIN)/python -m tests.e2e.backup_campaign --kills $(KILLS) --seed $(SEED)

# A campaign: store folders are copied, used and put back; `make copies COPIES=200 SEED=0` appends to docs/evidence.md.
COPIES ?= 200
copies: $(STAMP)
	$(BIN)/python -m tests.e2e.copies_campaign --copies $(COPIES) --seed $(SEED)

# A campaign: three devices meet again in drawn networks; `make networks NETWORKS=300 SEED=0` appends to docs/evidence.md.
NETWORKS ?= 300
networks: $(STAMP)
	$(BIN)/python -m tests.e2e.networks_campaign --runs $(NETWORKS) --seed $(SEED)

# A campaign: places with backups are damaged; `make damage REPOSITORIES=5000 SEED=0` appends to docs/evidence.md.
REPOSITORIES ?= 5000
damage: $(STAMP)
	$(BIN)/python -m tests.backup.damage_campaign --repositories $(REPOSITORIES) --seed $(SEED)

# A campaign: power fails at every write of real SQLite; `make power IMAGES=10000 SEED=0` appends to docs/evidence.md.
IMAGES ?= 10000
power: $(STAMP)
	$(BIN)/python -m tests.e2e.power_campaign --images $(IMAGES) --seed $(SEED)

# A campaign: histories of texts with a liar in them, told in many orders and to pycrdt; `make fuzz LIES=200000 SEED=0`
# runs seeds until so many lies became part of a text, and appends to docs/evidence.md.
LIES ?= 200000
fuzz: $(STAMP)
	$(BIN)/python -m tests.crdt.text_campaign --lies $(LIES) --seed $(SEED)

# A campaign: whatever a member may write, folded singly, in batches and anew; appends to docs/evidence.md.
OPERATIONS ?= 200000
operations: $(STAMP)
	$(BIN)/python -m tests.crdt.operation_campaign --operations $(OPERATIONS) --seed $(SEED)

# A campaign: random lives of two to four devices, in which nothing may get out of reach; `make reach EXAMPLES=20000 SEED=0`.
EXAMPLES ?= 20000
reach: $(STAMP)
	$(BIN)/python -m tests.reach_campaign --examples $(EXAMPLES) --seed $(SEED)

# Small faults in the product's source, one after another: each must be noticed by the nearest tests, in a few minutes.
# `make mutants ONLY="ledger"` makes those of which the name or file has one of the words; all of them append to docs/evidence.md.
ONLY ?=
mutants: $(STAMP)
	$(BIN)/python -m tests.mutants $(ONLY)

# Some minutes: long tests in full, of which the suite runs a part.
whole: $(STAMP)
	$(BIN)/python -m pytest tests/test_traces.py tests/crdt/text/test_document.py tests/e2e/test_netem.py tests/simulations/test_simulator.py \
		tests/e2e/test_pairing_killed.py tests/backup/targets/test_failing.py --whole

# Every state of a few stores within larger bounds than the tests look at: what forks, copies, backups and segments can do.
model: $(STAMP)
	$(BIN)/python -m edda_sync.simulations.model

# How many runs from seed START on it takes to notice each planted bug; stopped and resumed bug by bug.
START ?= 0
hunt: $(STAMP)
	$(BIN)/python -m edda_sync.simulations.hunt --start $(START)

# `make simulate SEEDS=0-9999` runs these seeds on every core, `SEEDS=20000` so many that no campaign has run yet. Stop it
# with Ctrl-C: what was run is written to docs/evidence.md, with the command that goes on. SCENARIO=restored-laptop (or
# cloned-vm, rolled-back-disk) draws each run around that story.
SEEDS ?= 10000
SCENARIO ?=
simulate: $(STAMP)
	$(BIN)/python -m edda_sync.simulations --seeds $(SEEDS) $(if $(SCENARIO),--scenario $(SCENARIO))

# The contract of backup targets at Azure's own emulator, which checks signatures: `npm install -g azurite`, or AZURITE=PATH.
AZURITE ?= azurite-blob
azurite: $(STAMP)
	EDDA_TEST_AZURITE=$(AZURITE) $(BIN)/python -m pytest tests/backup/targets/test_contract.py -k azure

# The exact packages, with the hashes of their files, for every platform: run it after a change of pyproject.toml.
LOCK := $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
lock: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(LOCK) pyproject.toml --group dev -o requirements-dev.lock
	$(LOCK) pyproject.toml --constraint requirements-dev.lock -o requirements.lock

# What edda is made of, as CycloneDX JSON: the packages of requirements.lock with their versions and hashes.
SBOM ?= sbom.json
sbom: $(STAMP)
	@$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --no-validate --of JSON -o $(SBOM)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find edda_sync tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
