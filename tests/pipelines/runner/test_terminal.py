"""At a terminal every command shows its bars, breaks no line, and ends with one message whatever ends it."""

import json
import re

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

from lib.workbook import runs
from tests.pipelines.book import ATTEMPT
from tests.pipelines.test_run_notebook import processes_end_in

pytestmark = pytest.mark.programs

RUN = re.compile(r"make repro: \d of 3 stages \|.*\| \d\d:\d\d gone, about \d\d:\d\d to go( +\S+)?(\^C)?$")
BAR = re.compile(r"(waiting|train-[ab]): +\d+%\|.*\| \d+/\d+ \[\d\d:\d\d<(\?|[\d:]+)\]$")


def whole(lines, *others):
    """Return the lines that are neither a bar nor known."""
    known = ("Running stage 'strip':", "> exec python -m pipelines.runner.strip", "Generating lock file 'dvc.lock'")
    known += tuple(f"Running stage 'train@{key}':" for key in "ab")
    command = "> exec python -m pipelines.run_notebook toy reports/notebooks/train-{0}.ipynb runs.{0}.train raw=raw.txt"
    known += tuple(f"{command.format(key)} out=runs/{key}" for key in "ab")
    known += ("Updating lock file 'dvc.lock'", *others)
    return [line for line in lines if line not in known and not RUN.match(line) and not BAR.match(line)]


def test_a_run_shows_its_bars_and_breaks_no_line(book):
    book.slow(8.0)
    terminal = book.at_terminal("pipelines.repro")
    during = terminal.until("waiting: ")
    for _ in range(10):
        terminal.read()
        during = terminal.lines()
        assert whole(during) == [], "\n".join(during)
    assert sum(bool(RUN.match(line)) for line in during) == 1 and during[-3].endswith("train@a")
    assert [BAR.match(line)[1] for line in during[-2:]] == ["train-a", "waiting"]
    assert terminal.end() == 0
    after = terminal.lines()
    assert not [line for line in after if RUN.match(line) or BAR.match(line)], "a bar was left"
    assert f"report: {(book.root / 'reports/index.html').resolve()}" in after
    seconds = book.root / "build/logs/stages.csv"
    assert [line.split(",")[3] for line in seconds.read_text().splitlines()] == ["embedded", "embedded"]


@pytest.mark.parametrize("command", [("dvc", "repro"), ATTEMPT], ids=["dvc repro", "a try"])
def test_without_the_run_around_it_a_notebook_draws_for_itself(book, command):
    book.slow(4.0)
    command = (*command, json.dumps({"wait": 4.0})) if command == ATTEMPT else command
    terminal = book.at_terminal(*command)
    terminal.until("waiting: ")
    assert terminal.end() == 0
    assert not [line for line in terminal.lines() if BAR.match(line)]


def test_a_sweep_shows_its_points_as_they_come(book):
    book.slow(1.0)
    terminal = book.at_terminal("pipelines.sweep", "pipelines/sweeps/mine.yaml", "--workers", "1")
    terminal.until("sweep mine: ")
    status, lines = terminal.end(), terminal.lines()
    assert status == 0, lines
    assert len([line for line in lines if re.match(r"[0-9a-f]{8}  done ", line)]) == 3 and "3 points, 0 failed" in lines[-1]


def test_no_bar_never_stops_a_stage(book):
    book.slow(0.1)
    for where in ("/nowhere/bars", "x" * 300, str(book.root)):
        book.environment["HOURGLASS_PROGRESS"] = where
        done = book.stage()
        assert (done.returncode, done.stderr) == (0, "")
    del book.environment["HOURGLASS_PROGRESS"]
    book.environment["TMPDIR"] = "/dev/null"  # where nobody can make a folder
    terminal = book.at_terminal("dvc", "repro", "train@b")
    assert terminal.end() == 0, terminal.lines()


# The keyboard's Ctrl-C, in the middle of each runner, and the same command afterwards.


