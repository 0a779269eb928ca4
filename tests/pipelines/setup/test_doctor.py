"""`make doctor` names what is wrong with a folder, and what to do; a folder in order it calls so."""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.setup import doctor
from tests import ROOT

pytestmark = pytest.mark.programs


def kept(content):
    """Put bytes into the store; return their name there."""
    name = hashlib.md5(content).hexdigest()
    place = doctor.STORE / name[:2] / name[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return name


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working copy in order, with one file of data, whose environment is the one of these tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SHELL", "/bin/sh")
    for name in ("PYTHONSTARTUP", "IPYTHONDIR"):
        monkeypatch.delenv(name, raising=False)
    subprocess.run(["git", "init", "--quiet", "."], check=True)
    listing = json.dumps([{"md5": kept(b"1,2\n"), "relpath": "table.csv"}]).encode()
    name = kept(listing)
    (doctor.STORE / name[:2] / name[2:]).rename(doctor.STORE / name[:2] / f"{name[2:]}.dir")
    Path("data.dvc").write_text(f"outs:\n- md5: {name}.dir\n  path: data/raw\n")
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/table.csv").write_bytes(b"1,2\n")
    Path("requirements.lock").write_text("numpy==" + __import__("numpy").__version__ + " \\\n    --hash=sha256:0\n")
    Path(".venv/bin").mkdir(parents=True)
    Path(".venv/bin/python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    Path(".venv/bin/python").chmod(0o755)
    os.symlink(ROOT / "lib", "lib"), os.symlink(ROOT / "pipelines", "pipelines")
    Path("params.yaml").write_text((ROOT / "params.yaml").read_text())
    return tmp_path


def wrong(check):
    return [finding for finding in check() if finding.grade != "good"]


def test_a_folder_in_order_is_called_so(folder, capsys):
    assert [wrong(check) for check in (doctor.git, doctor.store, doctor.packages, doctor.runs_here)] == [[], [], [], []]


def lose_git():
    os.rename(".git", "git")


def lose_python():
    os.unlink(".venv/bin/python")


def miss_a_package():
    Path("requirements.lock").write_text("numpy==0.1\nnone-such==2.0 ; python_version < '3'\nnone-such-either==1.0\n")


def rot():
    next(path for path in doctor.STORE.glob("??/*") if path.suffix != ".dir").write_bytes(b"1,2\r\n")


def add_data():
    Path("data/raw/mine.csv").write_text("3\n")


def change_data():
    Path("data/raw/table.csv").write_text("3\n")


def put_a_file():
    os.unlink("data/raw/table.csv"), os.rmdir("data/raw")
    Path("data/raw").write_text("x")


def lose_data():
    next(path for path in doctor.STORE.glob("??/*") if path.suffix != ".dir").unlink()


def write_nonsense():
    Path("data.dvc").write_bytes(b"\xff md5: 1.dir")


def die_in_a_stage():
    Path("build/partial/train-a").mkdir(parents=True)


def fail():
    Path("reports/failed").mkdir(parents=True)
    Path("reports/failed/train-a.ipynb").write_text("{}")


def have_habits():
    Path("home/.ipython/profile_default/startup").mkdir(parents=True)
    Path("home/.ipython/profile_default/startup/00.py").write_text("sum = None")


CASES = {
    "no git": (lose_git, doctor.git, "wrong", "no git repository of its own", "clone the workbook"),
    "no environment": (lose_python, doctor.packages, "wrong", "no environment is set up here", "`make setup`"),
    "packages": (
        miss_a_package,
        doctor.packages,
        "wrong",
        "2 packages are not those of requirements.lock: numpy==0.1",
        "make setup",
    ),
    "a rotten file": (rot, doctor.store, "wrong", "1 stored files are not what their names say", "git checkout -- .dvc/store"),
    "own data": (add_data, doctor.store, "wrong", "data/raw/mine.csv is not of this repository", "move it elsewhere"),
    "changed data": (change_data, doctor.store, "wrong", "data/raw/table.csv was changed", "dvc checkout --force data.dvc"),
    "a file for data": (put_a_file, doctor.store, "wrong", "data/raw is no folder", "move it elsewhere"),
    "lost data": (
        lose_data,
        doctor.store,
        "wrong",
        "1 stored files are missing, first .dvc/store",
        "git checkout -- .dvc/store",
    ),
    "a killed run": (die_in_a_stage, doctor.runs_here, "odd", "a run was killed while it made train-a", "goes on"),
    "a failed notebook": (fail, doctor.runs_here, "odd", "1 notebooks failed", "make lab"),
    "habits": (have_habits, doctor.habits, "odd", "startup/00.py runs in notebooks that you open by hand", "move it away"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_fault_is_named_with_its_cure(folder, case):
    spoil, check, grade, what, cure = CASES[case]
    assert not [finding for finding in wrong(check) if what in finding.what]
    spoil()
    found = [finding for finding in wrong(check) if what in finding.what]
    assert len(found) == 1 and found[0].grade == grade and cure in found[0].cure


def test_a_check_that_cannot_go_on_says_so_and_hides_no_other(folder, capsys):
    write_nonsense()
    assert doctor.main() == 1
    said = capsys.readouterr().out
    assert (
        "wrong  looking at store failed: UnicodeDecodeError: " in said and "cores" in said and "git has no commit yet" in said
    )


def test_parameters_that_cannot_be_read_are_told_with_the_reason(folder):
    os.unlink("lib"), os.unlink("pipelines")
    for name in ("lib", "pipelines"):
        subprocess.run(["cp", "-r", ROOT / name, name], check=True)
    Path("params.yaml").write_text("scale: giant\n")
    assert [finding.what for finding in wrong(doctor.packages)] == [
        "unknown scale 'giant' in params.yaml; known: smoke, embedded, paper"
    ]


def test_a_run_under_way_is_named(folder):
    Path("build").mkdir()
    with Path("build/repro.lock").open("w") as held:
        held.write("12345")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "a make repro (process 12345) works here" in [finding.what for finding in wrong(doctor.runs_here)]


def test_it_speaks_without_any_package_and_says_by_its_status_whether_something_is_wrong(folder):
    lose_python()
    done = subprocess.run([sys.executable, "-I", "-S", ROOT / "pipelines/setup/doctor.py"], capture_output=True, text=True)
    assert done.returncode == 1 and "wrong  no environment is set up here\n       -> `make setup`" in done.stdout
    assert "\nwrong: " in done.stdout and not done.stderr
