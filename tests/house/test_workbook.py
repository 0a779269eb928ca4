"""The real workbook at smoke scale, in a copy: it repeats to the byte, survives what people do to it, and shows itself."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lib.workbook import claims, runs
from pipelines import ledger
from pipelines.runner import workspace
from tests import ROOT
from tests.conftest import repro
from tests.pipelines.test_run_notebook import processes_end_in, wait_for, working_in

pytestmark = pytest.mark.programs


@pytest.fixture
def params(workbook):
    """A function that edits a paper's parameters, or those that all share, in the copy for one test."""
    before = {}

    def edit(paper, change):
        path = workbook / (f"notebooks/information/{paper}/params.yaml" if paper else "params.yaml")
        before[path] = path.read_bytes()
        yaml = YAML()
        content = yaml.load(path.read_text())
        change(content)
        with path.open("w") as file:
            yaml.dump(content, file)

    yield edit
    for path, content in before.items():
        path.write_bytes(content)


def forget(workbook: Path, stage: str) -> None:
    """Make DVC run one stage again, and nothing else."""
    yaml, path = YAML(), workbook / "dvc.lock"
    lock = yaml.load(path.read_text())
    lock["stages"][stage]["deps"][0]["md5"] = "0" * 32
    with path.open("w") as file:
        yaml.dump(lock, file)
    shutil.rmtree(workbook / ".dvc/cache/runs", ignore_errors=True)


def tracked_bytes(workbook: Path) -> dict[str, bytes]:
    pages = [p for p in (workbook / "reports").rglob("*") if p.is_file() and "failed" not in p.parts]
    return {str(p.relative_to(workbook)): p.read_bytes() for p in pages if p.stem != "provenance"}


def test_nothing_to_do_runs_nothing(workbook):
    done = repro(workbook)
    assert done.returncode == 0 and "Running stage" not in done.stdout


def test_ends_by_showing_the_report_and_the_claims(workbook):
    out = repro(workbook).stdout
    rows = runs.read_json(workbook / "reports/claims.json")
    assert f"report: {(workbook / 'reports/index.html').resolve()}" in out
    assert all(row["id"] in out for row in rows)


def test_every_stage_runs_at_a_terminal_below_one_bar_that_breaks_no_line(first_runs):
    copies, terminal = first_runs
    stages = len(workspace.run(copies[1], "dvc", "stage", "list", "--name-only", capture_output=True, text=True).stdout.split())
    written = terminal.seen.decode(errors="replace")
    counted = {int(n) for n in re.findall(rf"make repro: (\d+) of {stages} stages", written)}
    assert counted - {stages} == set(range(stages)), "the full count stands for less than a moment"
    assert (re.search(r"gone, about \d\d:\d\d to go", written) and "pre-training" in written) or "systems: " in written
    odd = [line for line in terminal.lines() if " stages |" in line or re.search(r"\d+%\|", line)]
    assert odd == [], "a bar was left on the screen, or within a line"
    assert [line for line in terminal.lines() if line.startswith("report: ")]


def test_two_copies_give_the_same_bytes(twins):
    here, there = twins
    assert runs.read_yaml(here / "dvc.lock") == runs.read_yaml(there / "dvc.lock")  # stages may come in another order
    assert tracked_bytes(here) == tracked_bytes(there)


@pytest.mark.parametrize(("stage", "name"), [("train@relu", "train-relu"), ("report", "report")])
def test_killed_in_a_stage_it_leaves_no_orphan_and_ends_as_undisturbed(workbook, stage, name):
    lock, pages = (workbook / "dvc.lock").read_bytes(), tracked_bytes(workbook)
    forget(workbook, stage)
    finished = (workbook / "build/logs/stages.csv").read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.repro"], cwd=workbook, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(workbook / f"build/partial/{name}")
    time.sleep(0.3)  # a report takes little more than a second
    assert any("pipelines.run_notebook" in command for command in working_in(workbook))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert processes_end_in(workbook, seconds=10)
    assert (workbook / "build/logs/stages.csv").read_bytes() == finished, "the stage went on to its end"
    assert repro(workbook).returncode == 0
    assert (workbook / "dvc.lock").read_bytes() == lock
    assert tracked_bytes(workbook) == pages


