"""Run one study on the data and budget of its paper, and keep what it found with what it was found by.

python -m pipelines.record RECORD

A record is named after its study, as STUDY or, for several data sets, STUDY-DATA: in the paper's folder record.yaml or
record-DATA.yaml, which stands in for all parameters; what it leaves out is empty. The commit is cloned, run from data to the
study, and the study's claims are written to reports/recorded/RECORD.json, which is committed: evidence that a small machine
cannot compute anew in minutes.
"""

import argparse
import hashlib
import os
import sys
from pathlib import Path

from ruamel.yaml import YAML

from lib.core.processes import die_with_parent
from lib.workbook import runs
from pipelines.reporting import provenance
from pipelines.runner import outcome, workspace
from pipelines.runner.working import alone

RECORDS, RECORDED = "notebooks/*/*/record*.yaml", Path("reports/recorded")
SHARED = ("scale", "seeds", "data")  # sections that stand in params.yaml, the others in the paper's file
FETCHED = "build/fetched"  # in the clone: what its run fetched


def records(root: Path) -> dict[str, Path]:
    """Return record -> the file that defines it, by name."""
    found = {f"{path.parent.name}{path.stem.removeprefix('record')}": path for path in root.glob(RECORDS)}
    return dict(sorted(found.items()))


def cloned(record: str) -> Path:
    """Clone the commit into build/record/RECORD and give it the record's parameters."""
    if provenance.git("status", "--porcelain", "--untracked-files=no"):
        raise ValueError("there are uncommitted changes; commit first, so that the evidence names the code it comes from")
    place = records(Path())[record]
    provenance.git("ls-files", "--error-unmatch", str(place))
    copy = Path("build/record") / record
    runs.remove(copy)
    outcome.follow(["git", "clone", "--quiet", ".", str(copy)], check=True)
    stand_in(copy, place, runs.read_yaml(place))
    (copy / "dvc.lock").unlink(missing_ok=True)
    return copy


def stand_in(copy: Path, place: Path, told: dict) -> None:
    """Put a record's parameters in the place of all others of a working copy, complete as they are at every scale."""
    empty = {section: {} for section in runs.NAMED} | {"scales": {scale: {} for scale in runs.SCALES}}
    write = YAML(typ="safe").dump
    for path in copy.glob(runs.PAPERS):
        write({"scales": empty["scales"]}, path)
    write(empty | {name: told[name] for name in SHARED if name in told}, copy / "params.yaml")
    own = {name: content for name, content in told.items() if name not in SHARED}
    write(own | {"scales": empty["scales"]}, copy / place.with_name("params.yaml"))


def fetched(log: Path) -> dict[str, str]:
    """Return what public files a run asked for with their hashes, {source/file: hash}; log: as lib.data.sources writes it."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return dict(sorted(line.rsplit(" ", 1) for line in lines))


def evidence(record: str, copy: Path) -> dict:
    """Return the claims of the record's study with commit, lock, data hashes and machine."""
    study, params = study_of(record), runs.parameters(copy)
    return {
        "study": study,
        "data": ", ".join([*params["data"], *params["runs"]]),
        "scale": params["scale"],
        "seeds": params["seeds"],
        "command": f"make record STUDY={record}",
        "commit": provenance.git("-C", str(copy), "rev-parse", "HEAD"),
        "lock": hashlib.sha256(Path("requirements.lock").read_bytes()).hexdigest(),
        "hashes": fetched(copy / FETCHED),
        "machine": provenance.machine(),
        "claims": runs.read_json(copy / "reports/studies" / params["studies"][study]["paper"] / study / "claims.json"),
    }


def study_of(record: str) -> str:
    """Return the study that a record runs."""
    return record.partition("-")[0]


def main() -> int:
    """Clone, run, record."""
    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = list(records(Path()))
    parser.add_argument("record", help=", ".join(known))
    record = parser.parse_args().record
    if record not in known:
        raise ValueError(f"no record is defined for {record!r}; known: {', '.join(known)} (notebooks/PART/PAPER/record*.yaml)")
    with alone(Path(f"build/record/{record}.lock"), f"make record STUDY={record}"):
        copy = cloned(record)
        (copy / FETCHED).parent.mkdir(exist_ok=True)
        os.environ["HOURGLASS_FETCHED"] = str((copy / FETCHED).resolve())
        if status := workspace.run(copy, "pipelines.repro", "--only", f"study@{study_of(record)}").returncode:
            return status
        RECORDED.mkdir(parents=True, exist_ok=True)
        runs.write_json(RECORDED / f"{record}.json", evidence(record, copy))
    print(f"recorded in {RECORDED / record}.json; commit it")
    return 0


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "make record"))
