# make demo · make test · make check · make test-backends · make bench · make bench-cnn · make screenshots; each makes
# .venv first where it is missing
PY := .venv/bin/python
READY := .venv/.ready
BENCH_READY := .venv/.bench-ready
BACKENDS_READY := .venv/.backends-ready

.PHONY: demo test test-backends check lint types contracts bench bench-cnn lock screenshots

demo: $(READY)
	@$(PY) -m jobs demo

test: $(READY)
	@$(PY) -m pytest

# What hangs on the backend that carries Keras, with those that `make test` finds not installed.
test-backends: $(BACKENDS_READY)
	@$(PY) -m pytest tests -k "backend or jax or torch or four_devices"

check: lint types contracts test

lint: $(READY)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: $(READY)
	@.venv/bin/mypy

contracts: $(READY)
	@.venv/bin/lint-imports --config setup.cfg

bench: $(BENCH_READY)
	@$(PY) bench/lda.py --fresh --check
	@$(PY) bench/alignment.py
	@$(PY) bench/topics.py --million
	@$(PY) bench/tweets.py
	@$(PY) bench/images.py
	@$(PY) bench/reports.py
	@$(PY) bench/pages.py

# The network's accuracies: hours, one training after another; goes on where it stopped. Needs NIGHTDESK_REAL_DATA.
bench-cnn: $(READY)
	@$(PY) bench/cnn.py

# The pictures in docs/ that the README shows, of the demo's pages as a Chromium of this machine's has them.
screenshots: demo
	@$(PY) bin/screenshots.py

# A finished installation is marked; a new lock makes the mark old. The set is installed into a fresh folder, so that
# an installation that broke off doesn't stay half.
$(READY): requirements.txt bin/find-python
	@python=$$(sh bin/find-python) && \
	echo "Making .venv with $$python and installing the locked set; this takes a minute or two, once." >&2 && \
	rm -rf .venv && "$$python" -m venv .venv && \
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt && \
	touch $(READY)

# What is needed for one purpose alone, on top: the engines that ours is compared with, the other backends of Keras.
.venv/.%-ready: requirements-%.txt $(READY)
	@echo "Installing what requirements-$*.txt adds." >&2 && \
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $< && \
	touch $@

# The locks for Python 3.11 to 3.13 from the direct dependencies in setup.cfg; what two have is the same release in
# both. Wheels differ by Python; the hashes of all of them are in it. A release has to be two weeks old: mirrors have it
# by then, and a bad one is withdrawn.
COMPILE := .venv/bin/uv pip compile - --universal --fork-strategy fewest --python-version 3.11 --upgrade --quiet \
  --exclude-newer "2 weeks" --generate-hashes --no-strip-extras --no-emit-index-url --no-annotate --no-header

lock: $(READY)
	@$(PY) -c "import configparser; c = configparser.ConfigParser(); c.read('setup.cfg'); \
	  print(c['options']['install_requires'], c['options.extras_require']['dev'])" | $(COMPILE) -o requirements.txt
	@for extra in bench backends; do \
	  $(PY) -c "import configparser; c = configparser.ConfigParser(); c.read('setup.cfg'); \
	    print(c['options.extras_require']['$$extra'])" | $(COMPILE) -c requirements.txt -o requirements-$$extra.txt; \
	done
