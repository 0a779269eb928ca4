"""Two processes that share every batch train as one does."""

import os
import subprocess
import sys

import pandas as pd
import pytest
import torch

from lib.core.types import Table
from lib.data import prepared
from lib.data.synthetic import linear_gaussian
from lib.workbook import runs
from tests import ROOT
from tests.training.samples import SHAPE

METHODS = {"plain": {"betas": [0.0]}, "vib": {"betas": [0.0, 0.1]}}
PLAN = {"epochs": 8, "batch": 32, "lr": 0.01, "clip": 1.0, "records": 8}
SECTION = {"methods": METHODS, "shape": SHAPE, "plan": PLAN}


@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    """History and scores of one process and of two, on a noisy linear task."""
    root = tmp_path_factory.mktemp("spread")
    drawn = linear_gaussian(300, torch.tensor([1.0, -0.5, 0.0]), noise=0.5, seed=0)
    (root / "data").mkdir()
    prepared.write(root / "data", Table(drawn.x, drawn.y, ["a", "b", "c"], "y"), seeds=[0, 1], fractions=(0.64, 0.16, 0.2))
    for name in ("lib", "pipelines"):
        (root / name).symlink_to(ROOT / name)
    text = "import sys; sys.path.insert(0, '.'); from lib.workbook import runs; import pipelines.train_distributed as t\n"
    text += f"runs.parameters = lambda: {dict(seeds=[0, 1], mine=SECTION)!r}\nt.main()\n"
    (root / "run.py").write_text(text)
    found = {}
    for count in (1, 2):
        options = ["--standalone", f"--nproc-per-node={count}", "run.py", "mine", "data", f"out{count}", "--accelerator", "cpu"]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-m", "torch.distributed.run", *options]
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        found[count] = [pd.read_parquet(root / f"out{count}/{name}.parquet") for name in ("history", "scores")]
        assert runs.read_json(root / f"out{count}/run.json")["methods"] == METHODS
    return found


def test_two_processes_give_the_curve_of_one(histories):
    (one, scores), (two, others) = histories[1], histories[2]
    assert len(one) == 8 * (2 + 4) and one[["method", "epoch", "seed", "beta"]].equals(two[["method", "epoch", "seed", "beta"]])
    for name in ("fit", "price", "valid"):
        assert (one[name] - two[name]).abs().max() < 1e-4, name
    assert (scores.test - others.test).abs().max() < 1e-4
    assert one.groupby("method").fit.agg(["first", "last"]).diff(axis=1)["last"].max() < -0.1, "nothing was learnt"
    assert not one.fit.equals(two.fit), "the second run was the first"
