"""make replay: run the commit again in a clone, and say claim by claim and output by output whether it came out the same.

python -m pipelines.replay [--scale smoke|embedded|paper]   clones, reruns, compares; exits 1 if a verdict or a rule moved

Bytes are promised on one machine, verdicts everywhere: an output may differ on another, a claim must keep its verdict, and its
value should be the same to a unit of the last digit that the ledger prints, or stay within the recorded spread.
"""

import argparse
import hashlib
import platform
import sys
from importlib.metadata import distributions
from pathlib import Path

from lib.core.processes import die_with_parent
from lib.workbook import claims, runs
from pipelines.ledger import CLAIMS, REFERENCE
from pipelines.reporting import provenance
from pipelines.runner import outcome, workspace
from pipelines.runner.working import alone
from pipelines.sweeping.points import canonical

COPY = Path("build/replay")
KEPT = ("measured", "spread", "rule", "verdict")


def machine() -> dict[str, str]:
    """Return what bytes may depend on: processor, the instructions that torch takes, Python, and every package's version."""
    import torch

    versions = {f"{d.metadata['Name'].lower()}": d.version for d in distributions()}
    own = {"processor": provenance.processor(), "instructions": torch.backends.cpu.get_cpu_capability()}
    return own | {"python": platform.python_version()} | dict(sorted(versions.items()))


def stages(root: Path) -> dict[str, dict]:
    """Return what dvc.lock records of every stage: hashes of its command, its parameters, and of what it read and wrote."""
    found = {}
    for name, stage in runs.read_yaml(root / "dvc.lock")["stages"].items():
        files = {kind: {entry["path"]: entry.get("md5") for entry in stage.get(kind, [])} for kind in ("deps", "outs")}
        found[name] = files | {kind: hashed(stage.get(kind)) for kind in ("cmd", "params")}
    return found


def hashed(content: object) -> str:
    """Return what tells one content of YAML from another."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:16]


def state(root: Path) -> dict:
    """Return all that a replay compares: machine, stages, claims."""
    rows = runs.read_json(root / CLAIMS) if (root / CLAIMS).exists() else []
    claims = {row["id"]: {name: row[name] for name in KEPT} for row in rows}
    return {"machine": machine(), "stages": stages(root), "claims": claims}


def diverged(before: dict[str, dict], now: dict[str, dict]) -> dict[str, str]:
    """Return the stages whose outputs differ though every file that another stage gave them is the same, each with a reason.

    Those are where a difference came in; what follows from them is not named. before, now: as `stages` returns them.
    """
    written = {path for stage in before.values() for path in stage["outs"]}
    found = {}
    for name in sorted(before.keys() | now.keys()):
        if name not in before or name not in now:
            found[name] = "is new" if name not in before else "is gone"
            continue
        old, new = before[name], now[name]
        if old["outs"] == new["outs"]:
            continue
        given = [p for p in old["deps"] if any(p == w or p.startswith(f"{w}/") or w.startswith(f"{p}/") for w in written)]
        handed = [path for path in given if old["deps"][path] != new["deps"].get(path)]
        if any(not path.startswith("build/notebooks") for path in handed):
            continue
        reasons = [f"{path} changed" for path in sorted(old["deps"]) if old["deps"][path] != new["deps"].get(path)]
        reasons += ["its parameters changed" for _ in "p" if old["params"] != new["params"]]
        reasons += ["its command changed" for _ in "c" if old["cmd"] != new["cmd"]]
        found[name] = "; ".join(reasons) or "with the same inputs, parameters and command"
    return found


def moved(before: dict[str, dict], now: dict[str, dict]) -> dict[str, tuple[bool, str]]:
    """Return the claims that are not the same, each with whether that is a fault, and what happened to it."""
    found = {}
    for name in sorted(before.keys() | now.keys()):
        if name not in before or name not in now:
            found[name] = (True, "is new" if name not in before else "is gone")
            continue
        old, new = before[name], now[name]
        if old["rule"] != new["rule"]:
            found[name] = (True, f"its rule was {old['rule']!r}, now {new['rule']!r}")
        elif old["verdict"] != new["verdict"]:
            found[name] = (True, f"its verdict was {old['verdict']!r}, now {new['verdict']!r}")
        elif old["measured"] != new["measured"]:
            values = f"was {old['measured']}, now {new['measured']}; recorded spread {old['spread']}"
            found[name] = (False, f"same verdict, {nearness(old['measured'], new['measured'], old['spread'])}: {values}")
    return found


def nearness(old: float | None, new: float | None, spread: float | None) -> str:
    """Say how far a claim's value moved: by less than is printed, within the spread over its seeds, or further."""
    if None in (old, new):
        return "OUTSIDE the spread"
    if abs(old - new) <= 1.001 * claims.unit(old, new):  # the unit itself is rounded
        return "the same as printed"
    if spread is None:
        return "ANOTHER value, of which no spread is recorded"
    return "within the spread" if abs(old - new) <= spread else "OUTSIDE the spread"


def told(before: dict, now: dict) -> tuple[list[str], bool]:
    """Return the report's lines, and whether every claim kept rule and verdict."""
    outs = [(path, md5) for stage in before["stages"].values() for path, md5 in stage["outs"].items()]
    new = {path: md5 for stage in now["stages"].values() for path, md5 in stage["outs"].items()}
    same = sum(new.get(path) == md5 for path, md5 in outs)
    first, odd = diverged(before["stages"], now["stages"]), moved(before["claims"], now["claims"])
    lines = [f"outputs: {same} of {len(outs)} with the same bytes"]
    lines += [f"first to differ: stage {name}: {reason}" for name, reason in first.items()]
    lines += [f"claims: {len(now['claims']) - len(odd)} of {len(now['claims'])} the same to the last digit"]
    lines += [f"claim {name}: {what}" for name, (_, what) in odd.items()]
    either = sorted(before["machine"].keys() | now["machine"].keys())
    pairs = [(name, before["machine"].get(name, "none"), now["machine"].get(name, "none")) for name in either]
    lines += [f"the machines differ: {name} was {old}, here {this}" for name, old, this in pairs if old != this]
    return lines, not any(fault for fault, _ in odd.values())


def cloned() -> Path:
    """Clone the commit into a scratch folder."""
    runs.remove(COPY)
    outcome.follow(["git", "clone", "--quiet", ".", str(COPY)], check=True)
    return COPY


def rerun(copy: Path, scale: str) -> int:
    """Run every stage in the clone, whatever a cache may hold; return the exit status."""
    return workspace.run(copy, "pipelines.repro", "--scale", scale, "--force", "--no-run-cache", "--quiet").returncode


def reference(scale: str) -> dict:
    """Return what a replay at a scale is compared with, or say how it comes to be."""
    stored = runs.read_json(REFERENCE) if REFERENCE.exists() else {}
    if scale not in stored:
        raise ValueError(
            f"{REFERENCE} has nothing of scale {scale}, it has {sorted(stored)}; `make repro SCALE={scale}`, then `make accept`"
        )
    return stored[scale]


def main(argv: list[str] | None = None) -> int:
    """Replay and compare."""
    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=runs.SCALES, default="embedded")
    args = parser.parse_args(argv)
    before = reference(args.scale)
    with alone(COPY.with_suffix(".lock"), "make replay"):
        if status := rerun(copy := cloned(), args.scale):
            print("the clone's run stopped; see above for the stage and its message", file=sys.stderr)
            return status
        lines, good = told(before, state(copy))
    print("\n".join(lines))
    return int(not good)


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "make replay"))