def test_a_second_run_says_that_it_waits(workbook):
    with (workbook / "build/repro.lock").open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.truncate(0)
        held.write("12345")
        held.flush()
        second = subprocess.Popen(
            [sys.executable, "-m", "pipelines.repro"], cwd=workbook, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert "another make repro (process 12345) works in this folder; waiting" in second.stdout.readline()
        time.sleep(1)
        assert second.poll() is None
    assert second.communicate(timeout=120)[0] and second.returncode == 0


def test_a_removed_study_leaves_nothing_behind(workbook, params):
    study = "compression_in_networks"
    params(study, lambda content: content["studies"].__delitem__(study))
    done = repro(workbook)
    assert done.returncode == 0, done.stderr
    assert f"stage study@{study} is no longer in dvc.yaml\n" in done.stdout
    assert f"  reports/studies/{study}/{study} is removed\n" in done.stdout
    rows = runs.read_json(workbook / "reports/claims.json")
    assert rows and not [row for row in rows if row["source"] in ("shwartz2017opening", "saxe2018information")]
    page = (workbook / "reports/index.html").read_text()
    assert "tanh_binning" not in page and study not in page.replace(f"{study}/params.yaml", "")
    assert not [p for p in (workbook / "reports").rglob(f"*{study}*") if "failed" not in p.parts]


def train_of(content):
    return content["networks"]["diabetes"]["train"]


BAD = {
    "a typo in the plan": ("cs_ib", lambda p: train_of(p)["plan"].insert(0, "epohcs", 3), "a plan has no 'epohcs'"),
    "a typo in a stage's parameter": (
        "cs_ib",
        lambda p: p["networks"]["diabetes"]["plane"].insert(0, "rwos", 3),
        "no parameter rwos; it takes",
    ),
    "a negative beta": (
        "cs_ib",
        lambda p: train_of(p)["methods"]["vib"].__setitem__("betas", [-0.1]),
        "vib: betas must be a list of numbers >= 0, got [-0.1]",
    ),
    "an unknown method": (
        "cs_ib",
        lambda p: train_of(p)["methods"].insert(0, "vibe", {"betas": [0.0]}),
        "unknown objective 'vibe'; known: cs_ib",
    ),
    "an unknown run": (
        "cs_ib",
        lambda p: p["studies"]["cs_ib"]["parameters"].__setitem__("data", ["diabetis"]),
        "no run 'diabetis' in runs/cs_ib; there are: diabetes, flights",
    ),
    "an unknown data set": (
        "",
        lambda p: p["data"]["diabetes"].__setitem__("source", "diabetis"),
        "unknown data set 'diabetis'; known:",
    ),
    "a scale that names nothing": (
        "cs_ib",
        lambda p: train_of(p)["plan"].__delitem__("epochs"),
        "which notebooks/information/cs_ib/params.yaml lacks",
    ),
    "an entry of another paper": (
        "cs_ib",
        lambda p: p["networks"]["diabetes"].__setitem__("paper", "crib"),
        "in this folder it must have {'part': 'information', 'paper': 'cs_ib'}",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_parameters_stop_the_run_with_one_message(workbook, params, case):
    paper, change, message = BAD[case]
    params(paper, change)
    done = repro(workbook)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and message in said, said[-2000:]
    assert "Traceback" not in said
    assert ("nothing half-done counts as a result" in said) == ("Running stage" in said)
    assert not list((workbook / "build/partial").glob("*-*")), "something half-written is left"


def test_the_way_back_leads_to_the_same_lock(twins):
    here, there = twins
    assert repro(here).returncode == 0  # results return from DVC's run cache
    assert runs.read_yaml(here / "dvc.lock") == runs.read_yaml(there / "dvc.lock")
    assert tracked_bytes(here) == tracked_bytes(there)


def test_lost_data_come_back_and_rotten_ones_are_named(workbook):
    raw = workbook / "data/raw"
    shutil.rmtree(raw / "diabetes")
    assert repro(workbook).returncode == 0 and (raw / "diabetes/table.parquet").exists()
    kept = max((p for p in (workbook / ".dvc/cache/files/md5").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = kept.read_bytes()
    kept.chmod(0o644)
    kept.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    kept.chmod(0o444)
    done = repro(workbook)
    kept.chmod(0o644)
    kept.write_bytes(content)
    kept.chmod(0o444)
    assert done.returncode != 0
    assert kept.name in done.stderr


def test_dvcs_own_commands_show_something(workbook):
    shown = workspace.run(workbook, "dvc", "metrics", "show", "--json", capture_output=True, text=True)
    values = json.loads(shown.stdout)[""]["data"]["reports/summary/metrics.json"]["data"]
    assert set(values) == {"verdicts", "measured"} and len(values["measured"]) >= 18
    drawn = workspace.run(workbook, "dvc", "plots", "show", "--out", "build/plots", capture_output=True, text=True)
    assert drawn.returncode == 0, drawn.stderr
    assert len(re.findall(r"vega", (workbook / "build/plots/index.html").read_text())) > 2


# The ledger.

SCHEMA = {
    "id": str,
    "part": str,
    "source": str,
    "where": str,
    "says": str,
    "rule": str,
    "scale": str,
    "data": str,
    "verdict": str,
}


def test_the_ledger_is_as_people_were_told(workbook):
    rows = runs.read_json(workbook / "reports/claims.json")
    claims.check(rows, "claims.json")
    for row in rows:
        assert all(isinstance(row[name], kind) for name, kind in SCHEMA.items()), row
        assert isinstance(row["seeds"], int) and isinstance(row["measured"], float | int | None)
    keys = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "references.bib").read_text(), re.M))
    assert {row["source"] for row in rows} <= keys


def test_no_verdict_flipped_unnoticed(workbook):
    assert ledger.flips(runs.read_json(workbook / "reports/claims.json")) == []


def test_no_verdict_of_this_machines_last_run_flipped():
    path = ROOT / "reports/claims.json"
    if not path.exists():
        pytest.skip("make repro has not run here")
    assert ledger.flips(runs.read_json(path)) == []


def test_what_was_accepted_has_the_same_claims_at_every_scale(workbook):
    accepted = runs.read_json(ROOT / ledger.REFERENCE)
    ids = {row["id"] for row in runs.read_json(workbook / "reports/claims.json")}
    assert set(accepted) == {"smoke", "embedded"} and all(set(state["claims"]) == ids for state in accepted.values())
