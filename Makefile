# Every command sets up what it needs: .venv with the locked dependencies and the package itself.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test check format lock test-clients bench bench-quick bench-peers bench-latency bench-sandbox bench-few-tools bench-discovery bench-proxy bench-cache soak clean

demo: $(STAMP)  ## see the main job done
	@$(BIN)/python -m bench.demo

test: $(STAMP)  ## run every test
	@$(BIN)/python -m pytest

check: $(STAMP)  ## formatting, lint, strict types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(STAMP)  ## rewrite the files as ruff wants them
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

test-clients: $(STAMP)  ## drive the hub with real clients and servers, installed from npm and PyPI
	@$(BIN)/python -m tests.clients

bench: $(STAMP)  ## 70 graded tasks at 96, 251 and 508 real tools; installs servers into build/, writes bench/results/graded.*
	@$(BIN)/python -m bench

bench-quick: $(STAMP)  ## the graded benchmark over the fixtures, held against the committed figures
	@$(BIN)/python -m bench.graded.quick

bench-peers: $(STAMP)  ## the hub beside other code-mode servers, each installed into build/; writes bench/results/peers.*
	@$(BIN)/python -m bench.graded.peers

bench-latency: $(STAMP)  ## latency and start-up beside a bare forwarding hop; writes bench/results/latency.json
	@$(BIN)/python -m bench.latency

bench-sandbox: $(STAMP)  ## what a program costs, and what each protection costs; writes bench/results/sandbox.json
	@$(BIN)/python -m bench.sandbox

bench-discovery: $(STAMP)  ## tokens, times and recall on 508 real tools and 5,000 synthetic; installs servers into build/
	@$(BIN)/python -m bench.discovery

bench-few-tools: $(STAMP)  ## five tools, given directly or through the hub, in input tokens; writes bench/results/few_tools.json
	@$(BIN)/python -m bench.few_tools

bench-proxy: $(STAMP)  ## the messages proxy beside LiteLLM's, installed into build/, and none; writes bench/results/proxy.json
	@$(BIN)/python -m bench.proxy

bench-cache: $(STAMP)  ## the response cache: labelled pairs, latency and memory at up to 100,000 answers; writes bench/results/cache.json
	@$(BIN)/python -m bench.cache

soak: $(STAMP)  ## hostile programs from 32 clients for two minutes; writes bench/results/soak.json
	@$(BIN)/python -m bench.soak

lock: $(STAMP)  ## pin the newest versions that pyproject.toml admits
	@$(BIN)/pip install -q uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --group dev \
		--no-emit-index-url --custom-compile-command "make lock" --upgrade -o requirements.lock pyproject.toml

$(STAMP): requirements.lock pyproject.toml
	@echo "setting up $(VENV) (once; about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "mcp_hub needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q mcp_hub fixtures bench  # also where PYTHONDONTWRITEBYTECODE is set: children start sooner
	@touch $(STAMP)

clean:  ## remove .venv and every cache
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
