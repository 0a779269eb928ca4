"""A try runs a notebook in a folder of its own, tells its numbers or its error, and is never a result."""

import json
import signal
import subprocess
import sys

import pytest

from lib.workbook import runs
from tests.pipelines.test_run_notebook import processes_end_in, wait_for
from tests.toy import Toy

pytestmark = pytest.mark.programs


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A workbook of two runs, whose notebook leaves numbers."""
    toy = Toy(tmp_path_factory.mktemp("toy"))
    toy.environment.pop("PYTHONPATH", None)
    toy.change("notebooks/toy.ipynb", "result.json", "metrics.json")
    toy.run()
    return toy


def test_a_try_tells_its_numbers_or_its_error(toy):
    done = toy.python("-m", "pipelines.attempt", "toy", '{"epochs": 7, "out": "runs/a"}')
    assert done.returncode == 0 and '"epochs": 7.0' in done.stdout, done.stderr
    assert runs.read_json(toy.root / "runs/a/metrics.json")["epochs"] == 2, "a try has overwritten a result"
    for values, message in (
        ('{"epohcs": 7}', "notebook toy has no parameter epohcs; it takes epochs"),
        ('{"epochs": "many"}', "parameter epochs of notebook toy must be int like 3, got 'many'"),
        ('{"mode": "nan"}', "FloatingPointError: loss became NaN at epoch 12; its notebook: build/scratch/toy-2.ipynb"),
        ("[1]", "parameters must be given as '{\"name\": value}', got '[1]'"),
        ("{epochs: 7}", "'{epochs: 7}' is no JSON"),
    ):
        done = toy.python("-m", "pipelines.attempt", "toy", values)
        assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr


def test_a_try_that_is_ended_leaves_no_kernel(toy):
    before = sorted((toy.root / "build/scratch").iterdir())
    command = [sys.executable, "-m", "pipelines.attempt", "toy", '{"wait": 60}']
    running = subprocess.Popen(command, cwd=toy.root, env=toy.environment)
    wait_for(toy.root / "build/scratch/toy-3/half")
    running.terminate()
    assert running.wait(10) == 128 + signal.SIGTERM and processes_end_in(toy.root, seconds=10)
    assert sorted((toy.root / "build/scratch").iterdir()) == before


def test_tries_at_one_time_do_not_mix(toy):
    (toy.root / "build/scratch").mkdir(exist_ok=True)
    before = set((toy.root / "build/scratch").iterdir())
    command = [sys.executable, "-m", "pipelines.attempt", "toy"]
    streams = {"cwd": toy.root, "env": toy.environment, "stdout": subprocess.PIPE, "text": True}
    tries = [subprocess.Popen([*command, json.dumps({"epochs": n, "wait": 1.0})], **streams) for n in (11, 12, 13)]
    said = [json.loads(one.communicate(timeout=120)[0]) for one in tries]
    assert [one["epochs"] for one in said] == [11, 12, 13] and all(one.returncode == 0 for one in tries)
    made = set((toy.root / "build/scratch").iterdir()) - before
    assert sorted(path.suffix for path in made) == ["", "", "", ".ipynb", ".ipynb", ".ipynb"]
    found = {runs.read_json(path / "metrics.json")["epochs"] for path in made if path.is_dir()}
    assert found == {11, 12, 13}
    (toy.root / "notebooks/toy").mkdir()
    done = toy.python("-m", "pipelines.attempt", "toy", "--place", "notebooks/toy")
    assert done.returncode == 1 and "must be an empty folder in build/scratch" in done.stderr
    (toy.root / "notebooks/toy").rmdir()
    done = toy.python("-m", "pipelines.attempt", "toy", "--place", str(min(made)))
    assert done.returncode == 1 and "must be an empty folder in build/scratch" in done.stderr
