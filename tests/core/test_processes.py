"""Work spread over processes comes back in order, fails aloud, and ends with its parent."""

import math
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial

import psutil
import pytest

from lib.core.processes import each
from tests import ROOT


@pytest.mark.parametrize("workers", [1, 2, None])
def test_results_come_in_the_order_of_the_items(workers):
    assert list(each(math.factorial, range(7), workers=workers)) == [math.factorial(n) for n in range(7)]
    assert list(each(math.factorial, [], workers=workers)) == []


def who(place, count):
    """The number of this process, once as many have come to the place; on a busy machine the first could do all alone."""
    (place / str(os.getpid())).touch()
    until = time.monotonic() + 60
    while len(list(place.iterdir())) < count and time.monotonic() < until:
        time.sleep(0.05)
    return os.getpid()


def test_two_workers_are_two_other_processes(tmp_path):
    assert len(set(each(partial(who, tmp_path), [2] * 6, workers=2)) - {os.getpid()}) == 2
    assert set(each(partial(who, tmp_path), [1, 1], workers=1)) == {os.getpid()}


def test_the_environment_may_say_how_many_workers_there_are(monkeypatch, tmp_path):
    monkeypatch.setenv("HOURGLASS_WORKERS", "1")
    assert set(each(partial(who, tmp_path), [1, 1])) == {os.getpid()}
    assert len(set(each(partial(who, tmp_path), [3] * 6, workers=2)) - {os.getpid()}) == 2


@pytest.mark.parametrize("text", ["abc", "-2", "0", "1.5", "²"])
def test_a_number_of_workers_that_is_none_is_named(monkeypatch, text):
    monkeypatch.setenv("HOURGLASS_WORKERS", text)
    with pytest.raises(ValueError, match=f"workers must be a number from 1 on, got '{re.escape(text)}'"):
        list(each(math.factorial, [1, 2]))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_function_is_an_error_here(workers):
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        list(each(math.factorial, [3, "three"], workers=workers))


WORKING = """
import time
from lib.core.processes import each
if __name__ == "__main__":
    list(each(time.sleep, [0.0, 0.0, 300.0, 300.0], workers=2))
"""


def alive(process):
    """Whether a process runs; one that ended and that nobody has waited for does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_killed_parents_leave_no_worker(tmp_path):
    (tmp_path / "working.py").write_text(WORKING)
    parent = subprocess.Popen([sys.executable, "working.py"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})

    def children():
        return [child for child in psutil.Process(parent.pid).children() if "spawn_main" in " ".join(child.cmdline())]

    waited = time.monotonic()
    while len(workers := children()) < 2:
        assert time.monotonic() - waited < 60, "no workers"
        time.sleep(0.1)
    time.sleep(1)  # both sleep their 300 s
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    waited = time.monotonic()
    while any(map(alive, workers)):
        assert time.monotonic() - waited < 10, "a worker outlives its parent"
        time.sleep(0.1)


def test_a_worker_whose_parent_has_ended_before_it_could_ask_ends_too():
    """As where a loaded machine takes long to start workers."""
    command = [sys.executable, "-c", "import time; from lib.core.processes import start; start(1 << 30, None); time.sleep(60)"]
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
