"""A workbook of one small notebook, on which the runner and DVC show how they meet bad luck."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from pipelines.reporting.papers import END, START
from tests import ROOT

PARAMETERS = 'epochs = 3\nrate = 0.5\nwait = 0.0\nmode = "ok"\nseeds = [0]\nraw = "raw.txt"\nout = "build/scratch/toy"'
BODY = """
import sys, time
from lib.workbook import runs
folder = runs.folder(out)
(folder / "half").write_text("half")
time.sleep(wait)
if mode == "nan":
    raise FloatingPointError("loss became NaN at epoch 12")
if mode == "big":
    (folder / "big").write_bytes(bytes(10_000_000))
runs.write_json(folder / "result.json", {"epochs": epochs, "rate": rate, "seeds": seeds})
print("warning", file=sys.stderr)
print(epochs, rate)
"""
PARAMS = """scale: embedded
seeds: [0, 1]
runs:
  a: {train: {epochs: 2}}
  b: {train: {epochs: 4}}
"""
STAGES = """stages:
  strip:
    cmd: exec python -m pipelines.runner.strip
    deps: [notebooks]
    params: [runs]
    outs: [build/notebooks]
  train:
    foreach: ${runs}
    do:
      cmd: >-
        exec python -m pipelines.run_notebook toy reports/notebooks/train-${key}.ipynb runs.${key}.train
        raw=raw.txt out=runs/${key}
      deps: [build/notebooks/toy.ipynb, raw.txt]
      params: [scale, seeds, "runs.${key}.train"]
      outs: ["runs/${key}", "reports/notebooks/train-${key}.ipynb"]
"""


LEDGER = """
row = {
    "id": "a", "part": "discrete", "source": "a2020", "where": "Fig. 1", "says": "it is so", "published": "so", "rule": "r",
    "measured": 1.0, "spread": None, "seeds": 5, "scale": "embedded", "data": "toys", "verdict": "holds",
}
"""  # the code of a row, which a notebook may change and write


class Toy:
    """The workbook and the commands that tests give in it."""

    def __init__(self, root: Path):
        self.root = root
        root.mkdir(exist_ok=True)
        self.environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
        for name in ("lib", "pipelines"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        parameters = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
        notebook = nbformat.v4.new_notebook(cells=[parameters, nbformat.v4.new_code_cell(BODY)])
        (root / "notebooks").mkdir()
        nbformat.write(notebook, root / "notebooks" / "toy.ipynb")
        (root / "params.yaml").write_text(PARAMS)
        (root / "raw.txt").write_text("raw")
        self.python("-m", "pipelines.runner.strip")

    def run(self) -> None:
        """Put it under git and DVC, and run every stage."""
        (self.root / "dvc.yaml").write_text(STAGES)
        subprocess.run(["git", "init", "--quiet", str(self.root)], check=True)
        assert self.python("-m", "dvc", "init", "--quiet").returncode == 0
        done = self.python("-m", "dvc", "repro")
        assert done.returncode == 0, done.stderr

    def python(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.root, env=self.environment, capture_output=True, text=True, **options
        )

    def stage(self, **options) -> subprocess.CompletedProcess:
        return self.python("-m", *COMMAND, **options)

    def start(self) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", *COMMAND], cwd=self.root, env=self.environment, stderr=subprocess.PIPE, text=True
        )

    def describe(self) -> None:
        """Give it what a run that is accepted describes: a README with its table of papers, and a bibliography."""
        (self.root / "README.md").write_text(f"# Toys\n\n{START}\n{END}\n")
        (self.root / "references.bib").write_text("@article{a2020,\n  title = {On toys},\n  year = {2020},\n}\n")

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text, f"{name} does not hold {old!r}"
        (self.root / name).write_text(text.replace(old, new))

    def leftovers(self) -> list[str]:
        """Files that a failed stage must not leave: results, executed notebooks, half-written folders."""
        places = ("runs", "reports/notebooks", "build/partial")
        return [str(p.relative_to(self.root)) for place in places for p in (self.root / place).rglob("*")]


COMMAND = ("pipelines.run_notebook", "toy", "reports/notebooks/train-a.ipynb", "runs.a.train", "raw=raw.txt", "out=runs/a")
