"""Every command line that README, CONTRIBUTING and start_here show does what they say, in a copy of the finished workbook."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from pipelines.runner import workspace
from tests import ROOT
from tests.keyboard import Terminal

pytestmark = pytest.mark.programs

PROGRAMS = ("make", "dvc", "papermill", "torchrun", "python", "git", ".")
FENCED = re.compile(r"^```\n(.*?)^```$", re.M | re.S)
INLINE = re.compile(r"`([^`\n]+)`")
# What takes long is run in small, or asked what it would do; {} is the command.
SMALL = {
    r"make repro( SCALE=smoke)?": "make repro SCALE=smoke",
    r"make (test|unit|programs|replay|accept|bench|notebooks|clip|lock|lab|crate|setup TORCH)\b.*": "make -n {}",
    r"make paper\b.*": "make -n {}",
    r"make record\b.*": "make -n record STUDY=lossy_compression",
    r"python -m pipelines\.costs": "python -m pipelines.costs --help",
    r"make sweep": "make sweep NAME=smoke",
    r"\. \.venv/bin/activate": '. "$HOURGLASS_ENV/bin/activate" && command -v dvc',
    r"make shell": "echo exit | make shell",
    r"dvc exp run (-S .*)": r"dvc exp run \1 information_plane@diabetes",
    r"dvc exp apply .*": "dvc exp list",
}
# What is shown as part of a sentence and is no whole command.
WORDS = {"make", "dvc", "git", "python", "dvc repro", "papermill", "torchrun"}


def shown(text):
    """Return the command lines of a Markdown text, in their order."""
    blocks = [line for block in FENCED.findall(text) for line in block.splitlines()]
    prompted = any(line.startswith("$ ") for line in blocks)
    lines = [line.removeprefix("$ ") for line in blocks if line.startswith("$ ") or not prompted or line.startswith("make")]
    found = [re.sub(r"\s{2,}#.*", "", line).strip() for line in [*lines, *INLINE.findall(FENCED.sub("", text))]]
    return [line for line in found if line.split(" ")[0] in PROGRAMS and line not in WORDS]


def commands():
    """Return every command line once, with where it stands."""
    texts = {name: (ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md")}
    book = nbformat.read(ROOT / "notebooks/start_here.ipynb", 4)
    texts["start_here"] = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    return {line: name for name, text in texts.items() for line in shown(text)}


def small(line):
    """Return what is run for a command line."""
    for pattern, instead in SMALL.items():
        if match := re.fullmatch(pattern, line):
            return match.expand(instead).replace("{}", line.removeprefix("make "))
    return line


@pytest.fixture(scope="module")
def copy(twins):
    """A copy of the finished workbook in git, whose commands take this environment."""
    place = ROOT / "build/commands"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(twins[0], place, symlinks=True)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["add", "-A"], [*identity, "commit", "--quiet", "--message", "x"]):
        subprocess.run(["git", *command], cwd=place, check=True, capture_output=True)
    return place


def run(copy, line, **variables):
    environment = workspace.environment() | {"HOURGLASS_ENV": sys.prefix, "VIRTUAL_ENV": sys.prefix} | variables
    environment = {name: value for name, value in environment.items() if not name.startswith(("MAKE", "MFLAGS", "PYTEST"))}
    options = {"cwd": copy, "env": environment, "capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
    return subprocess.run(["bash", "-c", small(line)], timeout=300, **options)


def test_the_documents_show_commands():
    found = commands()
    assert {"make repro", "make test", "make lab", "make doctor"} <= found.keys() and len(found) > 20


@pytest.mark.parametrize("line", commands())
def test_a_command_that_is_shown_works(copy, line):
    done = run(copy, line)
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{small(line)}\n{said[-3000:]}"
    assert "Traceback" not in said


@pytest.mark.parametrize("line", ["make claims", "make doctor", "make repro SCALE=smoke"])
def test_what_python_reads_as_it_starts_changes_nothing(copy, line):
    plain, hostile = run(copy, line), {"PYTHONSAFEPATH": "1", "PYTHONWARNINGS": "error", "PYTHONINSPECT": "1"}
    assert (plain.returncode, run(copy, line, **hostile).returncode) == (0, 0)


def test_the_table_of_experiments_says_something(copy):
    line = next(line for line in commands() if line.startswith("dvc exp show"))
    said = run(copy, line).stdout
    row = next(line for line in said.splitlines() if "workspace" in line)
    assert re.search(r"-?\d+\.\d+", row) and "..." not in said, said


def test_the_shell_has_the_programs(copy):
    environment = workspace.environment() | {"HOURGLASS_ENV": sys.prefix, "SHELL": "/bin/bash"}
    environment = {name: value for name, value in environment.items() if not name.startswith(("MAKE", "MFLAGS"))}
    terminal = Terminal(["make", "shell"], cwd=copy, env=environment)
    terminal.until("exit leaves it")
    terminal.press("command -v dvc papermill torchrun; python -c 'import lib; print(lib.__file__)'; exit\n")
    terminal.end()
    said = "\n".join(terminal.lines())
    assert all(f"{Path(sys.prefix) / 'bin' / name}" in said for name in ("dvc", "papermill", "torchrun")), said
    assert f"{copy.resolve()}/lib/__init__.py" in said


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / name).read_text())
    assert not [link for link in links if "://" not in link and not (ROOT / link).exists()]


def test_the_readme_is_short():
    assert 700 <= len((ROOT / "README.md").read_text().split()) <= 900
