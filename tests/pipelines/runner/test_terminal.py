"""At a terminal every command shows its bars, breaks no line, and ends with one message whatever ends it."""

import copy
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

from lib.workbook import runs
from tests.keyboard import Terminal
from tests.pipelines.test_run_notebook import processes_end_in, wait_for
from tests.toy import STAGES, Toy

pytestmark = pytest.mark.programs

RUN = re.compile(r"make repro: \d of 3 stages \|.*\| \d\d:\d\d gone, about \d\d:\d\d to go( +\S+)?(\^C)?$")
BAR = re.compile(r"(waiting|train-[ab]): +\d+%\|.*\| \d+/\d+ \[\d\d:\d\d<(\?|[\d:]+)\]$")
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


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return Book(tmp_path_factory.mktemp("template"))


@pytest.fixture
def book(template, tmp_path):
    copied = copy.copy(template)
    copied.root, copied.environment = tmp_path / "my wörk", dict(template.environment)
    shutil.copytree(template.root, copied.root, symlinks=True)
    return copied


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


# A kernel that dies.


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


def test_a_stage_that_was_killed_is_named(book):
    book.slow(30.0)
    terminal = book.at_terminal("pipelines.repro")
    terminal.until("waiting: ")
    stage = subprocess.run(["pgrep", "-P", str(terminal.child.pid), "-f", "run_notebook"], capture_output=True, text=True)
    os.kill(int(stage.stdout), signal.SIGKILL)
    assert terminal.end() == 1
    assert "make repro: failed to reproduce 'train@a': its process was killed by signal 9" in "\n".join(terminal.lines())


# What a process inherits.


@pytest.fixture
def hostile(book, tmp_path_factory):
    """A home and a login shell whose habits would change results."""
    home = tmp_path_factory.mktemp("home")
    startup = home / ".ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("sum = lambda values: 42\n")
    (home / ".ipython/profile_default/ipython_kernel_config.py").write_text(
        "c.InteractiveShellApp.exec_lines = ['max = sum']\n"
    )
    (home / "startup.py").write_text("min = lambda *values: 42\n")
    (home / "lib.py").write_text("raise ImportError('of another folder')\n")
    site = home / ".local/lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    site.mkdir(parents=True)
    (site / "sitecustomize.py").write_text("import builtins; builtins.abs = lambda value: 42\n")
    odd = {"HOME": home, "PYTHONSTARTUP": home / "startup.py", "PYTHONPATH": f"{home}:{site}", "SHELL": "/nowhere/zsh"}
    odd |= {"PYTHONOPTIMIZE": "2", "IPYTHONDIR": home / ".ipython", "MPLCONFIGDIR": home, "LANG": "C", "MPLBACKEND": "svg"}
    book.environment |= {name: str(value) for name, value in odd.items()}
    cell = "runs.write_json(folder / 'result.json', [sum([1, 2]), max(1, 2), min(1, 2), abs(-3), __debug__])"
    for path in (book.root / "notebooks/toy.ipynb", book.root / "build/notebooks/toy.ipynb"):
        read = nbformat.read(path, 4)
        read.cells.append(nbformat.v4.new_code_cell(cell))
        nbformat.write(read, path)
    return book


