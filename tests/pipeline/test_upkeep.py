"""What DVC lets pass, is found before a run: rotten objects, results of runs that are gone."""

import os
import signal
import subprocess
import sys

import nbformat
import pytest

from pipelines import upkeep
from tests.pipeline.test_runner import processes_end_in, wait_for
from tests.pipeline.toy import STAGES, Toy


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A toy workbook after its first `dvc repro`."""
    toy = Toy(tmp_path_factory.mktemp("toy"))
    (toy.root / "dvc.yaml").write_text(STAGES)
    (toy.root / ".gitignore").write_text("/runs/\n/build/\n/reports/\n")
    subprocess.run(["git", "init", "--quiet", str(toy.root)], check=True)
    assert toy.python("-m", "dvc", "init", "--quiet").returncode == 0
    done = toy.python("-m", "dvc", "repro")
    assert done.returncode == 0, done.stderr
    return toy


def test_saving_a_notebook_with_outputs_reruns_nothing_but_strip(finished):
    path = finished.root / "notebooks/toy.ipynb"
    before = path.read_bytes()
    notebook = nbformat.read(path, 4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="looked at")]
    notebook.cells[1].execution_count = 7
    notebook.cells.insert(1, nbformat.v4.new_code_cell("epochs = 9", metadata={"tags": ["injected-parameters"]}))
    nbformat.write(notebook, path)
    done = finished.python("-m", "dvc", "repro")
    path.write_bytes(before)
    assert finished.python("-m", "dvc", "repro").returncode == 0
    assert "Running stage 'strip'" in done.stdout
    assert "Running stage 'train" not in done.stdout


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


def test_a_run_that_is_gone_leaves_nothing(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished.root)
    assert upkeep.prune() == []
    assert (finished.root / "runs/b").exists()
    finished.change("params.yaml", "  b: {train: {epochs: 4}}\n", "")
    assert upkeep.prune() == ["train@b"]
    assert "train@b is no longer in params.yaml" in capsys.readouterr().out
    assert not (finished.root / "runs/b").exists() and not (finished.root / "reports/notebooks/train-b.ipynb").exists()
    assert "train@b" not in (finished.root / "dvc.lock").read_text()
    assert finished.python("-m", "dvc", "status").stdout.strip() == "Data and pipelines are up to date."
