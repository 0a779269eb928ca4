"""The table of a sweep has a row for each finished point in the order of the sweep, and is put in place whole."""

import json
from pathlib import Path

import pandas as pd
import pytest

from pipelines.sweeping import table
from pipelines.sweeping.points import Sweep

POINTS = [{"x": 2, "plan": {"k": 1}}, {"x": 1, "plan": {"k": 1}}, {"x": 3, "plan": {"k": 1}}]
SWEEP = Sweep("mine", "small", ["x", "plan"], POINTS, POINTS, "metrics.json", [])
KEYS = ["a", "b", "c"]
TIMES = {"started": 5.0, "seconds": 0.5}
ROWS = {
    "c": {"status": "failed", "error": "ValueError: no", "result": {}} | TIMES,
    "a": {"status": "done", "error": "", "result": {"y": 4.0}} | TIMES,
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with parameters that name one sweep."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("scale: smoke\nsweeps: {known: {notebook: small}}\n")
    return tmp_path


def test_finished_points_are_rows_in_the_order_of_the_sweep():
    found = table.table(SWEEP, KEYS, ROWS, times=False)
    assert found.columns.tolist() == ["key", "x", "plan", "y", "status", "error"]
    assert found.key.tolist() == ["a", "c"] and found.x.tolist() == [2, 3] and found.y.isna().tolist() == [False, True]
    assert [json.loads(text) for text in found.plan] == [{"k": 1}] * 2, "what is nested is one text"


def test_times_differ_between_equal_sweeps_and_stand_in_the_running_table_alone(root):
    table.live(SWEEP, KEYS, ROWS, root / "state")
    shown = pd.read_parquet(root / "state/table.parquet")
    assert shown.columns.tolist()[-2:] == ["started", "seconds"] and shown.seconds.tolist() == [0.5, 0.5]
    assert [path.name for path in (root / "state").iterdir()] == ["table.parquet"]


@pytest.mark.parametrize(("name", "folder"), [("mine", "runs/other_sweeps/mine"), ("known", "runs/sweeps/known")])
def test_a_finished_table_lies_with_what_it_is_of(root, capsys, name, folder):
    table.place(SWEEP._replace(name=name), table.table(SWEEP, KEYS, ROWS, times=False), by_dvc=True)
    assert capsys.readouterr().out == f"2 points, 1 failed: {folder}/table.parquet\n"
    assert sorted(path.name for path in Path(folder).iterdir()) == ["sweep.json", "table.parquet"]
    assert json.loads((Path(folder) / "sweep.json").read_text())["values"] == POINTS
