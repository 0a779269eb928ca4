"""Whatever ends `make repro` leaves nothing half made, and the scale is written where DVC and the notebooks read it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines import repro
from tests.keyboard import Terminal
from tests.pipelines.test_run_notebook import processes_end_in, wait_for

pytestmark = pytest.mark.programs


def test_ctrl_c_before_anything_began_is_no_traceback(book):
    terminal = book.at_terminal("pipelines.repro")
    time.sleep(0.4)
    terminal.press("\x03")
    assert terminal.end() == 130 and "Traceback" not in "\n".join(terminal.lines())


@pytest.mark.parametrize("end", ["window", "kill"])
def test_a_closed_window_or_a_kill_leaves_nothing_half_made(book, end):
    book.slow(30.0)
    terminal = book.at_terminal("pipelines.repro")
    terminal.until("waiting: ")
    terminal.close() if end == "window" else os.kill(terminal.child.pid, signal.SIGTERM)
    assert processes_end_in(book.root, seconds=15)
    assert book.half_made() == [] and not (book.root / "runs/a").exists()


def test_nohup_goes_on_when_the_window_closes(book):
    book.slow(4.0)
    environment = {name: value for name, value in book.environment.items() if name != "HOURGLASS_PROGRESS"}
    terminal = Terminal(["nohup", sys.executable, "-m", "pipelines.repro"], cwd=book.root, env=environment)
    wait_for(book.root / "build/partial/train-a/half")
    terminal.close()
    wait_for(book.root / "runs/b/result.json")


def test_a_stage_that_was_killed_is_named(book):
    book.slow(30.0)
    terminal = book.at_terminal("pipelines.repro")
    terminal.until("waiting: ")
    stage = subprocess.run(["pgrep", "-P", str(terminal.child.pid), "-f", "run_notebook"], capture_output=True, text=True)
    os.kill(int(stage.stdout), signal.SIGKILL)
    assert terminal.end() == 1
    assert "make repro: failed to reproduce 'train@a': its process was killed by signal 9" in "\n".join(terminal.lines())


def test_a_scale_is_written_whole_and_what_stands_already_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("# why\nscale: embedded  # of three\nseeds: [0]\n")
    before = Path("params.yaml").stat()
    repro.set_scale("embedded")
    assert Path("params.yaml").stat() == before, "DVC would take it for changed"
    repro.set_scale("smoke")
    assert Path("params.yaml").read_text() == "# why\nscale: smoke  # of three\nseeds: [0]\n"
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
