"""The toy workbook with notebooks that a sweep can run, and what its points leave."""

import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd

from pipelines.runner.notebook_file import KERNELSPEC
from tests.keyboard import hear
from tests.toy import Toy

POINT = """
import json, os, pathlib, time
with open("starts.log", "a") as log:
    log.write(f"{pathlib.Path(out).name[:20]} {time.time()}\\n")
time.sleep(wait)
if x == dies:
    os._exit(3)
if x % 20 == bad:
    raise ArithmeticError(f"planted at {x}")
pathlib.Path(out, "metrics.json").write_text(json.dumps({"y": x * x, "deep": {"z": x + rate}}))
"""
LEAKS = """
import json, math, os, pathlib, random, sys
import matplotlib, numpy, torch
seen = {"number": "mine" in globals(), "environment": "LEFT" in os.environ, "folder": os.getcwd() != home or not home,
        "path": "/nowhere" in sys.path, "module": math.pi == 3, "style": matplotlib.rcParams["lines.linewidth"] == 9,
        "print": numpy.get_printoptions()["precision"] == 2, "threads": torch.get_num_threads() != 1,
        "type": torch.get_default_dtype() != torch.float32, "lib": "lib" in sys.modules}
draws = {"numpy": numpy.random.rand(), "torch": torch.rand(()).item(), "random": random.random()}
pathlib.Path(out, "metrics.json").write_text(json.dumps({**draws, "leaks": sum(seen.values())}))
from lib.workbook import runs
mine = os.environ["LEFT"] = "1"
sys.path.append("/nowhere"); math.pi = 3; os.chdir("/"); numpy.set_printoptions(precision=2)
matplotlib.rcParams["lines.linewidth"] = 9; torch.set_num_threads(2); torch.set_default_dtype(torch.float64)
numpy.random.seed(0); torch.manual_seed(0); random.seed(0)
"""
SWEEP = "notebook: point\nfixed: {{wait: {wait}, bad: {bad}}}\npoints:\n  grid: {{x: [{points}]}}\n"


class Swept(Toy):
    """The toy workbook with notebooks that a sweep can run, and a server of kernels that imports little."""

    def __init__(self, root: Path):
        super().__init__(root)
        self.environment.pop("PYTHONPATH", None)
        libraries = '("ipykernel.kernelapp", "ipykernel.debugger", "numpy", "torch", "matplotlib.pyplot") or ('
        self.change("pipelines/runner/warm.py", "LIBRARIES = (", f"LIBRARIES = {libraries}")
        for name, parameters, body in (
            ("point", 'x = 1\nrate = 0.5\nwait = 0.0\nbad = 99\ndies = -1\nplan = {"k": 1}\nout = "build/scratch"', POINT),
            ("leaks", f'x = 1\nhome = "{root.resolve()}"\nout = "build/scratch"', LEAKS),
        ):
            cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(body)]
            book = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC})
            nbformat.write(book, root / f"notebooks/{name}.ipynb")

    def write(self, name: str, *, points: range, wait: float = 0.0, bad: int = 99) -> tuple[str, ...]:
        """Write a sweep's file and return the command that runs it."""
        text = SWEEP.format(points=", ".join(map(str, points)), wait=wait, bad=bad)
        (self.root / f"pipelines/sweeps/{name}.yaml").write_text(text)
        return ("-m", "pipelines.sweep", f"pipelines/sweeps/{name}.yaml")

    def begin(self, *command: str) -> subprocess.Popen:
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True, "preexec_fn": hear}
        return subprocess.Popen([sys.executable, *command], cwd=self.root, env=self.environment, **streams)

    def rows(self, name: str) -> list[Path]:
        return list((self.root / "build/sweeps" / name / "rows").glob("*.json"))

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.root / f"runs/other_sweeps/{name}/table.parquet")

    def starts(self) -> list[tuple[str, float]]:
        lines = (self.root / "starts.log").read_text().splitlines()
        return [(line.split()[0], float(line.split()[1])) for line in lines]


def grown(toy: Swept, name: str, count: int, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while len(toy.rows(name)) < count:
        assert time.monotonic() < until, f"{len(toy.rows(name))} rows, not {count}"
        time.sleep(0.05)
