"""A toy workbook in git, as a person has one, whose stages take a while and show a bar."""

import re
import subprocess
import sys

import nbformat

from tests.keyboard import Terminal
from tests.toy import STAGES, Toy

WORK = """
from lib.core.progress import bar
for _ in bar(range(20), "waiting"):
    time.sleep(wait / 20)
if mode == "die":
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
(folder / "metrics.json").write_text('{"loss": 0.5}')
row = {name: "x" for name in ("part", "source", "where", "says", "published", "data", "rule")}
row |= {"id": "drawn", "measured": 0.5, "spread": 0.1, "seeds": 1, "scale": "embedded", "verdict": "holds"}
runs.write_json(runs.folder("reports") / "claims.json", [row])
"""
IGNORED = (
    "/runs/*\n!/runs/other_sweeps/\n/runs/other_sweeps/*\n!/runs/other_sweeps/*.dvc\n/build/\n/reports/\n/data\n__pycache__/\n"
)
SWEEP = "notebook: toy\nfixed: {{wait: {wait}, mode: {mode}}}\npoints: {{grid: {{epochs: [1, 2, 3]}}}}\n"
ATTEMPT = ("pipelines.attempt", "toy")


class Book(Toy):
    """A toy workbook in git, with data, whose stages take a while and show a bar."""

    def __init__(self, root):
        super().__init__(root)
        libraries = '("ipykernel.kernelapp", "ipykernel.debugger", "numpy", "torch") or ('
        self.change("pipelines/runner/warm.py", "LIBRARIES = (", f"LIBRARIES = {libraries}")
        book = nbformat.read(root / "notebooks/toy.ipynb", 4)
        book.cells[1].source = book.cells[1].source.replace("time.sleep(wait)", WORK)
        nbformat.write(book, root / "notebooks/toy.ipynb")
        self.python("-m", "pipelines.runner.strip")
        (root / "dvc.yaml").write_text(STAGES)
        (root / ".gitignore").write_text(IGNORED)
        (root / "data").mkdir()
        (root / "data/x").write_text("x")
        subprocess.run(["git", "init", "--quiet", str(root)], check=True)
        for command in (("init", "--quiet"), ("add", "--quiet", "data")):
            assert self.python("-m", "dvc", *command).returncode == 0

    def slow(self, seconds, mode="ok"):
        """Let the first stage and every point of the sweep take so long."""
        text = (self.root / "params.yaml").read_text()
        changed = re.sub(r"a: \{train: \{.*\}\}", f"a: {{train: {{epochs: 2, wait: {seconds}, mode: {mode}}}}}", text)
        (self.root / "params.yaml").write_text(changed)
        (self.root / "pipelines/sweeps/mine.yaml").write_text(SWEEP.format(wait=seconds, mode=mode))

    def at_terminal(self, *command):
        environment = {name: value for name, value in self.environment.items() if name != "HOURGLASS_PROGRESS"}
        return Terminal([sys.executable, "-m", *command], cwd=self.root, env=environment)

    def half_made(self):
        """What a run that did not end well must not leave."""
        partial = [path for path in (self.root / "build/partial").rglob("*") if "notebooks" not in path.parts]
        return [str(p) for p in [*partial, *(self.root / "build/sweeps").glob("*/partial/*")]]
