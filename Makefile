# One command a task. On a fresh machine: `make run` and `make test` do all the set-up they need.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run demo test check lock format kills hostile real tone bench clean

run: .venv/run.stamp            ## start Avizor on http://127.0.0.1:8000 (AVIZOR_PORT and the like change it)
	@exec $(BIN)/avizor serve --init --migrate --apply

demo: .venv/run.stamp           ## an invented brand's crisis, from the first complaint to the all-clear, in three minutes
	@exec $(BIN)/avizor demo

# Two halves side by side: the walks and the storage wait for disks, the rest computes.
WAITING := tests/app/pipeline tests/app/storage
test: .venv/dev.stamp           ## every test, PostgreSQL included; ARGS="-k words" runs some
	@log=$$(mktemp); $(BIN)/pytest -p no:cacheprovider $(ARGS) $(WAITING) > $$log 2>&1 & waiting=$$!; \
	    $(BIN)/pytest $(ARGS) tests $(WAITING:%=--ignore=%); computing=$$?; \
	    wait $$waiting; status=$$?; cat $$log; rm $$log; \
	    test $$computing -eq 0 && test $$status -eq 0

check: .venv/dev.stamp          ## formatting, lint, types, floors, migrations = tables, dependencies, docs, Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@folder=$$(mktemp -d) && export AVIZOR_CONFIG= AVIZOR_DATABASE_URL=sqlite:///$$folder/check.db \
	    && $(BIN)/alembic upgrade head && $(BIN)/alembic check; status=$$?; rm -r $$folder; exit $$status
	$(BIN)/deptry .
	$(BIN)/vulture
	$(BIN)/pytest tests/test_docs.py
	$(BIN)/hadolint Dockerfile

kills: .venv/dev.stamp          ## kill -9 of the whole service, 120 times: nothing lost, repeats with the same key
	$(BIN)/python -m tests.kills --kills 120

hostile: .venv/dev.stamp        ## a publisher that misbehaves in each of 74 ways: what it costs, and how it ends
	$(BIN)/python -m tests.hostile

SHARED ?= ../shared
real: .venv/dev.stamp           ## real feeds and recorded answers through the running service; needs data that is not in here
	$(BIN)/python -m tests.real_input $(SHARED)

E5 ?= e5-small-q4.bin
DATA ?= $(SHARED)/data/sentiment
FAST := $(PYTHON) -m benchmarks.tone.fast $(DATA) --soft build/tone/soft.npz --date $$(date -u +%F)
TONE := $(PYTHON) -m benchmarks.tone.transformer --data $(DATA) --weights $(E5) --work build/tone
tone:                           ## train the models of tone anew: an evening on two cores (docs/sentiment.md says what it needs)
	$(TONE) pretrain
	$(TONE) tune
	$(TONE) label
	$(TONE) distil
	$(TONE) export
	cp build/tone/weights/* app/sentiment/weights/
	$(FAST) --out app/sentiment/weights
	mkdir -p build/tone/early && $(FAST) --out build/tone/early --folds 1 --without-validation
	$(PYTHON) -m benchmarks.tone.calibrate $(DATA) --fast build/tone/early

bench: .venv/dev.stamp          ## the benchmarks, each beside its rival in the same run
	$(BIN)/python benchmarks/match.py
	$(BIN)/python benchmarks/vader.py
	$(BIN)/python benchmarks/pipeline.py
	$(BIN)/python -m benchmarks.tone.speed
	$(BIN)/python benchmarks/detect.py --quick

format: .venv/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:                           ## pin anew; hashes, and no index address
	$(PYTHON) -m venv .venv && $(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade $(LOCK) pyproject.toml --extra quality --group build -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade $(LOCK) pyproject.toml --extra quality --group build --group dev -o requirements-dev.lock
LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.lock pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/run.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
