# What can be done here. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench chaos docs clean

BIN := .venv/bin
ARGS ?=
PYTEST := $(BIN)/python -m pytest

help: ## List what can be done
	@echo "make TARGET [VARIABLE=value]"
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)$$/  \1\t\2/' | expand -t 12

setup: .venv/.test ## Make .venv and install laminar with all that development needs

demo: .venv/.demo ## Run a flow, digits; RESUME=1 goes on with it. SERVER=1 runs it on a server, TASKS=1 tasks, delays. EXECUTOR=process or docker
	@$(if $(filter docker,$(EXECUTOR)),lines=$$(.ci/engines demo) && eval "$$lines" &&) \
		$(if $(SERVER),PATH="$(CURDIR)/$(BIN):$$PATH" examples/digits/served.sh $(EXECUTOR),\
		$(BIN)/python examples/$(if $(TASKS),delays,digits)/main.py $(if $(RESUME),--resume) $(if $(EXECUTOR),--executor $(EXECUTOR)) $(ARGS))

test: .venv/.test ## Run all tests. ARGS='-k word' is passed to pytest
	@.ci/engines up
	@$(PYTEST) -n auto -rs $(ARGS)

check: .venv/.test ## Look at the code without running it: lint, format, types, import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: .venv/.test ## Measure speed and size beside bare baselines. ARGS='--quick', '--only NAME', '--write'
	@.ci/engines up
	@lines=$$(.ci/engines env) && eval "$$lines" && $(BIN)/python benchmarks/run.py $(ARGS)

chaos: .venv/.test ## Kill, fill and interrupt at full counts; takes long
	@.ci/engines up
	@LAMINAR_CHAOS=full $(PYTEST) -m chaos tests/chaos tests/core tests/tasks/replay tests/server $(ARGS)

docs: .venv/.test ## Build the site into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Built site/index.html"

clean: ## Remove what was built and cached; keeps .venv and the runs in .laminar
	@rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.demo: pyproject.toml .ci/setup .ci/requirements.py
	@.ci/setup progress,docker examples
	@touch $@

.venv/.test: pyproject.toml .ci/setup .ci/requirements.py
	@.ci/setup all test examples docs
	@touch $@
