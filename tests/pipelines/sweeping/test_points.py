"""Sweeps say what they ask for: grids, lists and random draws of points, each checked before anything runs."""

import math
import re
from pathlib import Path

import nbformat
import pytest

from pipelines import sweep
from pipelines.sweeping import points
from tests import ROOT

PARAMETERS = 'x = 1\nrate = 0.5\nplan = {"lr": 0.1, "deep": {"k": 2}}\nout = "build/scratch"'


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A function that reads a sweep of a small notebook from YAML."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "lib").mkdir()
    cell = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "notebooks/small.ipynb")

    def read(text):
        (tmp_path / "mine.yaml").write_text(text)
        return points.read(Path("mine.yaml"))

    return read


def test_a_grid_crosses_and_dots_lead_into_mappings(told):
    sweep = told("{notebook: small, fixed: {x: 7}, points: {grid: {rate: [0.1, 1], plan.deep.k: [3, 4, 5]}}}")
    assert [tuple(point.values()) for point in sweep.points] == [(r, k) for r in (0.1, 1) for k in (3, 4, 5)]
    assert sweep.values[5] == {"x": 7, "rate": 1, "plan": {"lr": 0.1, "deep": {"k": 5}}}
    assert sweep.varied == ["rate", "plan.deep.k"]


def test_random_points_follow_their_law_and_their_seed(told):
    text = "{{notebook: small, points: {{random: {{count: 400, seed: {}, draw: {}}}}}}}"
    draw = "{plan.lr: {low: 1e-4, high: 1.0, log: true}, x: {low: 1, high: 3}, rate: {choice: [0.5, 2.0]}}"
    first, same, other = (told(text.format(seed, draw)) for seed in (0, 0, 1))
    assert first.points == same.points != other.points
    logs = [math.log10(point["plan.lr"]) for point in first.points]
    assert min(logs) >= -4 and max(logs) <= 0
    assert sum(logs) / 400 == pytest.approx(-2, abs=4 * 4 / math.sqrt(12 * 400))  # four standard errors of a uniform mean
    assert {point["x"] for point in first.points} == {1, 2, 3} and {point["rate"] for point in first.points} == {0.5, 2.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{notebook: smal, points: {list: [{x: 1}]}}", "no notebook notebooks/smal.ipynb"),
        ("{notebook: small, points: {list: [{y: 1}]}}", "notebook small has no parameter y; it takes out, plan, rate, x"),
        ("{notebook: small, points: {list: [{plan.deep.l: 1}]}}", "has no parameter plan.deep.l; it takes k"),
        ("{notebook: small, points: {list: [{x: 1.5}]}}", "parameter x of notebook small must be int like 1, got 1.5"),
        ("{notebook: small, points: {list: [{out: here}]}}", "a sweep cannot vary 'out'"),
        ("{notebook: small, points: {list: [{x: 1}, {x: 1}]}}", "has 2 points, not all distinct"),
        ("{notebook: small, points: {list: []}}", "has 0 points"),
        ("{notebook: small, points: [1]}", "sweep mine: points must be a mapping, got [1]"),
        ("{notebook: small, fixed: [1], points: {list: [{x: 1}]}}", "sweep mine: fixed must be a mapping"),
        ("{notebook: small, reads: 5, points: {list: [{x: 1}]}}", "sweep mine: reads must be a list, got 5"),
        ("{notebook: 5, points: {list: [{x: 1}]}}", "sweep mine: notebook must be a text, got 5"),
        ("{notebook: small, points: {grid: {x: 5}}}", "sweep mine cannot be read (TypeError: "),
        ("{notebook: small, points: {grid: null}}", "sweep mine cannot be read (AttributeError: "),
        ("{notebook: small, points: {list: [1]}}", "points are one of grid: {name: [values]}"),
        ("{notebook: small, points: {random: {count: two, seed: 0, draw: {}}}}", "sweep mine cannot be read (TypeError: "),
        ("{notebook: small, points: {list: [{plan: {lr: 2020-01-01}}]}}", "sweep mine cannot be read (TypeError: "),
        ("{notebook: small, points: {list: [{x.y: 1}]}}", "sweep mine cannot be read (TypeError: "),
        ("{notebook: small.v2, points: {list: [{x: 1}]}}", "the name of a notebook is 'small.v2'"),
        ("{notebook: small, points: {lists: []}}", "points must be one of grid, list and random"),
        ("{notebook: small, pionts: {list: []}}", "'pionts' is unknown or missing"),
        ("{notebook: small, points: {random: {count: 2, seed: 0, draw: {x: {low: 3, high: 1}}}}}", "x is drawn by"),
        ("{notebook: small, points: {random: {count: 2, draw: {}}}}", "random points need count, seed and draw"),
        ("{notebook: small, points: {random: {count: 2, seed: 0, draw: {x: {low: 0, high: 1, log: true}}}}}", "needs low > 0"),
    ],
)
def test_refuses_what_no_point_can_be(told, text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        told(text)


def test_a_key_changes_with_parameters_notebook_what_it_imports_and_data(told):
    text = "{notebook: small, points: {list: [{x: 1}, {x: 2}]}, reads: [data]}"
    before = points.keys(told(text))
    assert len(set(before)) == 2 and points.keys(told(text)) == before
    assert points.keys(told(text.replace("points", "fixed: {rate: 2.0}, points"))) != before
    Path("data").write_text("data")
    after = points.keys(told(text))
    assert not set(after) & set(before)
    before, book = after, Path("notebooks/small.ipynb")
    content = nbformat.read(book, 4)
    content.cells.append(nbformat.v4.new_code_cell("from lib import used"))
    nbformat.write(content, book)
    after = points.keys(told(text))
    assert not set(after) & set(before)
    for path, counts in {"lib/used.py": True, "lib/other.py": False}.items():
        before = after
        Path(path).write_text("y = 1")
        after = points.keys(told(text))
        assert set(after).isdisjoint(before) == counts, path


def test_every_sweep_that_ships_can_be_read(monkeypatch):
    monkeypatch.chdir(ROOT)
    for path in Path("pipelines/sweeps").glob("*.yaml"):
        assert len(points.read(path).points) >= 8


def test_what_it_reads_must_be_there(told):
    asked = told("{notebook: small, points: {list: [{x: 1}]}, reads: [lib, data/raw]}")
    with pytest.raises(ValueError, match=r"it reads data/raw, which does not exist; name files and folders of this repository"):
        sweep.fetch(asked)
    Path("data/raw").mkdir(parents=True)
    sweep.fetch(asked)
