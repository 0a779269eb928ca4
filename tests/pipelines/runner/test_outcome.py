"""Whatever ends a run, one table says how it is called, what is said, and what becomes of its notebook."""

import os
import signal
import subprocess
import sys

import pytest
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from pipelines.runner import outcome

CELL = PapermillExecutionError(1, 1, "1 / 0", "ZeroDivisionError", "division by zero", [])
TABLE = [
    (KeyboardInterrupt(), ("stopped", "stopped; the same command goes on", 130)),
    (outcome.Stopped(signal.SIGHUP), ("stopped", "stopped; the same command goes on", 129)),
    (outcome.Stopped(signal.SIGTERM, said=True), ("stopped", "", 143)),
    (DeadKernelError("Kernel died"), ("died", "its kernel died", 1)),
    (CELL, ("failed", "ZeroDivisionError: division by zero", 1)),
    (ValueError("epochs must be > 0"), ("failed", "epochs must be > 0", 1)),
    (OSError(28, "No space left on device"), ("failed", "OSError: [Errno 28] No space left on device", 1)),
]


@pytest.mark.parametrize(("error", "ended"), TABLE)
def test_every_end_has_its_row(error, ended):
    def work():
        raise error

    assert outcome.observe(work)[:3] == ended


def test_a_fault_of_the_program_itself_is_no_outcome():
    with pytest.raises(AttributeError):
        outcome.observe(lambda: None.x)
    assert outcome.observe(lambda: None) == outcome.Outcome("done")


@pytest.mark.parametrize(
    ("ended", "there", "kept"),
    [("done", False, False), ("stopped", False, True), ("failed", False, True), ("died", False, True)],
)
def test_a_failed_notebook_is_kept_until_a_run_is_done(tmp_path, ended, there, kept):
    notebook, place = tmp_path / "partial/a.ipynb", tmp_path / "failed/a.ipynb"
    for path, text in ((notebook, "now"), (place, "before")):
        path.parent.mkdir()
        path.write_text(text)
    said = outcome.put_away(notebook, place, outcome.Outcome(ended))
    assert (notebook.exists(), place.exists()) == (there, kept)
    if ended in ("failed", "died"):
        assert place.read_text() == "now" and said == f"the notebook with its traceback: {place}"
    elif ended == "stopped":
        assert place.read_text() == "before" and said == ""


@pytest.mark.parametrize(
    ("used", "said"), [(15.5, "15.5 of 16.0 GB were in use: fewer rows or more memory"), (3.0, "so it was not the memory")]
)
def test_a_dead_kernel_is_put_down_to_the_memory_only_where_that_was_full(used, said):
    memory = outcome.Memory()
    memory.whole, memory.used = 16 << 30, [1 << 30, int(used * 2**30), 2 << 30]
    assert said in memory.told()


def test_memory_in_use_is_that_of_this_machine():
    assert 0 < outcome._used() <= outcome._whole() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("status", "stopped"), [(0, False), (1, False), (130, True), (-2, True), (129, True), (-15, True), (-9, False)]
)
def test_exit_statuses_of_who_was_stopped(status, stopped):
    assert outcome.was_stopped(status) == stopped


@pytest.fixture
def heard():
    """Ctrl-C is heard, also where whoever started the tests ignores it, as a shell does in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_child_that_was_stopped_stops_who_waits_and_says_nothing_twice(heard):
    command = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGINT)"]
    with pytest.raises(outcome.Stopped) as found:
        outcome.follow(command, stderr=subprocess.DEVNULL)
    assert (found.value.number, found.value.said) == (signal.SIGINT, True)
    done = outcome.follow([sys.executable, "-c", "print(1)"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1\n")


TOO_LATE = """
import os, signal, subprocess, sys, time
import psutil
from pipelines.runner import outcome
def work():
    outcome.pass_signals_on()
    child = subprocess.Popen(["true"])
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(20)
    return 0
raise SystemExit(outcome.main_of(work, "it"))
"""


def test_a_request_to_end_stops_who_waits_for_a_child_that_has_ended():
    done = subprocess.run([sys.executable, "-c", TOO_LATE], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, f"{outcome.GO_ON}\n")


FORGETS = """
import asyncio, os, signal
from pipelines.runner import outcome
outcome.stop_on_signals()
async def die():
    raise ValueError("its kernel died")
async def wait():
    task = asyncio.ensure_future(die())
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(20)
raise SystemExit(outcome.main_of(lambda: asyncio.run(wait()), "it"))
"""


def test_what_nobody_awaits_any_more_adds_nothing_to_the_one_message():
    done = subprocess.run([sys.executable, "-c", FORGETS], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, f"{outcome.GO_ON}\n")


def test_a_child_of_a_patient_parent_still_hears_ctrl_c(heard):
    """The parent ignores it while it waits; what is ignored is inherited, if one ignores too early."""
    ask = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert outcome.follow([sys.executable, "-c", ask], capture_output=True, text=True).stdout == "True\n"
