# make demo   everything from nothing: simulated person, calibration, live run
#             GENERATOR=faces: of faces, by an adversarial generator
# make test   lint, types, walls, tests
# make lint   the first three of these
# make docs   the documentation as a site, in out/site
# make faults every fault that is promised to be survived, done to real sessions
# make bench  the tables in docs/
# make audit  known vulnerabilities of what is installed; says so where it could not ask
# make sbom   what is installed, as a bill of materials, in out/sbom.json
# make release  wheel, sources and bill of materials, in dist/
# make fuzz   all readers of what is untrusted, fuzzed for 10 minutes of the processor each
# make soak   a simulated day of eight hours through the whole program, in a quarter of an hour
# PYTHON chooses the interpreter for the virtual environment (3.11 or newer).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
DEMO := out/demo
TOOLS := out/tools
GENERATOR := miniature

.PHONY: demo test lint docs bench faults fuzz soak audit sbom release clean

demo: $(READY)
	$(BIN)/python -m simulator.demo --generator $(GENERATOR) --output $(DEMO)

# In three processes, a file of tests in one of them: most of the time is spent on waiting for a scanner's clock.
# In the order of tests/conftest.py, so that the long ones do not come last.
test: lint
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Its links are checked, here and in the tests; the variable silences a notice of the theme's makers.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open out/site/index.html"

# A case takes seconds, most of them waiting; the table is in out/faults (docs/promises.md).
faults: $(READY)
	$(BIN)/python -m tests.faults

bench: $(READY)
	$(BIN)/python -m tests.benchmarks.recorded
	$(BIN)/python -m tests.benchmarks.evidence
	$(BIN)/python -m tests.benchmarks.noise_model
	$(BIN)/python -m tests.benchmarks.motion
	$(BIN)/python -m tests.benchmarks.robustness
	$(BIN)/python -m tests.benchmarks.ridge
	$(BIN)/python -m tests.benchmarks.reconstruction
	$(BIN)/python -m tests.benchmarks.evolving
	$(BIN)/python -m tests.benchmarks.generators
	$(BIN)/python -m tests.benchmarks.bridge
	$(BIN)/python -m tests.benchmarks.kills
	$(BIN)/python -m tests.benchmarks.load
	$(BIN)/python -m tests.benchmarks.screens
	$(BIN)/python -m tests.benchmarks.window --person out/demo-person  # which make demo makes

fuzz: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]' \
		|| echo "fuzz: atheris cannot be installed here: inputs are changed by chance alone"
	$(BIN)/python -m tests.fuzz --minutes 10

# Its bound on latency asks for a machine on which nothing else runs.
soak: $(READY)
	$(BIN)/python -m tests.soak

audit: $(READY) $(TOOLS)/.installed
	$(TOOLS)/bin/python tools/audit.py $(TOOLS)/bin/pip-audit \
	  "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" out/audit.json

# Without times and random numbers: the same installation gives the same file.
sbom: $(READY) $(TOOLS)/.installed
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --short-PURLs --output-file out/sbom.json $(BIN)/python
	@echo "see out/sbom.json"

release: sbom
	rm -rf build dist
	$(TOOLS)/bin/python -m build --outdir dist
	$(TOOLS)/bin/python tools/check_wheel.py dist/*.whl
	cp out/sbom.json dist/sbom.json

# Apart from what runs: only these three need them.
$(TOOLS)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt \
	  $$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["release"])')
	touch $@

# torch first and by its exact version: a looser request may fetch gigabytes for a GPU
$(READY): pyproject.toml constraints.txt tools/setup.sh
	PYTHON=$(PYTHON) VENV=$(VENV) sh tools/setup.sh
	touch $(READY)

clean:
	rm -rf $(VENV) out
