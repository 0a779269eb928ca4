"""A run takes over what is listed, and nothing that a home or a login shell holds for people's own sessions."""

import sys

import nbformat
import pytest

from lib.workbook import runs
from pipelines.runner import stage_environment
from tests.pipelines.book import ATTEMPT

pytestmark = pytest.mark.programs


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


def test_names_are_listed_whole_and_families_by_their_beginning():
    taken = {"PATH": "a", "OMP_NUM_THREADS": "1", "HOURGLASS_WARM": "b", "LC_ALL": "C"}
    left = {"PYTHONPATH": "a", "IPYTHONDIR": "b", "OMPI_X": "1", "LC_TIME": "C", "PATHS": "c", "HOMEBREW_PREFIX": "d"}
    assert stage_environment.listed(taken | left) == taken
