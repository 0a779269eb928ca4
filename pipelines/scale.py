"""What every study would cost at the papers' own sizes: reports/scale.md, from the seconds that stages took here.

python -m pipelines.scale [--log build/logs/stages.csv]   the log of a finished `make repro` at the scale `embedded`

A stage is taken to grow as the product over the parameters that the scale `paper` changes, each by its power in GROWS. That
is an upper estimate where they belong to different parts of a stage, as all of it is taken to grow with each.
"""

import argparse
import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as parquet

from lib import board, runs
from lib.processes import die_with_parent
from pipelines import provenance

OUT = Path("reports/scale.md")
GROWS = {  # parameter -> power of its ratio; a list counts by its sum where it holds budgets, else by its length
    **dict.fromkeys(("seeds", "epochs", "steps", "code_steps", "trajectories", "draws", "starts", "sizes", "ahead"), 1),
    **dict.fromkeys(("windows", "ropes", "n", "fitted", "test", "layers", "truths", "d", "widths", "code", "rank"), 1),
    **dict.fromkeys(("kde_upper_adaptive.rows", "size", "points", "width", "channels"), 2),  # pairs, sides, squares of weights
    "rows": 1,
    **dict.fromkeys(("stride", "every"), -1),
    "shrink": -2,
    "batch": 0,  # as many rows an epoch; a list of them is one training each
    **dict.fromkeys(("lr", "rates", "records", "heads", "dropout"), 0),
}
SUMS = {"epochs", "sizes", "channels"}


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


def grown(name: str, old: object, new: object) -> float:
    """Return by what factor a stage grows with one changed value.

    Errors: ValueError for a parameter of which nobody has said how cost grows with it.
    """
    *path, last = name.split(".")
    if last not in GROWS:
        raise ValueError(
            f"{name} changes between embedded and paper; say in GROWS of pipelines/scale.py how cost grows with it"
        )
    power = 1 if isinstance(new, list) and last == "batch" else GROWS.get(".".join([*path[-1:], last]), GROWS[last])
    if last == "rows" and 0 in (old, new):
        old, new = (count or rows_of(path[-1]) for count in (old, new))
    return (amount(last, new) / amount(last, old)) ** power


def amount(name: str, value: object) -> float:
    """Return a value as the number that counts."""
    if not isinstance(value, list):
        return float(value)
    return float(sum(value)) if name in SUMS else float(len(value))


def rows_of(name: str) -> int:
    """Return the rows of a data set that ships, for which `rows: 0` stands."""
    return parquet.read_metadata(runs.at(f"data/raw/{name}/table.parquet")).num_rows


def costs(root: Path, seconds: dict[str, float]) -> list[Cost]:
    """Return every stage's cost from those measured; seconds: executed notebook -> seconds."""
    old, new = runs.parameters(root, "embedded"), runs.parameters(root, "paper")
    seeds, found = len(new["seeds"]) / len(old["seeds"]), []
    for stage, name in board.stages(root).items():
        kind, _, key = stage.partition("@")
        factor = seeds if kind in ("prepare", "train", "information_plane", "trial", "study") else 1.0
        if kind in ("train", "information_plane"):
            part, data = "train" if kind == "train" else "plane", old["runs"][key]["data"]
            pairs = [*leaves(old["runs"][key][part], new["runs"][key][part])]
            pairs += leaves(old["data"][data], new["data"][data], f"{data}.") if kind == "train" else []
        else:
            section = {"prepare": "data", "trial": "trials"}.get(kind, kind)
            ours = [params.get(section, {}).get(key, {}) if key else params.get(section, {}) for params in (old, new)]
            pairs = leaves(*ours) if kind in ("trial", "dynamics") else ()
        factor *= prod(grown(*pair) for pair in pairs)
        found.append(Cost(stage, seconds.get(name), factor))
    return found


def before(stage: str, params: dict) -> set[str]:
    """Return the stages that one waits for: its own run's, or its family's."""
    kind, _, key = stage.partition("@")
    if kind in ("train", "information_plane"):
        made = {f"prepare@{params['runs'][key]['data']}"}
        return made if kind == "train" else made | {f"train@{key}"}
    if kind == "trial":
        return {"dynamics"} if params["trials"][key]["reads"] == "data/dynamics" else set()
    if kind != "study":
        return set()
    family = params["studies"][key]["family"]
    of_runs = {f"information_plane@{name}" for name, run in params["runs"].items() if run["family"] == family}
    return of_runs | {f"trial@{name}" for name, trial in params["trials"].items() if trial["family"] == family}