@pytest.mark.parametrize(
    "command",
    [("pipelines.repro",), ("dvc", "repro"), ATTEMPT, ("pipelines.sweep", "pipelines/sweeps/mine.yaml", "--workers", "1")],
    ids=["repro", "dvc repro", "a try", "a sweep"],
)
def test_ctrl_c_says_one_thing_and_the_same_command_goes_on(book, command):
    book.slow(30.0)
    slow = (*command, json.dumps({"wait": 30.0})) if command == ATTEMPT else command
    terminal = book.at_terminal(*slow)
    terminal.until("waiting: " if "pipelines.sweep" not in command else "sweep mine: ")
    terminal.press("\x03")
    status = terminal.end()
    said = "\n".join(terminal.lines())
    assert said.count("stopped; the same command goes on") == 1 and "Traceback" not in said, said
    assert status == 130 or command[0] == "dvc"
    assert book.half_made() == [] and processes_end_in(book.root, seconds=10)
    book.slow(0.0)
    assert book.python("-m", *command).returncode == 0


# What dies or fails.


def test_a_dead_kernel_is_told_with_the_memory_and_its_notebook_kept(book):
    book.slow(0.0, mode="die")
    done = book.stage()
    first = r"stage train-a failed: its kernel died\n  \d+\.\d of \d+\.\d GB were in use.*\n"
    found = re.fullmatch(first + r"  the notebook with its traceback: (\S+)\n", done.stderr)
    assert done.returncode == 1 and found, done.stderr
    assert nbformat.read(book.root / found[1], 4).cells and book.half_made() == []
    done = book.python("-m", *ATTEMPT, '{"mode": "die"}')
    assert done.returncode == 1 and done.stderr.startswith("its kernel died; ") and "Traceback" not in done.stderr
    assert nbformat.read(book.root / "build/scratch/toy-1.ipynb", 4).cells


def test_one_point_again_that_fails_says_so_and_keeps_its_notebook(book):
    book.slow(0.0, mode="nan")
    done = book.python("-m", "pipelines.sweep", "pipelines/sweeps/mine.yaml", "--point", "0")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "FloatingPointError: loss became NaN" in done.stderr and "build/scratch/mine-0-1/notebook.ipynb" in done.stderr


# What else a person runs: it works on a terminal too, and shows that it does.


def test_records_and_replays_draw_the_bars_of_the_run_in_their_clone(studied):
    terminal = studied.at_terminal("pipelines.record", "mine")
    terminal.until("study-mine: ")
    assert terminal.end() == 0 and terminal.lines()[-1] == "recorded in reports/recorded/mine.json; commit it"
    assert [row["id"] for row in runs.read_json(studied.root / "reports/recorded/mine.json")["claims"]] == ["drawn"]


def test_a_stopped_replay_says_so_once(studied):
    path = studied.root / "reports/reference.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"embedded": {"machine": {}, "stages": {}, "claims": {}}}')
    terminal = studied.at_terminal("pipelines.replay")
    terminal.until("make repro: ")
    terminal.press("\x03")
    assert terminal.end() == 130
    said = "\n".join(terminal.lines())
    assert said.count("stopped; the same command goes on") == 1 and "Traceback" not in said, said


SHOWN = """
import time
from lib.core import progress
progress.DELAY = 0.0
for _ in progress.bar(range(3), "training"):
    time.sleep(0.2)
"""


@pytest.mark.parametrize(("place", "shown"), [(None, True), ("", False)], ids=["by hand", "as a stage"])
def test_a_notebook_opened_by_hand_shows_a_widget_and_a_stage_nothing(book, place, shown):
    environment = {name: value for name, value in book.environment.items() if name != "HOURGLASS_PROGRESS"}
    environment |= {} if place is None else {"HOURGLASS_PROGRESS": place}
    manager, client = start_new_kernel(cwd=str(book.root), env=environment)
    came = []
    try:
        client.execute_interactive(SHOWN, output_hook=came.append, timeout=60)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    views = [m for m in came if "application/vnd.jupyter.widget-view+json" in m["content"].get("data", {})]
    assert bool(views) == shown, came
