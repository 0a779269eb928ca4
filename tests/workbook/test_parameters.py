"""A parameters cell says what each parameter may be; a form's values are held to it."""

import math
import re

import ipywidgets as widgets
import nbformat
import pytest

from lib.bottlenecks import BOTTLENECKS
from lib.data import DATASETS
from lib.widgets import launch
from lib.workbook import parameters as cells
from lib.workbook import runs, status
from lib.workbook.parameters import allowed, fields, literal
from tests import ROOT

CELL = """
rate = 0.003  # 1e-5 to 0.1, log
share = 0.5  # 0 to 1
width = 32  # 1 to 256; more is slower
method = "vib"  # one of plain, vib
deep = True
seeds = [0, 1]
free = 2.5  # any number # will do
raw = "data#1"
"""


@pytest.fixture
def read(tmp_path):
    """A function that reads the fields of a notebook with the given parameters cell."""

    def written(text):
        cell = nbformat.v4.new_code_cell(text, metadata={"tags": ["parameters"]})
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "n.ipynb")
        return {one.name: one for one in fields(tmp_path / "n.ipynb")}

    return written


def test_comments_give_ranges_and_choices(read):
    asked = read(CELL)
    assert list(asked) == ["rate", "share", "width", "method", "deep", "seeds", "free", "raw"]
    assert {name: (one.low, one.high, one.log) for name, one in asked.items() if one.low is not None} == {
        "rate": (1e-5, 0.1, True),
        "share": (0.0, 1.0, False),
        "width": (1.0, 256.0, False),
    }
    assert asked["method"].choices == ["plain", "vib"] and asked["raw"].default == "data#1" and asked["raw"].note == ""
    assert asked["free"].note == "any number # will do" and asked["width"].note == "1 to 256; more is slower"


def test_each_type_has_its_control(read):
    controls = {name: launch.entry(one) for name, one in read(CELL).items()}
    kinds = [widgets.FloatLogSlider, widgets.FloatSlider, widgets.IntSlider, widgets.Dropdown]
    kinds += [widgets.Checkbox, widgets.Text, widgets.FloatText, widgets.Text]
    assert [type(control) for control in controls.values()] == kinds
    assert [control.value for control in controls.values()] == [0.003, 0.5, 32, "vib", True, "[0, 1]", 2.5, "data#1"]
    assert (controls["rate"].min, controls["rate"].max) == (pytest.approx(math.log10(1e-5)), -1) and controls[
        "width"
    ].max == 256


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rate", 0.5, "rate must lie in 1e-05 to 0.1, got 0.5"),
        ("width", 3.5, "width must be int like 32, got 3.5"),
        ("method", "nib", "method must be one of plain, vib, got 'nib'"),
        ("deep", 1, "deep must be bool like True, got 1"),
    ],
)
def test_refuses_what_a_parameter_cannot_be(read, name, value, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        allowed(read(CELL)[name], value)


def test_lists_are_read_and_never_run(read):
    asked = read(CELL)["seeds"]
    assert literal(asked, "[3, 4, 5]") == [3, 4, 5]
    for text in ("__import__('os').getcwd()", "[0,", "(1, 2)"):
        with pytest.raises(ValueError, match=r"seeds must be (written|list) like \[0, 1\]"):
            literal(asked, text)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("width = 300  # 1 to 256", "width must lie in 1 to 256, got 300"),
        ("rate = 0.1  # 0 to 1, log", "rate has a logarithmic range and needs a low end above 0"),
    ],
)
def test_a_comment_that_contradicts_its_default_is_refused(read, line, message):
    with pytest.raises(ValueError, match=message):
        read(line)


def test_the_trial_offers_all_that_there_is():
    asked = {one.name: one for one in fields(ROOT / "notebooks/sweeps/example/one_network.ipynb")}
    assert set(asked["method"].choices) == set(BOTTLENECKS) and set(asked["source"].choices) <= set(DATASETS)


def test_a_launcher_that_cannot_know_how_stages_stand_says_why(monkeypatch):
    def fail(root):
        raise ValueError("dvc status failed: ERROR: <locked>")

    monkeypatch.setattr(status, "changed", fail)
    monkeypatch.setattr(status, "stages", lambda root: {"train@tanh": "train-tanh", "never": "never"})
    said, table, *_ = launch.launcher().children[-1].children
    assert said.value == "<pre>dvc status failed: ERROR: &lt;locked&gt;</pre>"
    shown = table.children[1].value
    assert "unknown" in shown and "not run" in shown and "up to date" not in shown


def test_a_launcher_says_what_is_wrong_with_dvcs_files(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "ROOT", tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.yaml").write_text("stages: {}\n<<<<<<< HEAD\n")
    (said,) = launch.launcher().children
    assert said.value.startswith("<pre>") and "dvc.yaml" in said.value and "line 2" in said.value


def test_a_table_that_cannot_be_read_says_why():
    def fail():
        raise ValueError("x.json is not valid JSON")

    assert launch.results(fail).children[1].value == "<pre>x.json is not valid JSON</pre>"


@pytest.mark.parametrize(
    "line",
    [
        "x = {[1]: 2}",
        "x = {1, 2}",
        "x = b'a'",
        "x = ...",
        "x = (1, 2)",
        "x = [{'a': 1j}]",
        "x = [{2: 1}]",
        "x = f(1)",
        "x: int = 1",
    ],
)
def test_a_default_that_json_would_change_is_refused_by_name(line):
    with pytest.raises(ValueError, match=r"notebook mine: (x (is|has)|the parameters cell holds)"):
        cells.literals(line, "mine")


def test_a_comment_that_only_looks_like_a_range_is_a_note(read):
    asked = read('word = "a"  # 1 to 8 letters\nlist = [1]  # 1 to 3\nnothing = None  # one of many\n')
    assert [one.low for one in asked.values()] == [None] * 3 and not any(one.choices for one in asked.values())


def test_a_parameters_cell_that_is_no_python_is_shown():
    with pytest.raises(ValueError, match=re.escape("notebook mine: line 2 of the parameters cell, 'y = = 2': ")):
        cells.literals("x = 1\ny = = 2\n", "mine")


def test_keys_of_a_mapping_are_text():
    with pytest.raises(ValueError, match="notebook mine: plan has the key 1, of type int; write it as text: '1'"):
        cells.literals("plan = {1: 0.5}", "mine")
    with pytest.raises(ValueError, match="plan has the key 2"):
        literal(cells.Field("plan", {}, None, None, False, [], ""), "{2: 0.5}")
