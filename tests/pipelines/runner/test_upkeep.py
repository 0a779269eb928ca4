"""What DVC lets pass, is found before a run: rotten objects, results of runs that are gone."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.runner import upkeep
from pipelines.runner.outcome import StageError
from tests.pipelines.test_run_notebook import processes_end_in, wait_for

pytestmark = pytest.mark.programs


def test_what_dvc_keeps_for_itself_is_nobody_elses(finished):
    finished.environment.pop("DVC_SITE_CACHE_DIR", None)
    (finished.root / ".dvc/tmp/site").exists() and shutil.rmtree(finished.root / ".dvc/tmp/site")
    shared = Path("/var/tmp/dvc/repo")
    before = set(shared.iterdir()) if shared.exists() else set()
    done = finished.python("-m", "dvc", "status")
    assert done.returncode == 0, done.stderr
    assert (finished.root / ".dvc/tmp/site").stat().st_mode & 0o777 == 0o700
    assert list((finished.root / ".dvc/tmp/site/repo").iterdir())
    assert (set(shared.iterdir()) if shared.exists() else set()) == before


def test_running_everything_again_changes_no_byte(finished):
    lock = (finished.root / "dvc.lock").read_bytes()
    assert finished.python("-m", "dvc", "repro", "--force").returncode == 0
    assert (finished.root / "dvc.lock").read_bytes() == lock


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_killed_run_is_taken_up_and_ends_with_the_same_lock(finished, shell):
    lock = (finished.root / "dvc.lock").read_bytes()
    finished.change("params.yaml", "{epochs: 2}", "{epochs: 2, wait: 60.0}")
    environment = finished.environment | {"SHELL": shell}  # DVC runs a stage's command in it
    running = subprocess.Popen([sys.executable, "-m", "dvc", "repro"], cwd=finished.root, env=environment)
    wait_for(finished.root / "build/partial/train-a/half")
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert processes_end_in(finished.root, seconds=10)
    finished.change("params.yaml", "{epochs: 2, wait: 60.0}", "{epochs: 2}")
    assert finished.python("-m", "dvc", "repro").returncode == 0
    assert (finished.root / "dvc.lock").read_bytes() == lock


def test_finds_a_rotten_object_that_dvc_would_trust(finished, monkeypatch):
    monkeypatch.chdir(finished.root)
    assert upkeep.faults() == []
    victim = next(p for p in (finished.root / ".dvc/cache/files/md5").glob("??/*") if p.suffix != ".dir")
    before = victim.read_bytes()
    victim.chmod(0o644)
    victim.write_bytes(before + b"rot")
    victim.chmod(0o444)
    message = upkeep.faults()
    victim.chmod(0o644)
    victim.write_bytes(before)
    assert len(message) == 1 and victim.name in message[0] and "delete it" in message[0]


MATRIX = """  each:
    matrix: {size: [1, 2]}
    cmd: mkdir -p runs && echo ${item.size} > runs/each-${item.size}
    outs: ["runs/each-${item.size}"]
