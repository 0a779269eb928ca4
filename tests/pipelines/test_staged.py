"""What a commit should not hold is refused by name, and a notebook is put in order."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from pipelines import staged
from pipelines.notebooks import committed
from tests import ROOT


@pytest.fixture
def book(tmp_path):
    """A committed notebook, elsewhere."""
    return Path(shutil.copy(ROOT / "notebooks/start_here.ipynb", tmp_path))


def run_in_lab(path):
    """Leave what JupyterLab leaves: times, its kernel, counts of a longer session, a warning."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
    cell.execution_count = 17
    cell.outputs.append(nbformat.v4.new_output("stream", name="stderr", text="a warning\n"))
    path.write_text(nbformat.writes(notebook))


def test_committed_notebooks_are_as_they_are_stored(monkeypatch):
    monkeypatch.chdir(ROOT)
    notebooks = committed()
    assert len(notebooks) > 20 and [path for path in notebooks if staged.refusal(path)] == []


def test_a_notebook_that_was_run_is_named_and_put_in_order(book, capsys):
    stored = book.read_bytes()
    assert staged.main([str(book)]) == 0 and capsys.readouterr().out == ""
    run_in_lab(book)
    assert staged.main([str(book)]) == 1
    assert capsys.readouterr().out == f"{book} held what only running adds; it is rewritten, git add it again\n"
    assert book.read_bytes() == stored
    assert staged.main([str(book)]) == 0


@pytest.mark.parametrize(("text", "why"), [('{"cells":\n<<<<<<< HEAD', ":2 holds a merge conflict"), ("{}", " is no notebook")])
def test_what_is_no_notebook_is_said_and_left(book, capsys, text, why):
    book.write_text(text)
    assert staged.main([str(book)]) == 1
    said = capsys.readouterr().out
    assert said.startswith(f"{book}{why}") and said.count("\n") == 1
    assert book.read_text() == text


def test_a_large_file_is_refused(tmp_path, capsys):
    small, large = tmp_path / "small.bin", tmp_path / "large.bin"
    small.write_bytes(bytes(2_000_000))
    large.write_bytes(bytes(2_600_000))
    assert staged.main([str(small), str(large)]) == 1
    assert capsys.readouterr().out == f"{large} has 2.6 MB, git keeps at most 2 a file here; results and data are DVC's\n"


def test_a_notebook_that_is_not_run_may_be_committed(book):
    notebook = nbformat.read(book, as_version=4)
    for cell in notebook.cells:
        cell.update({"execution_count": None, "outputs": []} if cell.cell_type == "code" else {})
    book.write_text(nbformat.writes(notebook) + "\n")
    assert staged.refusal(book) == "" and json.loads(book.read_text())["cells"]
