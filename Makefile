# make demo · make test · make check · make bench · make screenshots; each makes .venv first where it is missing
PY := .venv/bin/python
READY := .venv/.ready

.PHONY: demo test check lint types contracts bench lock screenshots

demo: $(READY)
	@$(PY) -m jobs demo

test: $(READY)
	@$(PY) -m pytest

check: lint types contracts test

lint: $(READY)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: $(READY)
	@.venv/bin/mypy

contracts: $(READY)
	@.venv/bin/lint-imports --config setup.cfg

bench: $(READY)
	@$(PY) bench/topics.py
	@$(PY) bench/tweets.py
	@$(PY) bench/images.py
	@$(PY) bench/reports.py
	@$(PY) bench/pages.py

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

# The lock for Python 3.11 to 3.13 from the direct dependencies in setup.cfg. Wheels differ by Python; the hashes of all
# of them are in it. A release has to be two weeks old: mirrors have it by then, and a bad one is withdrawn.
lock: $(READY)
	@$(PY) -c "import configparser; c = configparser.ConfigParser(); c.read('setup.cfg'); \
	  print(c['options']['install_requires'], c['options.extras_require']['dev'])" | \
	.venv/bin/uv pip compile - --universal --fork-strategy fewest --python-version 3.11 --upgrade --quiet \
	  --exclude-newer "2 weeks" \
	  --generate-hashes --no-strip-extras --no-emit-index-url --no-annotate --no-header -o requirements.txt
