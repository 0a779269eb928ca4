"""A sweep loses no point and repeats none, whatever dies, and its points see nothing of each other."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import nbformat
import pandas as pd
import psutil
import pytest
import requests
from distributed import Client, Security

from pipelines.runner.notebook_file import KERNELSPEC
from pipelines.sweeping.point import numbers
from tests.keyboard import hear
from tests.pipelines.test_run_notebook import processes_end_in, wait_for
from tests.toy import Toy

pytestmark = pytest.mark.programs

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


@pytest.fixture
def toy(tmp_path):
    return Swept(tmp_path)


def grown(toy: Swept, name: str, count: int, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while len(toy.rows(name)) < count:
        assert time.monotonic() < until, f"{len(toy.rows(name))} rows, not {count}"
        time.sleep(0.05)


def workers(process: subprocess.Popen) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(process.pid), "-f", "spawn_main"], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


def test_a_worker_that_cannot_keep_a_row_says_why(toy):
    command = toy.write("blocked", points=range(3))
    state = toy.root / "build/sweeps/blocked"
    state.mkdir(parents=True)
    (state / "rows").write_text("a file where the rows' folder belongs")
    done = toy.python(*command, "--workers", "2")
    assert done.returncode == 1 and "sweep blocked: 3 points are left" in done.stderr
    assert "3 of them: FileExistsError" in done.stderr and "build/sweeps/blocked/rows" in done.stderr
    assert "scheduler" not in done.stderr and "Traceback" not in done.stderr
    (state / "rows").unlink()
    assert toy.python(*command).returncode == 0 and len(toy.table("blocked")) == 3


def test_a_sweep_that_is_changed_meanwhile_is_no_result(toy):
    running = toy.begin(*toy.write("mine", points=range(2), wait=3.0), "--workers", "2")
    wait_for(toy.root / "starts.log")
    toy.write("mine", points=range(3), wait=3.0)
    assert running.wait(120) == 1 and not (toy.root / "runs/other_sweeps/mine").exists()
    done = toy.python("-m", "pipelines.sweep", "pipelines/sweeps/mine.yaml", "--workers", "2")
    assert done.returncode == 0 and len(toy.table("mine")) == 3 and len(toy.starts()) == 3, "a finished point was run again"


def test_a_file_elsewhere_is_no_sweep(toy):
    toy.write("mine", points=range(2))
    (toy.root / "mine.yaml").write_text((toy.root / "pipelines/sweeps/mine.yaml").read_text())
    done = toy.python("-m", "pipelines.sweep", "mine.yaml")
    assert (
        done.returncode == 1
        and "mine.yaml is not in pipelines/sweeps, whose files name the sweeps; move it there" in done.stderr
    )
    done = toy.python("-m", "pipelines.sweep", "pipelines/sweeps/mine.yaml", "--workers=-1")
    assert done.returncode == 1 and "workers must be a number from 1 on, got '-1'" in done.stderr


def test_a_folder_that_goes_meanwhile_fails_no_point(toy):
    running = toy.begin(*toy.write("mine", points=range(2), wait=3.0), "--workers", "1")
    wait_for(toy.root / "starts.log")
    shutil.rmtree(toy.root / "build")
    assert running.wait(120) == 1
    done = toy.python("-m", "pipelines.sweep", "pipelines/sweeps/mine.yaml", "--workers", "2")
    assert done.returncode == 0 and (toy.table("mine").status == "done").all(), done.stderr


def test_200_points_with_planted_faults_end_as_undisturbed(toy):
    calm = toy.python(*toy.write("calm", points=range(200), bad=3), "--workers", "2")
    assert calm.returncode == 0, calm.stderr[-2000:]
    (toy.root / "starts.log").unlink()
    running = toy.begin(*(command := (*toy.write("rough", points=range(200), bad=3), "--workers", "3")))
    for count in (20, 50, 80):
        grown(toy, "rough", count)
        os.kill(workers(running)[0], signal.SIGKILL)
    grown(toy, "rough", 120)
    running.kill()  # and with it the scheduler
    running.wait()
    assert processes_end_in(toy.root, seconds=10)
    left = 200 - len(toy.rows("rough"))
    assert 0 < left <= 80
    done = toy.python(*command)
    assert done.returncode == 0 and "200 points, 10 failed" in done.stdout, done.stderr[-2000:]
    pd.testing.assert_frame_equal(toy.table("rough"), toy.table("calm"))
    truth = pd.DataFrame({"x": range(200)})
    fine = truth.x % 20 != 3
    assert toy.table("rough").x.equals(truth.x) and toy.table("rough").y[fine].equals((truth.x[fine] ** 2).astype(float))
    assert set(toy.table("rough").error[~fine]) == {f"ArithmeticError: planted at {x}" for x in truth.x[~fine]}
    assert len(list((toy.root / "reports/failed").glob("sweep-rough-*.ipynb"))) == 10
    finished = {path.stem: path.stat().st_mtime for path in toy.rows("rough")}
    assert not [key for key, at in toy.starts() if at > finished[key] + 0.05], "a finished point was run again"
    assert len(toy.starts()) <= 200 + 3 + 3, Counter(key for key, _ in toy.starts()).most_common(9)


def test_points_see_nothing_of_each_other(toy):
    toy.write("mine", points=range(6))
    (toy.root / "pipelines/sweeps/mine.yaml").write_text("notebook: leaks\npoints: {list: [{x: 1}, {x: 2}]}\n")
    for flag in ((), ("--isolated", "--no-resume")):
        done = toy.python("-m", "pipelines.sweep", "pipelines/sweeps/mine.yaml", "--workers", "1", *flag)
        assert done.returncode == 0, done.stderr
        assert (toy.table("mine").status == "done").all(), toy.table("mine").error.tolist()
        assert toy.table("mine").leaks.tolist() == [0.0, 0.0]
        assert all(toy.table("mine")[name].nunique() == 2 for name in ("numpy", "torch", "random"))


def test_a_point_without_its_result_has_failed(tmp_path):
    with pytest.raises(ValueError, match=r"no scores\.parquet was written; name in `result`"):
        numbers(tmp_path / "scores.parquet")
    pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}).to_parquet(tmp_path / "scores.parquet")
    assert numbers(tmp_path / "scores.parquet") == {"a": 1.5}


def test_a_kernel_that_dies_is_tried_once_more(toy):
    command = toy.write("mine", points=range(3))
    path = toy.root / "pipelines/sweeps/mine.yaml"
    path.write_text(path.read_text().replace("bad: 99", "bad: 99, dies: 1"))
    assert toy.python(*command).returncode == 0
    assert toy.table("mine").status.tolist() == ["done", "failed", "done"] and len(toy.starts()) == 4
    assert toy.table("mine").error[1] == "its kernel died"


def test_ctrl_c_leaves_what_can_be_gone_on_with(toy):
    running = toy.begin(*(command := toy.write("mine", points=range(8), wait=0.3)))
    grown(toy, "mine", 2)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(60) == 130
    before = {path.stem for path in toy.rows("mine")}
    assert before and len(before) < 8 and (toy.root / "build/sweeps/mine/table.parquet").exists()
    started = len(toy.starts())
    assert toy.python(*command).returncode == 0 and len(toy.table("mine")) == 8
    assert not before & {key for key, _ in toy.starts()[started:]}
    count = len(toy.starts())
    assert toy.python(*command).returncode == 0 and len(toy.starts()) == count, "a finished sweep ran again"
    assert toy.table("mine").y.tolist() == [x * x for x in range(8)]


def test_two_sweeps_at_once_do_not_mix_and_one_is_not_run_twice(toy):
    first = toy.begin(*toy.write("one", points=range(4), wait=0.5))
    second = toy.begin(*toy.write("two", points=range(4, 8), wait=0.5))
    wait_for(toy.root / "build/sweeps/one/lock")
    time.sleep(1)
    again = toy.python("-m", "pipelines.sweep", "pipelines/sweeps/one.yaml")
    assert again.returncode == 1 and "the sweep one is running already" in again.stderr
    assert (first.wait(120), second.wait(120)) == (0, 0)
    assert toy.table("one").y.tolist() == [0, 1, 4, 9] and toy.table("two").y.tolist() == [16, 25, 36, 49]


def listening(process):
    """(address, port) of every socket at which a process or one that it started listens."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    found = set()
    for each in family:
        with suppress(psutil.NoSuchProcess):  # a kernel that has ended meanwhile
            found |= {one.laddr[:2] for one in each.net_connections(kind="inet") if one.status == psutil.CONN_LISTEN}
    return found


