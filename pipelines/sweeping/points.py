"""What a sweep asks for: a notebook, parameters that stay, parameters that vary, as a list of points with a key each."""

import hashlib
import json
import math
import random
import re
from itertools import product
from pathlib import Path
from typing import NamedTuple

import nbformat

from lib.workbook import runs
from pipelines.runner.hashes import hashes
from pipelines.runner.imports import Modules
from pipelines.runner.notebook_file import declared, read_notebook, source, typed

WORDS = {str: "text", dict: "mapping", list: "list"}
SHAPE = "points are one of grid: {name: [values]}, list: [{name: value}], random: {count, seed, draw: {name: {low, high}}}"
FIELDS = {"notebook", "fixed", "points", "result", "reads"}


class Sweep(NamedTuple):
    """A sweep as its YAML file describes it."""

    name: str
    notebook: str  # a name under notebooks/
    varied: list[str]  # names, dotted where they lead into a parameter that is a mapping
    points: list[dict]  # what varies, name -> value
    values: list[dict]  # every point's parameters whole, without `out`
    result: str  # the file in a point's folder that holds its numbers
    reads: list[str]  # files and folders whose content belongs to a point's key


def read(path: Path) -> Sweep:
    """Return the sweep that a YAML file describes; its values are checked against the notebook's parameters.

    Errors: ValueError for an unknown field, notebook, parameter or type, a point that occurs twice, or no point.
    """
    runs.check_name(path.stem, "the name of a sweep")
    if not path.exists():
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ValueError(f"no sweep {path}; there are: {there}")
    told = runs.read_yaml(path)
    if odd := sorted(set(told) ^ FIELDS & (set(told) | {"notebook", "points"})):
        raise ValueError(f"sweep {path.stem}: {odd[0]!r} is unknown or missing; a sweep has {', '.join(sorted(FIELDS))}")
    told = {"fixed": {}, "result": "metrics.json", "reads": []} | told
    kinds = {"notebook": str, "fixed": dict, "points": dict, "result": str, "reads": list}
    for name, kind in kinds.items():
        if not isinstance(told[name], kind):
            raise ValueError(f"sweep {path.stem}: {name} must be a {WORDS[kind]}, got {told[name]!r}")
    try:
        return _checked(path.stem, told)
    except (AttributeError, LookupError, TypeError) as error:  # no list, mapping or number where one is due
        raise ValueError(f"sweep {path.stem} cannot be read ({type(error).__name__}: {error}); {SHAPE}") from error


def _checked(name: str, told: dict) -> Sweep:
    """Return the sweep of fields that are of their kinds."""
    known = declared(notebook(told["notebook"]), told["notebook"])
    base = known | typed(known, told["fixed"], told["notebook"])
    points = drawn(told["points"])
    values = [with_point(base, point, told["notebook"]) for point in points]
    if not points or len({canonical(point) for point in points}) < len(points):
        raise ValueError(f"sweep {name} has {len(points)} points, not all distinct; give at least one, and each once")
    varied = list(dict.fromkeys(name for point in points for name in point))
    return Sweep(name, told["notebook"], varied, points, values, told["result"], told["reads"])


def notebook(name: str) -> nbformat.NotebookNode:
    """Return the source of a notebook under notebooks/."""
    runs.check_path(name, "the name of a notebook")
    path = Path("notebooks") / f"{name}.ipynb"
    if not path.exists():
        raise ValueError(f"no notebook {path}; name one under notebooks/, such as sweeps/example/one_network")
    return source(read_notebook(path))


def drawn(told: dict) -> list[dict]:
    """Return the points of one of {grid: {name: [values]}}, {list: [{name: value}]}, {random: {count, seed, draw}}."""
    if not isinstance(told, dict) or len(told) != 1 or set(told) - {"grid", "list", "random"}:
        raise ValueError(f"points must be one of grid, list and random, got {told!r}")
    ((way, content),) = told.items()
    if way == "list":
        return [dict(point) for point in content]
    if way == "grid":
        return [dict(zip(content, values, strict=True)) for values in product(*content.values())]
    if odd := sorted(set(content) ^ {"count", "seed", "draw"}):
        raise ValueError(f"random points need count, seed and draw, got {sorted(content)}: see {odd[0]!r}")
    chance = random.Random(content["seed"])
    return [{name: one(name, law, chance) for name, law in content["draw"].items()} for _ in range(content["count"])]


def one(name: str, law: dict, chance: random.Random) -> object:
    """Return one value of {choice: [...]}, or of {low, high}, uniform: whole if both are, in the logarithm with log: true."""
    if set(law) == {"choice"}:
        return chance.choice(law["choice"])
    if not {"low", "high"} <= set(law) <= {"low", "high", "log"} or not law["low"] < law["high"]:
        raise ValueError(f"{name} is drawn by {{choice: [...]}} or {{low, high, log}} with low < high, got {law!r}")
    low, high = law["low"], law["high"]
    if law.get("log"):
        if low <= 0:
            raise ValueError(f"{name} is drawn in its logarithm and needs low > 0, got {low!r}")
        return math.exp(chance.uniform(math.log(low), math.log(high)))
    return chance.randint(low, high) if type(low) is type(high) is int else chance.uniform(low, high)


def with_point(base: dict, point: dict, name: str) -> dict:
    """Return a notebook's parameters with a point's values in their places, less `out`, which the sweep chooses."""
    if "out" in point:
        raise ValueError("a sweep cannot vary 'out': every point has a folder of its own")
    values = json.loads(canonical(base))
    for dotted, value in point.items():
        *path, last = dotted.split(".")
        place = runs.section(values, ".".join(path)) if path else values
        if last not in place:
            raise ValueError(f"notebook {name} has no parameter {dotted}; it takes {', '.join(sorted(place))}")
        place[last] = value
    return {key: value for key, value in typed(base, values, name).items() if key != "out"}


def canonical(content: object) -> str:
    """Return the same text for the same content."""
    return json.dumps(content, sort_keys=True)


def keys(sweep: Sweep) -> list[str]:
    """Return what identifies each point: its parameters, the notebook, what it imports of lib, and the data that it reads.

    Data are what the sweep says that it reads and what parameters name as paths, but no folder that holds this run itself.
    """
    book = notebook(sweep.notebook)
    own = canonical([[(cell.cell_type, cell.source) for cell in book.cells], Modules(Path()).of_notebook(book)])
    named = {v for values in sweep.values for v in values.values() if isinstance(v, str) and re.search(r"\w/\w", v)}
    given = [Path(v) for v in named if Path(v).exists() and not Path.cwd().is_relative_to(Path(v).resolve())]
    shared = [own, hashes([*map(Path, sweep.reads), *given])]
    return [hashlib.sha256(canonical([values, *shared]).encode()).hexdigest()[:20] for values in sweep.values]
