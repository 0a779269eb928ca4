"""Committed notebooks are run again at smoke scale, and rewritten where their bytes would change."""

import shutil
from pathlib import Path

import nbformat
import pytest

from pipelines import notebooks
from pipelines.runner import workspace

pytestmark = pytest.mark.programs


def test_notebooks_are_rerun_below_a_bar_and_claims_printed(studied):
    studied.slow(3.0)
    terminal = studied.at_terminal("pipelines.notebooks")
    terminal.until("make repro: ")
    assert terminal.end() == 0, terminal.lines()
    assert "notebooks/toy.ipynb: rewritten" in terminal.lines()
    shutil.copytree(studied.root / "build/smoke/reports", studied.root / "reports", dirs_exist_ok=True)
    terminal = studied.at_terminal("pipelines.ledger")
    assert terminal.end() == 0 and any("drawn" in line for line in terminal.lines())


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A committed notebook that printed 1, in a folder whose smoke copy prints what `said` holds."""
    monkeypatch.chdir(tmp_path)
    said, path = ["1\n"], Path("notebooks/mine.ipynb")

    def execute(copy, module, name, **_):
        book = nbformat.read(copy / name, 4)
        assert book.cells[0].outputs == [], "what was stored is run again"
        book.cells[0] |= {"outputs": [nbformat.v4.new_output("stream", text=said[0])], "execution_count": 7}
        nbformat.write(book, copy / name)

    monkeypatch.setattr(workspace, "run", execute)
    output = nbformat.v4.new_output("stream", text="1\n")
    cell = nbformat.v4.new_code_cell("print(1)", outputs=[output], execution_count=1)
    notebooks.write(notebooks.clean(nbformat.v4.new_notebook(cells=[cell])), path)
    return path, said


def test_a_check_writes_nothing_and_a_rerun_what_differs(stored, tmp_path):
    (path, said), copy = stored, tmp_path / "copy"
    before = path.read_bytes()
    assert not notebooks.rerun(path, copy, check=False) and path.read_bytes() == before
    said[0] = "2\n"
    assert notebooks.rerun(path, copy, check=True) and path.read_bytes() == before
    assert notebooks.rerun(path, copy, check=False) and nbformat.read(path, 4).cells[0].outputs[0].text == "2\n"


def test_what_jupyterlab_keeps_beside_a_notebook_is_none(stored):
    path, _ = stored
    (path.parent / ".ipynb_checkpoints").mkdir()
    (path.parent / ".ipynb_checkpoints/mine-checkpoint.ipynb").write_bytes(path.read_bytes())
    assert notebooks.committed() == [path]
