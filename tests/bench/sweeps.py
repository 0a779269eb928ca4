"""A sweep of short notebooks against papermill in a loop, and what a point costs beyond its own computing; by the clock."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import papermill

from lib.workbook import runs
from pipelines.runner.stage_environment import set_environment
from pipelines.sweep import come
from pipelines.sweeping import cluster
from pipelines.sweeping import points as sweep_points
from pipelines.sweeping.point import Task
from tests.bench.harness import row

BRIEF = {"source": "diabetes", "rows": 200, "epochs": 2, "seeds": [0], "width": 8}
AGAIN = """
import sys, time
for turn in range(3):
    begin = time.perf_counter()
    exec(compile(sys.argv[1], "cells", "exec"), {"__name__": "__main__"})
print(time.perf_counter() - begin)
"""


def described(folder: Path, points: int) -> sweep_points.Sweep:
    """Return a sweep of the smallest trial over weights of its price."""
    betas = [round(0.001 * 1.3**number, 6) for number in range(points)]
    told = {"notebook": "sweeps/example/one_network", "fixed": BRIEF, "points": {"grid": {"beta": betas}}}
    runs.write_json(folder / "brief.yaml", told)  # JSON is YAML
    return sweep_points.read(folder / "brief.yaml")


def ours(sweep: sweep_points.Sweep, folder: Path, workers: int) -> list[dict]:
    """Return the row of every point of a whole sweep, from no worker to the last."""
    (folder / "rows").mkdir(parents=True)
    clean = folder / "notebook.ipynb"
    nbformat.write(sweep_points.notebook(sweep.notebook), clean)
    keys = sweep_points.keys(sweep)
    pairs = zip(keys, sweep.values, strict=True)
    tasks = {key: Task(str(folder), str(clean), key, own, sweep.result) for key, own in pairs}
    with cluster.opened("local", workers=workers) as client:
        found = dict(come(client, tasks))
    return [found[key] for key in keys]


def loop(sweep: sweep_points.Sweep, folder: Path) -> list[dict]:
    """Return the numbers of every point by papermill alone, a fresh kernel a point."""
    found = []
    for number, values in enumerate(sweep.values):
        out = folder / str(number)
        out.mkdir(parents=True)
        path, made = Path("notebooks") / f"{sweep.notebook}.ipynb", folder / f"{number}.ipynb"
        papermill.execute_notebook(path, made, values | {"out": str(out)}, kernel_name="python3", progress_bar=False)
        found.append(runs.read_json(out / "metrics.json"))
    return found


def own_seconds(sweep: sweep_points.Sweep, folder: Path) -> float:
    """Return what the cells of the first point take in a process that has run them before, imports included."""
    values = sweep.values[0] | {"out": str(folder)}
    cells = [cell for cell in sweep_points.notebook(sweep.notebook).cells if cell.cell_type == "code"]
    injected = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    text = "\n".join(injected if "parameters" in cell.metadata.get("tags", []) else cell.source for cell in cells)
    done = subprocess.run([sys.executable, "-c", AGAIN, text], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def growth() -> list[dict]:
    """Return nothing: the cost of a sweep grows with its points."""
    return []


def rows(points: int = 24) -> list[dict]:
    """Compare 24 short notebooks on two workers with a loop over them, and one worker's points with their own computing."""
    set_environment()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sweep = described(folder, points)
        begin = time.perf_counter()
        made = ours(sweep, folder / "ours", workers=2)
        taken = time.perf_counter() - begin
        got = [found["result"] for found in made]
        begin = time.perf_counter()
        want = loop(sweep, folder / "theirs")
        theirs = time.perf_counter() - begin
        assert got == want, "a sweep and a loop give other numbers"
        few = described(folder, 8)
        alone = [found["seconds"] for found in ours(few, folder / "alone", workers=1)]
        overhead = statistics.median(alone) - own_seconds(few, folder / "own")
    text = f"{points} short notebooks, 2 workers, start to end: {taken:.3g} s against {theirs:.3g} s by the clock"
    cost = f"a point of a short notebook on one warm worker: {overhead:.3g} s beyond its own computing, median of 8"
    return [
        row("sweep", text, "papermill in a loop", 5.0, theirs / taken),
        row("sweep-point", cost, "one second", 1.0, 1.0 / max(overhead, 1e-9)),
    ]
