"""What a notebook runs is read from its imports: nothing that Python loads is missing, what does nothing counts for nothing."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from pipelines.runner.imports import LIB, RUNNER, Modules, code
from pipelines.runner.notebook_file import read_notebook
from tests import ROOT

PLAIN = "x = 1\n\n\ndef f():\n    return 'a  # b'\n"
TOLD = """'''A module.'''

# Why.
x = 1  # one


def f():
    '''Return a text.

    It is long.
    '''
    return 'a  # b'
"""


def test_comments_and_docstrings_do_nothing():
    assert code(TOLD) == code(PLAIN) == "x = 1\ndef f():\n    return 'a  # b'"


@pytest.mark.parametrize(
    "other",
    [
        PLAIN.replace("1", "2"),
        PLAIN.replace("# b", "# c"),
        PLAIN.replace("def f", "if x:\n  def f").replace("    return", "      return"),
        'x = 1\n\n\ndef f():\n    f"""{x}"""\n    return \'a  # b\'\n',
        "x = '''1\n\n'''\n",
    ],
)
def test_whatever_else_is_changed_counts(other):
    assert code(other) != code(PLAIN)


def test_blank_lines_within_a_text_count():
    assert code("x = '''1\n\n# 2\n'''") != code("x = '''1\n# 2\n'''") != code("x = '''1\n'''")


def test_what_begins_on_a_docstrings_line_stays():
    assert code('class A: "about"\ny = 1') == 'class A: "about"\ny = 1'
    for text in ('"""About."""; y = 1', '"""Über."""; y = "a"'):
        assert code(text) == text


@pytest.fixture
def modules(tmp_path):
    """A small lib whose modules import each other in every way."""
    texts = {
        "__init__.py": "",
        "a/__init__.py": "",
        "a/top.py": "from lib.a import middle\n",
        "a/middle.py": "def late():\n    from . import low\n    from ..b import pack\n",
        "a/low.py": "import numpy\n",
        "b/__init__.py": "from lib.b.pack import thing\n",
        "b/pack.py": "thing = 1\n",
        "b/alone.py": "import lib.a.low as other\n",
    }
    for name, text in texts.items():
        (tmp_path / "lib" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "lib" / name).write_text(text)
    return Modules(tmp_path)


ABOVE = ["lib/__init__.py"]


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ("import torch", []),
        ("from lib.a import low", ["lib/a/__init__.py", "lib/a/low.py"]),
        ("import lib.a.low", ["lib/a/__init__.py", "lib/a/low.py"]),
        ("from lib.b import thing", ["lib/b/__init__.py", "lib/b/pack.py"]),
        (
            "if True:\n    from lib.a.top import x",
            [f"lib/a/{name}.py" for name in ("__init__", "low", "middle", "top")] + ["lib/b/__init__.py", "lib/b/pack.py"],
        ),
        ("from lib.a import (", []),
    ],
)
def test_what_is_reached(modules, source, files):
    assert list(modules.reached([source])) == (ABOVE + files if files else [])


def test_magic_commands_hide_no_import(modules):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("%time\nfrom lib.a import low\n!ls")])
    assert "lib/a/low.py" in modules.of_notebook(book)


def test_a_module_that_is_no_python_is_named(modules):
    (modules.root / "lib/a/low.py").write_text("def\n")
    with pytest.raises(ValueError, match=r"lib/a/low\.py is no Python that can be imported: invalid syntax"):
        Modules(modules.root).reached(["import lib.a.low"])


LOADED = """
import json, runpy, sys
sys.argv = [""]
for name in json.loads(sys.stdin.read()):
    try:
        exec(name)
    except ImportError:
        raise
print(json.dumps(sorted(m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "lib")))
"""


@pytest.mark.parametrize(
    "name", ["koopman/koopman_spectra/spectra_run", "concepts/concept_scenes/methods_run", "steps/train", "explore/runs"]
)
def test_nothing_is_missing_that_python_loads(name):
    book = read_notebook(ROOT / f"notebooks/{name}.ipynb")
    cells = [c.source for c in book.cells if c.cell_type == "code"]
    lines = [line for cell in cells for line in cell.splitlines() if line.startswith(("import ", "from "))]
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, input=json.dumps(lines), capture_output=True, text=True, check=True
    )
    loaded = {Path(file).relative_to(ROOT).as_posix() for file in json.loads(done.stdout.splitlines()[-1])}
    found = Modules(ROOT).of_notebook(book)
    assert len(loaded) > 20 and loaded <= set(found)
    assert set(RUNNER) <= set(found) and all(file.startswith(f"{LIB}/") for file in set(found) - set(RUNNER))
