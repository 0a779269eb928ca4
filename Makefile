# make repro and make test need Linux or macOS, Python >= 3.11, git and make; everything else they set up themselves.
# Written for GNU make 3.81 and the tools of either system: no option that only one has.
# What a user gives is quoted, never read by a shell: $(call given,NAME).
SCALE ?= embedded
given = '$(subst ','\'',$(value $1))'
IN := exec sh pipelines/setup/in_env.sh
export HOURGLASS_ENV := $(or $(value ENV),$(value HOURGLASS_ENV))
export HOURGLASS_ENV_FROM := $(origin ENV)
export HOURGLASS_TORCH := $(value TORCH)
export HOURGLASS_ARGS := $(value ARGS)
# Tests run as on this processor and system, or with OTHER_CPU=1 as on an older one (tests/other_cpu.py), with
# OTHER_SYSTEM=1 without what only Linux has (tests/other_system.py).
OTHER = $(if $(value OTHER_CPU),-m tests.other_cpu python) $(if $(value OTHER_SYSTEM),-m tests.other_system python)
PYTEST = python $(OTHER) -m pytest
# Where tests start programs.
THEIRS = tests/house tests/pipelines tests/widgets
unexport ENV TORCH ARGS OTHER_CPU OTHER_SYSTEM SCALE NAME PAPER PART STUDY CLUSTER POINT
# What Python reads as it starts may stop any program (PYTHONWARNINGS=error); the one exception is for people's own sessions.
unexport $(filter-out PYTHONSTARTUP,$(filter PYTHON%,$(.VARIABLES)))
unexport GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

.PHONY: help git commit ready setup shell repro test lint unit whole programs nbval other_cpu lab notebooks claims paper where report record clip sweep accept replay crate bench lock doctor clean data
help:  ## list the targets
	@awk -F ':[^#]*## *' '/^[a-z]+:.*##/ { printf "  make %-13s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

git:
	@sh pipelines/setup/check_git.sh

commit:
	@sh pipelines/setup/check_git.sh commit

ready:
	@sh pipelines/setup/check_env.sh

setup:  ## set up .venv here or re-use it (ENV=/path another environment, TORCH=cpu PyTorch without CUDA)
	@sh pipelines/setup/check_env.sh hint

shell: ready  ## open a shell in the environment, for dvc, papermill, torchrun
	@$(IN) shell

# No process stands between make and Python here, so that killing make ends the run (lib/core/processes.py).
repro: git ready  ## data -> training -> information plane -> studies -> report (SCALE=smoke|embedded|paper)
	@$(IN) python -m pipelines.repro --scale $(call given,SCALE)

# Side by side, as they wait much: what needs the whole workbook, and what does with a toy or with single functions. One after
# the other where make cannot keep apart what they print.
TWO := $(if $(filter output-sync,$(.FEATURES)),--jobs 2 --output-sync=target)
test: git lint data  ## everything that CI checks (OTHER_CPU=1: with the instruction sets of another processor, OTHER_SYSTEM=1: without what only Linux has)
	@$(if $(TWO),echo "two groups of tests at a time; each is shown when it has ended (some forty minutes)")
	@$(MAKE) --no-print-directory $(TWO) whole unit programs
	@$(MAKE) --no-print-directory nbval other_cpu

lint: ready
	@$(IN) python -m ruff check .
	@$(IN) python -m ruff format --check .

# Two pytest workers would both bring what is missing.
data: git ready
	@$(IN) python -m pipelines.runner.tracked

# Two workers fill two cores; more threads than cores make small networks many times slower.
unit: git data
	OMP_NUM_THREADS=1 $(IN) $(PYTEST) tests -m "not programs and not workbook" -n 2 --dist loadfile

whole: git ready
	$(IN) $(PYTEST) $(THEIRS) -m workbook --durations 12

programs: git ready
	$(IN) $(PYTEST) $(THEIRS) -m "programs and not workbook" --durations 12

nbval: git ready
	$(IN) $(PYTEST) --nbval --nbval-current-env -p tests.nbval_scratch -n 2 --dist loadfile notebooks

# The part of `make test OTHER_CPU=1` that takes two minutes: what notebooks print is the same there.
other_cpu: git ready
	@[ -n "$(value OTHER_CPU)" ] || case $$(uname -sm) in \
		"Linux x86_64") $(MAKE) --no-print-directory nbval OTHER_CPU=1 ;; \
		*) echo "as on another processor only Linux on x86 can test: left out" ;; \
	esac

lab: ready  ## open JupyterLab on start_here, with its token (ARGS="--ip 0.0.0.0 --port 9000")
	@$(IN) python -m pipelines.lab

notebooks: git ready  ## rerun every notebook at smoke scale and store its normalised outputs
	@$(IN) python -m pipelines.notebooks

claims: ready  ## print the claims table of the last run
	@$(IN) python -m pipelines.ledger

paper: ready  ## lay an empty paper that runs and passes its tests, to be filled in (NAME=..., PART=...)
	@$(IN) python -m pipelines.paper $(call given,NAME) $(call given,PART)

where: ready  ## print all that belongs to a paper: files, stages, results, works, claims, methods (PAPER=...)
	@$(IN) python -m pipelines.where $(call given,PAPER)

report: git ready  ## build the report again from finished studies
	@$(IN) python -m pipelines.repro --scale $(call given,SCALE) --only report

record: commit ready  ## run one study on its public data set and keep the evidence (STUDY=...)
	@$(IN) python -m pipelines.record $(call given,STUDY)

clip: git ready  ## train the small CLIPs anew, whose weights ship with the repository, and pin them
	@$(IN) python -m pipelines.pretrain_clip

sweep: git ready  ## run a notebook at many points (NAME=..., CLUSTER=local|ADDRESS|FILE.yaml, POINT=N for one again)
	@$(IN) python -m pipelines.sweep pipelines/sweeps/$(call given,NAME).yaml $(if $(value CLUSTER),--cluster $(call given,CLUSTER)) $(if $(value POINT),--point $(call given,POINT))

accept: git ready  ## store what the last run here and the smoke run found as what later ones are compared with
	@$(IN) python -m pipelines.accept

replay: commit ready  ## run this commit again in a clone, and say what came out the same (SCALE=...)
	@$(IN) python -m pipelines.replay --scale $(call given,SCALE)

crate: ready  ## export the last run as an RO-Crate to build/crate, and validate it
	@$(IN) python -m pipelines.crate

bench: ready  ## time the hot paths against their peers, one thread
	@OMP_NUM_THREADS=1 $(IN) python -m tests.bench

lock: ready  ## resolve pyproject.toml anew into requirements.lock and environment.yml
	@$(IN) python -m pipelines.setup.lock --lock

doctor:  ## say what is missing, wrong or odd on this machine and in this folder, and what to do about it
	@. pipelines/setup/which_env.sh; for python in "$$env/bin/python" python3 python3.13 python3.12 python3.11; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && exec "$$python" -m pipelines.setup.doctor; \
		done; echo "no Python from 3.11 on is on PATH; install 3.11 to 3.13"; exit 1

clean:  ## remove scratch files; results and data stay
	rm -rf build reports/failed
