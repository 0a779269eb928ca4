"""Folders among the temporary files: a process that was killed leaves one, which the next takes away, and nothing else."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.runner import private
from tests import ROOT

HOLD = """
import sys, time
from pipelines.runner import private
with private.folder(sys.argv[1]) as own:
    print(own, flush=True)
    time.sleep(60)
"""


def holder(place):
    return subprocess.Popen([sys.executable, "-c", HOLD, place], cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def killed(tmp_path):
    """The folder of a process that was killed."""
    with holder(tmp_path) as process:
        folder = Path(process.stdout.readline().strip())
        with private.folder(str(tmp_path)):
            assert folder.is_dir(), "swept up while its process lives"
        process.kill()
    assert folder.is_dir()
    return folder


def test_a_folder_is_one_users_and_goes_with_its_process(tmp_path):
    with private.folder(str(tmp_path)) as own:
        assert Path(own).stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next(tmp_path, killed):
    (killed / "socket").write_text("x")
    with private.folder(str(tmp_path)) as own:
        assert [str(path) for path in tmp_path.iterdir()] == [own]


def test_what_is_not_known_to_be_abandoned_stays(tmp_path, killed):
    beside = tmp_path / "beside"
    killed.rename(beside)
    (tmp_path / "hourglass-link").symlink_to(beside)
    (tmp_path / "hourglass-file").write_text("x")
    (tmp_path / "hourglass-being-made").mkdir()
    (tmp_path / "hourglass-linked-owner").mkdir()
    (tmp_path / "hourglass-linked-owner" / private.OWNER).symlink_to(beside / private.OWNER)
    (tmp_path / "hourglass-pipe").mkdir()
    os.mkfifo(tmp_path / "hourglass-pipe" / private.OWNER)  # nobody writes to it
    names = {path.name for path in tmp_path.iterdir()}
    with private.folder(str(tmp_path)) as own:
        assert {path.name for path in tmp_path.iterdir()} == names | {Path(own).name}
    assert (beside / private.OWNER).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_what_is_somebody_elses_stays(tmp_path, killed):
    os.chown(killed / private.OWNER, 12345, 12345)
    with private.folder(str(tmp_path)):
        assert killed.is_dir()


def test_many_at_once_take_nothing_from_each_other(tmp_path):
    started = [
        subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    try:
        folders = [Path(one.stdout.readline().strip()) for one in started]
        time.sleep(0.2)
        assert len(set(folders)) == 8 and all(folder.is_dir() for folder in folders)
    finally:
        for one in started:
            one.kill()
            one.communicate()
    with private.folder(str(tmp_path)):
        assert len(list(tmp_path.iterdir())) == 1
