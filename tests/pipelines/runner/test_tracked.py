"""What DVC cannot do is told with its cause, and advice that loses nothing."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.reporting import provenance
from pipelines.runner import outcome, tracked

CONFIG = "[core]\n    analytics = false\n    remote = store\n['remote \"store\"']\n    url = store\n    verify = true\n"


def dvc(*arguments):
    subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working copy whose data lie in its store alone, as after a clone."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet", "."], check=True)
    dvc("init", "--quiet")
    Path(".dvc/config").write_text(CONFIG)
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/table.csv").write_text("1,2\n")
    dvc("add", "data/raw"), dvc("push")
    Path("data.dvc").write_text(Path("data/raw.dvc").read_text().replace("path: raw", "path: data/raw"))
    Path("data/raw.dvc").unlink()
    shutil.rmtree("data"), shutil.rmtree(".dvc/cache")
    return tmp_path


def test_data_are_brought(folder):
    tracked.pull()
    assert Path("data/raw/table.csv").read_text() == "1,2\n"


def test_own_files_among_the_data_are_named_and_kept(folder):
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/mine.csv").write_text("3\n")
    with pytest.raises(outcome.StageError, match=r"data/raw/mine\.csv is not of this repository .*; move it elsewhere") as told:
        tracked.pull()
    assert "force" not in str(told.value) and Path("data/raw/mine.csv").exists()


def test_data_that_are_nowhere_are_told_as_dvc_tells_it(folder):
    shutil.rmtree(".dvc/store")
    with pytest.raises(outcome.StageError, match=r"could not be brought: .*(Checkout failed|[Mm]issing|does not exist)"):
        tracked.pull()


def test_a_folder_without_git_is_told(folder):
    shutil.rmtree(".git")
    with pytest.raises(outcome.StageError, match="not a git repository"):
        tracked.pull()
    with pytest.raises(outcome.StageError, match="git rev-parse HEAD: fatal: not a git repository"):
        provenance.git("rev-parse", "HEAD")
    assert provenance.commit().startswith("unknown: git -C . rev-parse HEAD: fatal: not a git repository")


def test_a_dvc_command_that_fails_says_why(folder):
    with pytest.raises(outcome.StageError, match=re.escape("dvc add failed: ERROR: output 'nothing.csv' does not exist")):
        tracked.dvc("add", "nothing.csv")


def test_a_command_that_fails_is_told_with_its_last_words(capsys):
    def work():
        done = subprocess.run(["sh", "-c", "echo no room >&2; exit 3"], capture_output=True, text=True, check=True)
        return done.returncode

    assert outcome.main_of(work, "make x") == 1
    assert "`sh -c 'echo no room >&2; exit 3'` ended with exit status 3: no room" in capsys.readouterr().err
