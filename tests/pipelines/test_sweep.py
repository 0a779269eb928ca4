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

import pandas as pd
import psutil
import pytest
import requests
from distributed import Client, Security

from tests.pipelines.swept import Swept, grown
from tests.pipelines.test_run_notebook import processes_end_in, wait_for

pytestmark = pytest.mark.programs


@pytest.fixture
def toy(tmp_path):
    return Swept(tmp_path)


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