def refused(address, security=None):
    """Whether a scheduler, or a worker, takes nobody without its key."""
    try:
        with Client(address, timeout="3s", security=security, set_as_default=False):
            return False
    except (OSError, RuntimeError, ValueError):
        return True


@pytest.mark.filterwarnings("ignore")  # what a client that is turned away says of itself
def test_a_running_sweep_listens_to_nobody_without_its_key(toy):
    running = toy.begin(*toy.write("mine", points=range(40), wait=2.0), "--workers", "2")
    grown(toy, "mine", 1)
    found = listening(running)
    assert len(found) >= 4 and {address for address, _ in found} == {"127.0.0.1"}
    for _, port in found:
        try:
            assert requests.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 404
            assert requests.get(f"http://127.0.0.1:{port}/status", timeout=5).status_code == 404
            assert requests.get(f"http://127.0.0.1:{port}/proxy/{port}/127.0.0.1/", timeout=5).status_code == 404
        except requests.ConnectionError:  # it speaks TLS
            assert refused(f"tcp://127.0.0.1:{port}") and refused(f"tls://127.0.0.1:{port}", Security.temporary())
    running.terminate()
    assert running.wait(60) == 128 + signal.SIGTERM


def test_a_scheduler_at_an_address_may_end(toy):
    here = {"cwd": toy.root, "env": toy.environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    module = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    scheduler = subprocess.Popen([*module, "--port", "0", "--no-dashboard", "--scheduler-file", "where.json"], **here)
    wait_for(toy.root / "where.json")
    address = json.loads((toy.root / "where.json").read_text())["address"]
    module = [sys.executable, "-m", "distributed.cli.dask_worker"]
    options = ["--nthreads", "1", "--no-dashboard", "--death-timeout", "10"]
    worker = subprocess.Popen([*module, address, *options], start_new_session=True, **here)
    try:
        command = (*toy.write("mine", points=range(6), wait=0.5), "--cluster", address)
        running = subprocess.Popen([sys.executable, *command], **(here | {"stderr": subprocess.PIPE}), text=True)
        grown(toy, "mine", 1)
        scheduler.kill()
        said = running.communicate(timeout=90)[1]
        assert running.returncode == 1 and "points are left" in said and "of them: their scheduler is gone" in said, said[
            -2000:
        ]
    finally:
        scheduler.kill(), os.killpg(worker.pid, signal.SIGKILL)
        scheduler.wait(), worker.wait()
    assert toy.python(*command[:3]).returncode == 0 and toy.table("mine").y.tolist() == [x * x for x in range(6)]
