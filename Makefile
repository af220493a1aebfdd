# detente: every task of the project. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
RECIPE ?= configs/default.yaml
RECIPES := $(filter-out %/actors.yaml %/taxonomy.yaml %/corpora.yaml,$(wildcard configs/*.yaml))
# What a clone can train at once; the others need public corpora, or a teacher.
READY := $(addprefix configs/,default.yaml embedding.yaml linear.yaml smoke.yaml)

.DEFAULT_GOAL := help

help: ## List the tasks
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

train: $(INSTALLED) ## Train the default model into build/default (RECIPE=… for another)
	$(BIN)/python -m training run $(RECIPE)

test: $(INSTALLED) ## Run the test suite
	$(BIN)/python -m pytest

check: $(INSTALLED) ## Check every shipped recipe and its encoder, and the corpora that ship, without training
	$(BIN)/python -m training check $(READY)
	$(BIN)/python -m training check --without-corpora $(filter-out $(READY),$(RECIPES))

lint: $(INSTALLED) ## Check style, format and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(INSTALLED) ## Check types
	$(BIN)/mypy

format: $(INSTALLED) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## Time the scoring of the models in build/
	$(BIN)/python -m tests.benchmarks.scoring

wheel: $(INSTALLED) ## Build the wheel for scoring elsewhere into dist/
	$(BIN)/python -m build --wheel

ui: $(INSTALLED) ## Look at the runs in a browser
	MLFLOW_DISABLE_TELEMETRY=true $(BIN)/mlflow ui --backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}

clean: ## Remove what was built, models and fetched corpora too, but not the runs
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v[:2] <= (3, 13) and f"detente needs Python 3.11 to 3.13, $(PYTHON) is {v[0]}.{v[1]}: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

.PHONY: help train test check lint types format bench wheel ui clean