def needed(stage: str, params: dict) -> set[str]:
    """Return a stage with all that it waits for."""
    return {stage}.union(*(needed(name, params) for name in before(stage, params)))


def longest(stage: str, params: dict, hours: dict[str, float]) -> float:
    """Return the hours of the longest chain of stages that ends in one: no number of machines makes it shorter."""
    return hours.get(stage, 0.0) + max((longest(name, params, hours) for name in before(stage, params)), default=0.0)


def page(root: Path, found: list[Cost], where: str) -> str:
    """Return the page."""
    params = runs.parameters(root, "paper")
    hours = {cost.stage: cost.seconds * cost.factor / 3600 for cost in found if cost.seconds is not None}
    lines, missing = [], [cost.stage for cost in found if cost.seconds is None]
    for stage in sorted(cost.stage for cost in found if cost.stage.startswith("study@")):
        parts = needed(stage, params)
        one, chain = sum(hours.get(name, 0.0) for name in parts), longest(stage, params, hours)
        worst = max(parts, key=lambda name: hours.get(name, 0.0))
        lines.append(f"| {stage[6:]} | {one:.2f} | {max(chain, one / 64):.2f} | {worst} {hours.get(worst, 0.0):.2f} |")
    total, worst = sum(hours.values()), max(hours, key=hours.get)
    chain = max(longest(stage, params, hours) for stage in hours)
    rows = [f"| {c.stage} | {c.seconds:.1f} | {c.factor:.3g} | {hours[c.stage]:.2f} |" for c in found if c.seconds is not None]
    return TEXT.format(
        machine=where, studies="\n".join(lines), stages="\n".join(rows), total=total, chain=chain, speed=total / chain,
        worst=worst, hours=hours[worst], lost="; ".join(missing) or "none",
    )  # fmt: skip


TEXT = """# At the papers' own sizes

Written by `python -m pipelines.scale` from the seconds that each stage took at the scale `embedded` on {machine}, times what
the scale `paper` changes. An estimate, and from above: a stage is taken to grow with the product of all its changes.

One worker is this machine. Sixty-four are as many such machines, each with a stage of its own as soon as what it reads is
there; a study then takes as long as its longest chain of stages. A GPU is a worker too, faster by what it gains on the stage,
which is not known: sums over pairs were measured on one (benchmarks_gpu.md), the training of small stacked networks was not,
and launching their kernels may well take what the chip saves. The columns stand for 1 and 64 GPUs only after a division by a
gain that was measured.

| study, with all that it reads | 1 worker, hours | 64 workers, hours | its longest stage, hours |
|---|---|---|---|
{studies}

## Where it would break first
1. **Stages run one after another.** All of them take {total:.1f} hours, the longest chain {chain:.1f}, so that the whole gains
   {speed:.1f} times however many workers there are. DVC starts no two stages at once: today it gains nothing, and workers
   beyond one machine serve sweeps only.
2. **The longest stage is {worst}, {hours:.1f} hours.** Only training stages go on from a checkpoint: of any other that is
   killed, all is lost. Such a stage should become a sweep, whose points are kept one by one.
3. **On an accelerator the methods of a run train one after another** (`lib.trained.fit_all`), and objectives that compare
   rows in pairs are refused by several processes (`lib/spread.py`): a run then uses one GPU, however many there are.

## Stages

| stage | seconds here | grows by | hours |
|---|---|---|---|
{stages}

Not measured in that run, and left out of every sum: {lost}.
"""


def main(argv: list[str] | None = None) -> int:
    """Write the page."""
    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, default=provenance.LOG)
    args = parser.parse_args(argv)
    if not args.log.exists():
        print(f"{args.log} does not exist; `make repro` writes it", file=sys.stderr)
        return 1
    log = [line.split(",") for line in args.log.read_text().splitlines()]
    found = costs(Path.cwd(), {name: float(seconds) for name, _, seconds in log})
    OUT.write_text(page(Path.cwd(), found, provenance.machine()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
