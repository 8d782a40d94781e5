# Everything installs into .venv; nothing here needs more than Python, make and a C library.
PYTHON ?= python3
BIN    := .venv/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test check lint types bench clean
help:
	@echo 'make demo    install, fetch the embedded model, answer samples/prompts.jsonl with it'
	@echo 'make test    install what the tests need, then run them'
	@echo 'make check   ruff, mypy --strict, and make test'
	@echo 'make lint    ruff alone; make types: mypy alone; make clean: remove .venv and caches'
	@echo 'make bench   measure against a bare aiohttp loop and other tools; writes bench/RESULTS.md'

# A stamp a set of packages: a second make starts at once, a changed pyproject.toml installs again.
.venv/python: 
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade 'pip>=25.1'
	@touch $@
# setuptools warns about every editable install, in words that look like a mistake of ours.
.venv/run: .venv/python pyproject.toml
	PYTHONWARNINGS=ignore $(PIP) --editable '.[local]'
	@touch $@
.venv/test: .venv/run
	PYTHONWARNINGS=ignore $(PIP) --group test --editable '.[chat,litellm,otel,parquet,pdf,prices,schema]'
	@touch $@
.venv/check: .venv/test
	$(PIP) --group check
	@touch $@

demo: .venv/run
	$(BIN)/llmbatch models pull smollm2
	$(BIN)/llmbatch run samples/prompts.jsonl -o results.jsonl
	@echo 'The answers are in results.jsonl, a line each. The first one:' && head -n 1 results.jsonl

test: .venv/test
	$(BIN)/llmbatch models pull smollm2 || echo 'the weights could not be fetched: the tests that need them are skipped'
	$(BIN)/python -m pytest -q -n auto --dist worksteal

lint: .venv/check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/check
	$(BIN)/mypy --strict

check: lint types test

bench: .venv/test
	$(BIN)/python -m bench

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
