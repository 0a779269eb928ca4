"""Whatever way a copy came, make works in it or says in one message what to do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines import replay
from pipelines.runner import upkeep, workspace
from tests import ROOT

CHECK = ["sh", "pipelines/setup/check_git.sh", "commit"]


def git(*arguments: str, **options) -> subprocess.CompletedProcess:
    own = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(own, check=True, capture_output=True, text=True, **options)


def checked(folder: Path, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(CHECK, cwd=folder, env=os.environ | variables, capture_output=True, text=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone of the last commit, which the others are made from."""
    place = tmp_path_factory.mktemp("git") / "clone"
    git("clone", "--quiet", str(ROOT), str(place))
    git("config", "pack.window", "0", cwd=place)  # copies need not be small
    return place


def shallow(clone, place):
    git("clone", "--quiet", "--depth", "1", clone.as_uri(), str(place))


def worktree(clone, place):
    git("worktree", "add", "--quiet", "--detach", str(place), cwd=clone)


def with_crlf(clone, place):
    git("clone", "--quiet", "-c", "core.autocrlf=true", str(clone), str(place))


def detached(clone, place):
    git("clone", "--quiet", str(clone), str(place))
    git("checkout", "--quiet", "--detach", cwd=place)


@pytest.mark.parametrize(
    ("kind", "name"), [(shallow, "plain"), (worktree, "my wörk: 2"), (with_crlf, "a;b 'c"), (detached, "my wörk: 2")]
)
def test_files_are_known_whole_and_can_be_cloned(clone, tmp_path, monkeypatch, kind, name):
    kind(clone, tmp_path / name)
    monkeypatch.chdir(tmp_path / name)
    assert checked(Path.cwd()).returncode == 0
    assert upkeep.faults() == [] and git("status", "--porcelain").stdout == ""
    assert Path("dvc.yaml") in workspace.tracked()
    scripts = [path for path in workspace.tracked() if path.suffix in (".sh", ".py", ".ipynb", ".yaml")]
    assert len(scripts) > 100 and not [path for path in scripts if b"\r\n" in path.read_bytes()]
    assert git("rev-parse", "HEAD", cwd=replay.cloned()).stdout == git("rev-parse", "HEAD").stdout


def archive(clone, place):
    shutil.copytree(clone, place, ignore=shutil.ignore_patterns(".git"))


def inside_another(clone, place):
    git("init", "--quiet", str(place.parent))
    archive(clone, place)


def empty(clone, place):
    archive(clone, place)
    git("init", "--quiet", str(place))


@pytest.mark.parametrize("kind", [archive, inside_another, empty])
def test_without_a_repository_one_message_makes_one(clone, tmp_path, kind):
    place = tmp_path / "outer/copy"
    kind(clone, place)
    done = checked(place)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and done.stderr.startswith(f"git: {place} ")
    own = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["sh", "-c", done.stderr.partition("makes one: ")[2]], cwd=place, env=os.environ | own, check=True)
    assert checked(place).returncode == 0 and git("status", "--porcelain", cwd=place).stdout == ""


def test_a_copy_of_another_owner_is_said(clone):
    done = checked(clone, GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert done.returncode == 1 and done.stderr == (
        f"git: {clone} belongs to another user; if you trust it: git config --global --add safe.directory '{clone}'\n"
    )


def test_no_git_is_said(clone, tmp_path):
    done = subprocess.run(["/bin/sh", *CHECK[1:]], cwd=clone, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == "git: is not on PATH; install it and run make again\n"


def test_what_needs_git_asks_for_it_first(tmp_path):
    text = (ROOT / "Makefile").read_text()
    for target in ("repro", "test", "unit", "whole", "programs", "nbval", "notebooks", "report", "sweep"):
        assert f"\n{target}: git " in text
    for target in ("record", "replay"):
        assert f"\n{target}: commit ready" in text
