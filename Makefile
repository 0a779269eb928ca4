# make repro and make test need Linux, Python >= 3.11, git and make; everything else they set up themselves.
SCALE ?= embedded
UV_VERSION := 0.13.9
ENV := $(shell sh pipelines/which_env.sh)
PY := $(ENV)/bin/python
READY := build/env/$(shell cat requirements.lock pyproject.toml pipelines/which_env.sh | cksum | cut -d' ' -f1)$(subst /,-,$(ENV))
export PATH := $(ENV)/bin:$(PATH)
export VIRTUAL_ENV := $(ENV)
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

.PHONY: help setup repro test lint unit pipeline whole toys nbval lab notebooks claims report record sweep replay crate bench lock clean
help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */  make \1\t/' | expand -t 20

setup: $(READY)  ## create or re-use the environment and install the lock into it

$(READY):
	@sh pipelines/setup_env.sh "$(ENV)" "$(UV_VERSION)" "$@"

# No shell stands between make and Python here, so that killing make ends the run (lib/processes.py).
repro: $(READY)  ## data -> training -> information plane -> studies -> report (SCALE=smoke|embedded|paper)
	@$(PY) -m pipelines.repro --scale $(SCALE)

test: lint unit pipeline nbval  ## everything that CI checks

lint: $(READY)
	ruff check .
	ruff format --check .

# Two workers fill two cores; more threads than cores make small networks many times slower.
unit: $(READY)
	OMP_NUM_THREADS=1 $(PY) -m pytest tests -n 2 --dist loadfile --ignore tests/pipeline

# Side by side, as either waits much: what needs the whole workbook, and what does with a toy.
pipeline: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target whole toys

whole: $(READY)
	$(PY) -m pytest tests/pipeline -m workbook --durations 12

toys: $(READY)
	$(PY) -m pytest tests/pipeline -m "not workbook" --durations 12

nbval: $(READY)
	$(PY) -m pytest --nbval --nbval-current-env -p tests.nbval_scratch -n 2 --dist loadfile notebooks

lab: $(READY)  ## open JupyterLab on start_here, with its token
	@$(PY) -m jupyterlab --config=pipelines/jupyter_config.py notebooks/start_here.ipynb

notebooks: $(READY)  ## rerun every notebook at smoke scale and store its normalised outputs
	@$(PY) -m pipelines.notebooks

claims: $(READY)  ## print the claims table of the last run
	@$(PY) -m pipelines.ledger

report: $(READY)  ## build the report again from finished studies
	@$(PY) -m pipelines.repro --scale $(SCALE) --only report

record: $(READY)  ## run one study on its public data set and keep the evidence (STUDY=...)
	@$(PY) -m pipelines.record $(STUDY)

sweep: $(READY)  ## run a notebook at many points (NAME=..., CLUSTER=local|ADDRESS|FILE.yaml, POINT=N for one again)
	@$(PY) -m pipelines.sweep pipelines/sweeps/$(NAME).yaml $(if $(CLUSTER),--cluster $(CLUSTER)) $(if $(POINT),--point $(POINT))

replay: $(READY)  ## run this commit again in a clone, and say what came out the same (SCALE=...)
	@$(PY) -m pipelines.replay --scale $(SCALE)

crate: $(READY)  ## export the last run as an RO-Crate to build/crate, and validate it
	@$(PY) -m pipelines.crate

bench: $(READY)  ## time the hot paths against their peers, one thread
	@OMP_NUM_THREADS=1 $(PY) -m tests.bench

lock: $(READY)  ## resolve pyproject.toml anew into requirements.lock and environment.yml
	@$(PY) -m pipelines.environment --lock

clean:  ## remove scratch files; results and data stay
	rm -rf build reports/failed
