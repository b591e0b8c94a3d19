# Every target installs what is missing first. PYTHON chooses the interpreter (3.11 to 3.13).
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: help install demo page docs test lint format types bench clean

help:  ## list the targets
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

install: $(INSTALLED)  ## create .venv with the pinned set and langid in it

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt torch
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[demo,dev]'
	$(BIN)/python -m compileall -qq -j 0 .venv/lib || true  # on all cores, as pip does not; of some packages not all compiles
	touch $@

demo: install  ## synthesise, prepare, train, evaluate, export, stream: the whole path in minutes
	$(BIN)/python examples/demo.py

VENDOR := langid/demo/page/vendor
FROM_NPM := mpg123-decoder/dist/mpg123-decoder.min.js \
	onnxruntime-web/dist/ort.wasm.bundle.min.mjs onnxruntime-web/dist/ort-wasm-simd-threaded.wasm

VENDORED := $(addprefix $(VENDOR)/,$(notdir $(FROM_NPM)))
FETCHED := page/node_modules/.package-lock.json

page: $(VENDORED)  ## fetch from npm what the page of langid demo runs on

$(VENDORED): $(FETCHED)
	mkdir -p $(VENDOR)
	cp page/node_modules/$(filter %/$(@F),$(FROM_NPM)) $@

$(FETCHED): page/package-lock.json
	npm ci --prefix page --ignore-scripts --no-audit --no-fund

docs: install  ## build the site into site/, strictly
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

test: install  ## run the whole test suite on two processes
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: install  ## check style
	$(BIN)/ruff check .

format: install  ## write the code in the one format (CHECK=1 only looks)
	$(BIN)/ruff format $(if $(CHECK),--check) .

types: install  ## check types
	$(BIN)/mypy

bench: install  ## run the benchmarks, the longest left out; each prints figure, limit, verdict
	$(BIN)/python benchmarks/prepare.py
	$(BIN)/python benchmarks/train_step.py
	$(BIN)/python benchmarks/train_step_samples.py
	$(BIN)/python benchmarks/acoustics.py
	$(BIN)/python benchmarks/recipes.py
	$(BIN)/python benchmarks/networks.py
	$(BIN)/python benchmarks/stream.py
	$(BIN)/python benchmarks/parity.py
	$(BIN)/python benchmarks/multi_stream.py
	$(BIN)/python benchmarks/predict.py
	$(BIN)/python benchmarks/pretrained.py
	$(BIN)/python benchmarks/soak.py --fast --seconds 120
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/resamples.py
	$(BIN)/python benchmarks/detectors.py

clean:  ## remove what the targets made
	rm -rf .venv demo dist site page/node_modules $(VENDOR) .pytest_cache .mypy_cache .ruff_cache
