"""Run one study on the data and budget of its paper, and keep what it found with what it was found by.

python -m pipelines.record STUDY

pipelines/records/STUDY.yaml stands in for params.yaml. The commit is cloned, run from data to report, and the study's claims
are written to reports/recorded/STUDY.json, which is committed: evidence that a small machine cannot compute anew in minutes.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from lib import runs
from lib.data.sources import SOURCES
from pipelines import provenance, workspace
from pipelines.orphan import die_with_parent

RECORDS, RECORDED = Path(__file__).with_name("records"), Path("reports/recorded")


def cloned(study: str) -> Path:
    """Clone the commit into build/record/STUDY and give it the record's parameters."""
    if provenance.git("status", "--porcelain", "--untracked-files=no"):
        raise ValueError("there are uncommitted changes; commit first, so that the evidence names the code it comes from")
    copy = Path("build/record") / study
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", ".", str(copy)], check=True)
    shutil.copy(RECORDS / f"{study}.yaml", copy / "params.yaml")
    (copy / "pipelines/scales/paper.yaml").write_text("# A record's own parameters are complete.\n")
    (copy / "dvc.lock").unlink(missing_ok=True)
    return copy


def evidence(study: str, copy: Path) -> dict:
    """Return the study's claims with commit, lock, data hashes and machine."""
    params = runs.parameters(copy)
    sources = {entry["source"] for entry in params["data"].values()}
    hashes = {f"{s}/{file}": digest for s in sorted(sources & set(SOURCES)) for file, digest in SOURCES[s].files.items()}
    return {
        "study": study,
        "data": ", ".join(params["data"]),
        "scale": params["scale"],
        "seeds": params["seeds"],
        "command": f"make record STUDY={study}",
        "commit": provenance.git("-C", str(copy), "rev-parse", "HEAD"),
        "lock": hashlib.sha256(Path("requirements.lock").read_bytes()).hexdigest(),
        "hashes": hashes,
        "machine": provenance.machine(),
        "claims": runs.read_json(copy / "reports/studies" / study / "claims.json"),
    }


def main() -> int:
    """Clone, run, record."""
    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = sorted(path.stem for path in RECORDS.glob("*.yaml"))
    parser.add_argument("study", help=", ".join(known))
    study = parser.parse_args().study
    if study not in known:
        print(f"no record is defined for {study!r}; known: {', '.join(known)} (pipelines/records)", file=sys.stderr)
        return 1
    try:
        copy = cloned(study)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if status := workspace.run(copy, "pipelines.repro").returncode:
        return status
    RECORDED.mkdir(parents=True, exist_ok=True)
    runs.write_json(RECORDED / f"{study}.json", evidence(study, copy))
    print(f"recorded in {RECORDED / study}.json; commit it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