"""


def test_what_stages_of_a_matrix_wrote_stays(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.root)
    before = (finished.root / "dvc.yaml").read_text()
    (finished.root / "dvc.yaml").write_text(before + MATRIX)
    assert finished.python("-m", "dvc", "repro").returncode == 0
    assert upkeep.prune() == [] and (finished.root / "runs/each-1").read_text() == "1\n"
    (finished.root / "dvc.yaml").write_text(before + MATRIX.replace("[1, 2]", "[2]"))
    assert upkeep.prune() == ["each@1"]
    assert "stage each@1 is no longer in dvc.yaml\n  runs/each-1 is removed\n" in capsys.readouterr().out
    assert not (finished.root / "runs/each-1").exists() and (finished.root / "runs/each-2").exists()
    renamed = MATRIX.replace("[1, 2]", "[2]").replace("each:", "one:")
    (finished.root / "dvc.yaml").write_text(before + renamed)
    assert upkeep.prune() == ["each@2"] and (finished.root / "runs/each-2").exists(), "a stage that exists writes it"
    assert "stage each@2 is no longer in dvc.yaml\n  runs/each-2 is kept: a stage that exists" in capsys.readouterr().out
    (finished.root / "dvc.yaml").write_text(before)
    (finished.root / "runs/each-2").unlink()


def test_a_folder_stays_in_which_a_stage_that_exists_writes(finished, monkeypatch):
    monkeypatch.chdir(finished.root)
    before = {name: (finished.root / name).read_text() for name in ("dvc.yaml", "dvc.lock")}
    stage = "  {}:\n    cmd: mkdir -p all && echo 1 > all/one\n    outs: [{}]\n"
    (finished.root / "dvc.yaml").write_text(before["dvc.yaml"] + stage.format("whole", "all"))
    assert finished.python("-m", "dvc", "repro", "whole").returncode == 0
    (finished.root / "dvc.yaml").write_text(before["dvc.yaml"] + stage.format("part", "all/one"))
    assert upkeep.prune() == ["whole"] and (finished.root / "all/one").exists()
    shutil.rmtree(finished.root / "all")
    for name, text in before.items():
        (finished.root / name).write_text(text)


def test_nothing_is_removed_that_could_not_be_brought_back(finished, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(finished.root)
    lock = finished.root / "dvc.lock"
    before, beside = lock.read_text(), finished.root.parent / "victim"
    entries = {
        "outside": "../victim",
        "absolute": str(tmp_path),
        "linked": "runs/link",
        "behind": "runs/elsewhere/mine",
        "inside": "runs/holds",
        "own": "runs/own",
    }
    runs = finished.root / "runs"
    for folder in (beside, tmp_path / "elsewhere/mine", runs / "holds", runs / "own"):
        folder.mkdir(parents=True)
        (folder / "kept").write_text("kept")
    (runs / "link").symlink_to(beside)
    (runs / "elsewhere").symlink_to(tmp_path / "elsewhere")
    (runs / "holds/link").symlink_to(beside / "kept")
    outs = [f"  {name}:\n    cmd: x\n    outs:\n    - path: {path}\n      md5: 0.dir\n" for name, path in entries.items()]
    lock.write_text(before + "".join(outs))
    assert upkeep.prune() == sorted(entries) and lock.read_text() == before
    said = capsys.readouterr().out
    for path, why in (
        ("../victim", "it lies outside"),
        (tmp_path, "it lies outside"),
        ("runs/link", "it is a link"),
        ("runs/elsewhere/mine", "it is a link, or lies behind one"),
        ("runs/holds", "it holds a link"),
        ("runs/own", "it is not what the stage wrote"),
    ):
        assert f"{path} is kept, to be removed by hand: {why}" in said
    assert all((place / "kept").exists() for place in (beside, tmp_path / "elsewhere/mine", runs / "holds", runs / "own"))
    (runs / "link").unlink(), (runs / "elsewhere").unlink()
    for folder in (beside, runs / "holds", runs / "own"):
        shutil.rmtree(folder)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text(""), lambda path: path.write_text("stages: {}\n")])
def test_without_stages_nothing_is_gone(finished, monkeypatch, spoil):
    monkeypatch.chdir(finished.root)
    stages, lock = Path("dvc.yaml").read_text(), Path("dvc.lock").read_text()
    spoil(Path("dvc.yaml"))
    with pytest.raises(StageError, match=r"dvc\.yaml names no stage, and dvc\.lock does; `git checkout -- dvc\.yaml`"):
        upkeep.prune()
    assert Path("dvc.lock").read_text() == lock and Path("runs/b/result.json").exists()
    Path("dvc.yaml").write_text(stages)


def test_a_result_stays_whose_object_is_rotten(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.root)
    before = {name: Path(name).read_text() for name in ("dvc.lock", "params.yaml")}
    md5 = re.search(r"path: runs/b\n +hash: md5\n +md5: (\w+)\.dir", before["dvc.lock"])[1]
    target = Path(f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}.dir")
    content = target.read_bytes()
    target.chmod(0o644), target.write_bytes(content[:-1])
    finished.change("params.yaml", "  b: {train: {epochs: 4}}\n", "")
    assert upkeep.prune() == ["train@b"]
    assert "runs/b is kept, to be removed by hand: DVC's cache could not bring it back" in capsys.readouterr().out
    assert Path("runs/b/result.json").exists()
    target.write_bytes(content)
    for name, text in before.items():
        Path(name).write_text(text)


def test_a_result_stays_that_the_cache_has_lost(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.root)
    lock, params = (finished.root / "dvc.lock").read_text(), (finished.root / "params.yaml").read_text()
    finished.change("params.yaml", "  b: {train: {epochs: 4}}\n", "")
    cache = finished.root / ".dvc/cache"
    cache.rename(cache.with_name("away"))
    assert upkeep.prune() == ["train@b"]
    cache.with_name("away").rename(cache)
    assert "runs/b is kept, to be removed by hand: DVC's cache could not bring it back" in capsys.readouterr().out
    assert (finished.root / "runs/b/result.json").exists()
    (finished.root / "dvc.lock").write_text(lock), (finished.root / "params.yaml").write_text(params)


def test_files_that_dvc_cannot_read_stop_a_run_and_remove_nothing(finished, monkeypatch):
    monkeypatch.chdir(finished.root)
    lock, stages = (finished.root / "dvc.lock").read_text(), (finished.root / "dvc.yaml").read_text()
    for name, text in (("dvc.yaml", f"{stages}<<<<<<< HEAD\n"), ("dvc.lock", f"{lock}<<<<<<< HEAD\n")):
        before = (finished.root / name).read_text()
        (finished.root / name).write_text(text)
        with pytest.raises(StageError, match=f"{name}.* is invalid|Unable to parse.*{name}|{name}"):
            upkeep.prune()
        assert (finished.root / name).read_text() == text
        (finished.root / name).write_text(before)
    assert (finished.root / "runs/b").exists()


def test_a_run_that_is_gone_leaves_nothing(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.root)
    assert upkeep.prune() == []
    assert (finished.root / "runs/b").exists()
    finished.change("params.yaml", "  b: {train: {epochs: 4}}\n", "")
    assert upkeep.prune() == ["train@b"]
    said = capsys.readouterr().out
    assert said.startswith("stage train@b is no longer in dvc.yaml\n") and "\n  runs/b is removed\n" in said
    assert not (finished.root / "runs/b").exists() and not (finished.root / "reports/notebooks/train-b.ipynb").exists()
    assert "train@b" not in (finished.root / "dvc.lock").read_text()
    lines = finished.python("-m", "dvc", "status").stdout.splitlines()
    assert [line for line in lines if not line.startswith("\t")] == ["strip:"], "names have changed, which strip looks at"
    assert finished.python("-m", "dvc", "repro", "strip").returncode == 0
    assert finished.python("-m", "dvc", "status").stdout.strip() == "Data and pipelines are up to date."
