"""The smoke copy has the sources of the working copy, keeps its own results, and stays at its scale."""

import os
from pathlib import Path

import pytest

from pipelines.runner import workspace

FILES = {
    "params.yaml": "scale: embedded\nseeds: [0]\n",
    "dvc.lock": "of here",
    "lib/a.py": "a = 1\n",
    "notebooks/n.ipynb": "{}",
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A working copy in small, with a smoke copy that has run before."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        place(tmp_path / name, text)
    copy = tmp_path / workspace.SMOKE
    for name in ("dvc.lock", "runs/x/result.json", "lib/gone.py", "lib/__pycache__/a.pyc", ".git/config"):
        place(copy / name, "of the copy")
    monkeypatch.setattr(workspace, "tracked", lambda: [Path(name) for name in FILES])
    return tmp_path


def place(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_sources_follow_and_results_stay(root):
    copy = workspace.refresh()
    assert (copy / "lib/a.py").read_text() == "a = 1\n" and (copy / "notebooks/n.ipynb").exists()
    assert not (copy / "lib/gone.py").exists() and (copy / "lib/__pycache__/a.pyc").exists()
    assert {(copy / name).read_text() for name in ("dvc.lock", "runs/x/result.json")} == {"of the copy"}
    assert (copy / "params.yaml").read_text() == "scale: smoke\nseeds: [0]\n"
    assert Path("params.yaml").read_text() == FILES["params.yaml"], "this copy keeps its scale"


def test_a_source_that_is_the_same_keeps_its_time(root):
    copy = workspace.refresh()
    os.utime(copy / "lib/a.py", (1, 1))
    place(root / "notebooks/n.ipynb", "{}")
    workspace.refresh()
    assert (copy / "lib/a.py").stat().st_mtime == 1 and (copy / "notebooks/n.ipynb").read_text() == "{}"


def test_the_copy_is_held_by_one_process_and_what_it_starts(root, monkeypatch):
    monkeypatch.delenv(workspace.HELD, raising=False)
    with workspace.smoke() as copy:
        assert os.environ[workspace.HELD] == "1" and Path("build/smoke.lock").read_text() == str(os.getpid())
        with workspace.smoke() as inner:  # as a child would, which does not wait for its parent
            assert inner == copy
    assert workspace.HELD not in os.environ
