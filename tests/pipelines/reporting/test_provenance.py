"""Who ran what, where and when: times by scale, the commit with what was changed since, and how old a record is."""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from lib.workbook import runs
from pipelines.reporting import provenance


def git(*arguments):
    own = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(own, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository of one commit, with parameters and a lock."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("scale: smoke\n")
    Path("dvc.lock").write_text("schema: '2.0'\n")
    git("init", "--quiet")
    git("add", "params.yaml"), git("commit", "--quiet", "--message", "x")
    return tmp_path


def test_a_stage_is_logged_with_its_scale(root):
    provenance.log_stage("train-a", 1.26)
    with provenance.LOG.open("a") as log:
        log.write("train-b,2026-01-01T00:00:00,7.5\n")  # of an older log
    assert provenance.logged(scale="smoke").keys() == {"train-a"} and provenance.logged(scale="embedded") == {}
    assert provenance.logged()["train-b"] == ("2026-01-01 00:00:00", 7.5) and provenance.logged()["train-a"][1] == 1.3


def test_a_commit_is_told_with_what_was_changed_since(root):
    name = git("rev-parse", "HEAD")
    Path("mine.txt").write_text("of nobody's concern")
    assert provenance.commit() == name
    Path("params.yaml").write_text("scale: paper\n")
    assert provenance.commit() == f"{name} with uncommitted changes"


def test_the_age_of_a_record_is_counted_in_commits(root):
    provenance.RECORDED.mkdir(parents=True)
    runs.write_json(provenance.RECORDED / "mine.json", {"commit": git("rev-parse", "HEAD")})
    for _ in range(2):
        git("commit", "--quiet", "--allow-empty", "--message", "y")
    assert provenance.age(provenance.RECORDED / "mine.json") == "2 commits old"
    runs.write_json(provenance.RECORDED / "far.json", {"commit": "0" * 40})
    assert provenance.age(provenance.RECORDED / "far.json").startswith("of unknown age (git rev-list --count 0000")
    facts = provenance.facts(12.6)
    assert facts["recorded evidence"].endswith("mine: 2 commits old") and facts["last make repro"] == "13 s"
    assert facts["dvc.lock"] == f"sha256 {hashlib.sha256(Path('dvc.lock').read_bytes()).hexdigest()}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", facts["finished"])


def test_without_git_the_reason_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.commit().startswith("unknown: git cannot be started: ")
