"""What every study would cost at the papers' own sizes: reports/scale.md, from the seconds that stages took here.

python -m pipelines.costs [--log build/logs/stages.csv]   the log of a finished `make repro` at the scale `embedded`

A stage is taken to grow as the product over the parameters that the scale `paper` changes, each by its power in `grows`, which
stands beside them: {epochs: 1, stride: -1, rate: 0}. A list counts by its length, and as `sum of epochs` by its sum. Of parts
beside each other (data sets, tasks, systems) the one that grows most is taken for all. An estimate from above.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as parquet

from lib.core.processes import die_with_parent
from lib.workbook import runs, status
from pipelines.reporting import provenance
from pipelines.runner import outcome
from pipelines.runner.notebook_file import declared, read_notebook

OUT, TEXT = Path("reports/scale.md"), Path(__file__).parent / "templates/costs.md"
EACH_SEED = {"prepare", "train", "information_plane", "study"}  # kinds of stages that grow with the seeds
SUM = "sum of "


class Cost(NamedTuple):
    """One stage."""

    stage: str
    seconds: float | None  # measured here
    factor: float  # at the papers' size, at most


def leaves(old: dict, new: dict, path: str = "") -> Iterator[tuple[str, object, object]]:
    """Yield (dotted name, old, new) of every value that differs."""
    for name in old:
        here = f"{path}{name}"
        if isinstance(old[name], dict) and isinstance(new[name], dict):
            yield from leaves(old[name], new[name], f"{here}.")
        elif old[name] != new[name]:
            yield here, old[name], new[name]


def grown(name: str, old: object, new: object, grows: dict[str, float]) -> float:
    """Return by what factor a stage grows with one changed value; grows: parameter, or the end of its dotted name -> power.

    Errors: ValueError for a parameter of which nobody has said how cost grows with it.
    """
    *path, last = name.split(".")
    ends = [name[i:] for i in range(len(name)) if not i or name[i - 1] == "."]
    told = next((told for end in ends for told in (end, SUM + end) if told in grows), None)
    if told is None:
        raise ValueError(
            f"{name} changes between embedded and paper; say in `grows` beside it by which power of it cost grows (0: by none)"
        )
    if isinstance(new, list) and not isinstance(old, list):  # a setting becomes several, one training each
        return float(len(new))
    if grows[told] == 0:
        return 1.0
    if last == "rows" and 0 in (old, new):
        old, new = (count or rows_of(path[-1]) for count in (old, new))
    most, least = (amount(value, summed=told.startswith(SUM)) for value in (new, old))
    return (most / least) ** grows[told]


def factor(changes: Iterable[tuple[str, object, object]], grows: dict[str, float]) -> float:
    """Return by what factor a stage grows with all changes: those of every part, times the most that one part grows."""
    parts: dict[str, float] = {"": 1.0}
    for name, old, new in changes:
        found = re.search(r"(?:^|\.)(?:sets|tasks|systems)\.([^.]+)", name)
        part = found[1] if found else ""
        parts[part] = parts.get(part, 1.0) * grown(name, old, new, grows)
    return parts.pop("") * max(parts.values(), default=1.0)


def amount(value: object, *, summed: bool) -> float:
    """Return a value as the number that counts."""
    if not isinstance(value, list):
        return float(value)
    return float(sum(value)) if summed else float(len(value))


def rows_of(name: str) -> int:
    """Return the rows of a data set that ships, for which `rows: 0` stands."""
    return parquet.read_metadata(runs.at(f"data/raw/{name}/table.parquet")).num_rows


def takes_seeds(root: Path, run: dict) -> bool:
    """Say whether a run's notebook has a parameter for the seeds."""
    name = "/".join(run[part] for part in ("part", "paper", "notebook"))
    return "seeds" in declared(read_notebook(root / f"notebooks/{name}.ipynb"), name)


def costs(root: Path, seconds: dict[str, float]) -> list[Cost]:
    """Return every stage's cost from those measured; seconds: executed notebook -> seconds."""
    old, new = runs.parameters(root, "embedded"), runs.parameters(root, "paper")
    seeds, found = len(new["seeds"]) / len(old["seeds"]), []
    for stage, name in status.stages(root).items():
        kind, _, key = stage.partition("@")
        base, pairs, grows = 1.0, [], dict(new["grows"])
        if kind in ("train", "information_plane"):
            part, entry = "train" if kind == "train" else "plane", new["networks"][key]
            pairs = [*leaves(old["networks"][key][part], entry[part])]
            pairs += (
                leaves(old["data"][entry["data"]], new["data"][entry["data"]], f"{entry['data']}.") if kind == "train" else []
            )
            grows |= entry.get("grows", {})
        elif kind == "run":
            pairs, grows = leaves(old["runs"][key], new["runs"][key]), grows | new["runs"][key].get("grows", {})
        if takes_seeds(root, new["runs"][key]) if kind == "run" else kind in EACH_SEED:
            base = seeds
        found.append(Cost(stage, seconds.get(name), base * factor(pairs, grows)))
    return found


def needed(stage: str, waits: dict[str, set[str]]) -> set[str]:
    """Return a stage with all that it waits for; waits: as status.waits gives it."""
    return {stage}.union(*(needed(name, waits) for name in waits[stage]))


def longest(stage: str, waits: dict[str, set[str]], hours: dict[str, float]) -> float:
    """Return the hours of the longest chain of stages that ends in one: no number of machines makes it shorter."""
    return hours.get(stage, 0.0) + max((longest(name, waits, hours) for name in waits[stage]), default=0.0)


def page(root: Path, found: list[Cost], where: str) -> str:
    """Return the page."""
    waits = status.waits(root)
    hours = {cost.stage: cost.seconds * cost.factor / 3600 for cost in found if cost.seconds is not None}
    lines, missing = [], [cost.stage for cost in found if cost.seconds is None]
    for stage in sorted(cost.stage for cost in found if cost.stage.startswith("study@")):
        parts = needed(stage, waits)
        one, chain = sum(hours.get(name, 0.0) for name in parts), longest(stage, waits, hours)
        worst = max(parts, key=lambda name: hours.get(name, 0.0))
        lines.append(f"| {stage[6:]} | {one:.2f} | {max(chain, one / 64):.2f} | {worst} {hours.get(worst, 0.0):.2f} |")
    total, worst = sum(hours.values()), max(hours, key=hours.get)
    chain = max(longest(stage, waits, hours) for stage in hours)
    rows = [f"| {c.stage} | {c.seconds:.1f} | {c.factor:.3g} | {hours[c.stage]:.2f} |" for c in found if c.seconds is not None]
    return TEXT.read_text().format(
        machine=where, studies="\n".join(lines), stages="\n".join(rows), total=total, chain=chain, speed=total / chain,
        worst=worst, hours=hours[worst], lost="; ".join(missing) or "none",
    )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Write the page."""
    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, default=provenance.LOG)
    args = parser.parse_args(argv)
    if not args.log.exists():
        print(f"{args.log} does not exist; `make repro` writes it", file=sys.stderr)
        return 1
    found = costs(Path.cwd(), {name: seconds for name, (_, seconds) in provenance.logged(args.log).items()})
    OUT.write_text(page(Path.cwd(), found, provenance.machine()))
    return 0


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "python -m pipelines.costs"))
