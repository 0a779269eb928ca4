"""How stages and sweeps stand is read from what they leave; rows are picked by conditions that run nothing."""

import fcntl
import json
import re

import pandas as pd
import pytest

from lib.workbook import status as board
from tests import ROOT

PARAMS = "scale: embedded\nseeds: [0]\nruns: {a: {}, b: {}, c: {}}\n"
STAGES = """stages:
  strip: {cmd: exec python -m pipelines.runner.strip}
  train:
    foreach: ${runs}
    do: {cmd: "exec python -m pipelines.run_notebook toy reports/notebooks/train-${key}.ipynb runs.${key} out=runs/${key}"}
  each:
    matrix: {size: [1, 2], kind: [a]}
    cmd: exec python -m pipelines.run_notebook toy reports/notebooks/each-${item.size}-${item.kind}.ipynb - out=runs/each
  report: {cmd: ["run_notebook report reports/notebooks/report.ipynb - out=x", other]}
"""
NEVER = ["not run"] * 3
TABLE = pd.DataFrame({"beta": [0.1, 1.0, 0.01, None], "method": ["vib", "nib", "vib", "plain"], "test": [3, 1, 2, 0]})


@pytest.fixture
def root(tmp_path):
    """A workbook of five stages of which two have run."""
    for folder in (".dvc", "build/logs", "build/partial", "reports/failed"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "dvc.yaml").write_text(STAGES)
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\nstages: {train@a: {cmd: x}, train@b: {cmd: x}}")
    lines = ["train-a,2026-01-01T10:00:00,3.5", "train-a,2026-01-02T10:00:00,4.5", "train-b,2026-01-01T11:00:00,1.0"]
    (tmp_path / "build/logs/stages.csv").write_text("\n".join(lines))
    return tmp_path


def test_stages_are_those_that_run_a_notebook(root):
    each = {"each@1-a": "each-1-a", "each@2-a": "each-2-a"}
    trained = {"train@a": "train-a", "train@b": "train-b", "train@c": "train-c"}
    assert board.stages(root) == trained | each | {"report": "report"}


def test_a_stage_stands_as_its_traces_say(root):
    table = board.standing(root, {"train@b": ["changed"], "train@c": ["changed"], "report": ["changed"]})
    assert table.status.tolist() == ["up to date", "changed", *NEVER, "not run"]
    assert table.when[0] == "2026-01-02 10:00:00" and table.seconds[0] == 4.5 and table.seconds[2:].isna().all()
    assert board.standing(root, None).status.tolist() == ["unknown", "unknown", *NEVER, "not run"]
    (root / "reports/failed/report.ipynb").write_text("{}")
    (root / "build/partial/train-b.ipynb").write_text("{}")
    assert board.standing(root, {"train@b": []}).status.tolist() == ["up to date", "changed", *NEVER, "failed"]
    with (root / "build/repro.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert board.standing(root, {"train@b": []}).status.tolist() == ["up to date", "running", *NEVER, "failed"]


def test_a_line_of_the_log_that_was_cut_is_none(root):
    log = root / "build/logs/stages.csv"
    log.write_text(
        "train-a,2026-01-01T10:00:00,3.5,smoke\ntrain-b,2026-01-02T10\ntrain-b,2026-01-02T10:00:00,\n\ntrain-c,x,y,z\n"
    )
    assert board.logged(log) == [{"name": "train-a", "when": "2026-01-01 10:00:00", "seconds": 3.5, "scale": "smoke"}]
    assert board.standing(root, {}).seconds[0] == 3.5


def test_a_reason_to_know_nothing_is_told(root):
    with pytest.raises(ValueError, match=r"dvc status failed: .*not a git repository"):
        board.changed(root)


@pytest.fixture
def swept(root):
    """Two sweeps: one of which three of four points have come, and one that a stage ran."""
    for name, count in (("mine", 4), ("old", 1)):
        (root / "build/sweeps" / name / "rows").mkdir(parents=True)
        asked = {f"k{number}": {"beta": number / 10} for number in range(count)}
        (root / "build/sweeps" / name / "points.json").write_text(json.dumps(asked))
    for number, status in enumerate(("done", "failed", "done")):
        row = {"status": status, "error": "", "seconds": 1.5, "result": {"test": 1.0 + number}, "started": 0.0}
        (root / f"build/sweeps/mine/rows/k{number}.json").write_text(json.dumps(row))
    (root / "build/sweeps/mine/rows/of_other_parameters.json").write_text("")
    (root / "build/sweeps/mine/rows/.k3.json.1").write_text("")
    table = pd.DataFrame({"key": ["k0"], "beta": [0.0], "status": ["done"], "started": [0.0]})
    table.to_parquet(root / "build/sweeps/old/table.parquet")
    return root


def test_sweeps_count_their_points(swept):
    assert board.sweeps(swept).values.tolist() == [["mine", "stands", 4, 3, 1], ["old", "stands", 1, 1, 0]]
    with (swept / "build/sweeps/mine/lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert board.sweeps(swept).status.tolist() == ["running", "stands"]


def test_points_that_have_come_are_rows_in_the_order_of_the_sweep(swept):
    table, count = board.points(swept, "mine")
    assert count == 4 and table.columns.tolist() == ["beta", "test", "status", "error", "seconds"]
    assert table.beta.tolist() == [0.0, 0.1, 0.2] and table.test.tolist() == [1.0, 2.0, 3.0]
    assert board.points(swept, "old")[0].columns.tolist() == ["beta", "status"]
    with pytest.raises(ValueError, match="sweep other was never begun; `make sweep NAME=other` runs it"):
        board.points(swept, "other")


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("", [0, 1, 2, 3]),
        ("beta <= 0.1", [0, 2]),
        ("beta>0.05, method = vib", [0]),
        ("method != vib", [1, 3]),
        ("test = 1", [1]),
        ("ni", [1]),
        ("vib, test < 3", [2]),
        ("(", []),
    ],
)
def test_conditions_pick_rows(where, rows):
    assert board.picked(TABLE, where=where).index.tolist() == rows


def test_rows_are_sorted_and_missing_values_come_last():
    assert board.picked(TABLE, by="beta").index.tolist() == [2, 0, 1, 3]
    assert board.picked(TABLE, by="beta", falling=True).index.tolist() == [1, 0, 2, 3]
    assert board.picked(TABLE, by="method", where="test >= 1").index.tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("gamma = 1", "there is no column 'gamma'; there are: beta, method, test"),
        ("beta < much", "column beta holds numbers, got 'much'; write beta < 0.1"),
    ],
)
def test_conditions_that_say_nothing_are_refused(where, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        board.picked(TABLE, where=where)


def test_a_stage_waits_for_what_writes_what_it_reads():
    waits = board.waits(ROOT)
    assert waits["run@spectra"] == {"strip", "run@trajectories"} and waits["prepare@diabetes"] == {"strip"}
    assert waits["information_plane@tanh"] == {"strip", "train@tanh", "prepare@twelve_bit"}
    assert waits.keys() == board.commands(ROOT).keys() and set().union(*waits.values()) <= waits.keys()