def test_a_kernel_takes_nothing_from_a_home_or_a_login_shell(hostile):
    plain = [3, 2, 1, 3, True]
    # Python itself reads PYTHONPATH before any of our code runs; make drops it.
    hostile.environment.pop("PYTHONPATH")
    assert hostile.python("-m", "pipelines.repro").returncode == 0
    assert runs.read_json(hostile.root / "runs/a/result.json") == plain
    assert hostile.stage().returncode == 0
    assert runs.read_json(hostile.root / "runs/a/result.json") == plain
    assert hostile.python("-m", *ATTEMPT).returncode == 0
    assert runs.read_json(hostile.root / "build/scratch/toy-1/result.json") == plain
    hostile.slow(0.0)
    sweep = hostile.root / "pipelines/sweeps/mine.yaml"
    sweep.write_text(sweep.read_text() + "result: result.json\n")
    text = (hostile.root / "notebooks/toy.ipynb").read_text().replace("[sum([1, 2])", "dict(zip('abcde', [sum([1, 2])")
    (hostile.root / "notebooks/toy.ipynb").write_text(text.replace("__debug__])", "__debug__])))"))
    done = hostile.python("-m", "pipelines.sweep", "pipelines/sweeps/mine.yaml", "--point", "0")
    assert done.returncode == 0, done.stderr
    assert [line.split(" = ")[1] for line in done.stdout.splitlines()[1:6]] == ["3.0", "2.0", "1.0", "3.0", "1.0"]


def test_one_point_again_that_fails_says_so_and_keeps_its_notebook(book):
    book.slow(0.0, mode="nan")
    done = book.python("-m", "pipelines.sweep", "pipelines/sweeps/mine.yaml", "--point", "0")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "FloatingPointError: loss became NaN" in done.stderr and "build/scratch/mine-0-1/notebook.ipynb" in done.stderr


# What else a person runs: it works on a terminal too, and shows that it does.


@pytest.fixture
def studied(book):
    """The book in git, with a study that a record can run, and what smoke scale needs."""
    (book.root / "data.dvc").unlink()  # its store is no part of a clone
    paper = book.root / "notebooks/lab/mine"
    paper.mkdir(parents=True)
    text = "studies:\n  mine: {part: lab, paper: mine, parameters: {epochs: 2, wait: 4.0}}\n"
    (paper / "params.yaml").write_text(text)
    (paper / "record.yaml").write_text(f"scale: paper\nseeds: [0]\n{text}")
    command = "exec python -m pipelines.run_notebook toy reports/notebooks/study-${key}.ipynb studies.${key}.parameters"
    study = f"  study:\n    foreach: ${{studies}}\n    do:\n      cmd: {command} out=reports/studies/mine/${{key}}\n"
    study += '      deps: [build/notebooks/toy.ipynb]\n      outs: ["reports/studies/mine/${key}"]\n'
    study += '      params: [{"notebooks/lab/mine/params.yaml": ["studies.${key}"]}]\n'
    (book.root / "dvc.yaml").write_text(f"vars: [notebooks/lab/mine/params.yaml]\n{STAGES}{study}")
    read = nbformat.read(book.root / "notebooks/toy.ipynb", 4)
    read.cells[1].source += '\nruns.write_json(folder / "claims.json", [row])'
    nbformat.write(read, book.root / "notebooks/toy.ipynb")
    (book.root / "requirements.lock").write_text("")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "add", "-A"], cwd=book.root, check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "x"], cwd=book.root, check=True)
    return book


def test_records_and_replays_draw_the_bars_of_the_run_in_their_clone(studied):
    terminal = studied.at_terminal("pipelines.record", "mine")
    terminal.until("study-mine: ")
    assert terminal.end() == 0 and terminal.lines()[-1] == "recorded in reports/recorded/mine.json; commit it"
    assert [row["id"] for row in runs.read_json(studied.root / "reports/recorded/mine.json")["claims"]] == ["drawn"]


def test_notebooks_are_rerun_below_a_bar_and_claims_printed(studied):
    studied.slow(3.0)
    terminal = studied.at_terminal("pipelines.notebooks")
    terminal.until("make repro: ")
    assert terminal.end() == 0, terminal.lines()
    assert "notebooks/toy.ipynb: rewritten" in terminal.lines()
    shutil.copytree(studied.root / "build/smoke/reports", studied.root / "reports", dirs_exist_ok=True)
    terminal = studied.at_terminal("pipelines.ledger")
    assert terminal.end() == 0 and any("drawn" in line for line in terminal.lines())


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
