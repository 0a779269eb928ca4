"""Fronts by comparing all pairs, sensitivities by the variances of a function whose parts are known."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lib.workbook import sweeps


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_what_no_pair_beats(seed):
    draw = np.random.default_rng(seed)
    table = pd.DataFrame({"x": draw.integers(0, 9, 40), "y": draw.integers(0, 9, 40).astype(float)})
    table.loc[0, "y"] = np.nan
    rows = table.dropna()

    def beaten(row):
        no_worse = (rows.x <= row.x) & (rows.y <= row.y)
        return (no_worse & ((rows.x < row.x) | (rows.y < row.y))).any()

    want = rows[[not beaten(row) for row in rows.itertuples()]]
    assert set(sweeps.front(table, x="x", y="y").index) == set(want.index)


def test_shares_of_an_additive_function_are_its_parts():
    a, b, c = (z.ravel() for z in np.meshgrid([0.0, 1.0, 2.0], [0.0, 2.0], [0.0, 1.0, 5.0]))
    table = pd.DataFrame({"a": a, "b": b, "c": c, "y": 3 * a + b})
    variance = {"a": 9 * 2 / 3, "b": 1.0, "c": 0.0}
    got = sweeps.sensitivity(table, ["a", "b", "c"], "y")
    assert got.to_dict() == pytest.approx({k: v / 7 for k, v in variance.items()}) and list(got.index) == ["a", "b", "c"]


def test_an_interaction_belongs_to_no_parameter_alone():
    a, b = (z.ravel() for z in np.meshgrid([-1.0, 1.0], [-1.0, 1.0]))
    assert sweeps.sensitivity(pd.DataFrame({"a": a, "b": b, "y": a * b}), ["a", "b"], "y").tolist() == [0.0, 0.0]
    assert sweeps.sensitivity(pd.DataFrame({"a": a, "y": 0 * a}), ["a"], "y").tolist() == [0.0]


def test_a_continuous_parameter_is_cut_into_groups():
    x = np.random.default_rng(0).uniform(0, 1, 6000)
    share = sweeps.sensitivity(pd.DataFrame({"x": x, "y": x}), ["x"], "y")["x"]
    assert share == pytest.approx(1 - 1 / 36, abs=0.002)  # six equal pieces keep all but 1/36 of a uniform law's variance


def test_the_best_rows_name_their_point():
    table = pd.DataFrame({"y": [3.0, 1.0, np.nan, 2.0]})
    assert sweeps.best(table, name="mine", y="y", count=2).command.tolist() == [
        "make sweep NAME=mine POINT=1",
        "make sweep NAME=mine POINT=3",
    ]


def test_every_row_is_a_line_and_every_column_an_axis():
    table = pd.DataFrame({"a": [1, 1000, 10], "b": ["u", "v", "u"], "y": [0.1, 0.2, np.nan]})
    ax = sweeps.parallel(table, ["a", "b"], y="y", ax=Figure().subplots())
    assert len(ax.lines) == 2 and [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]
    assert sweeps.scaled(pd.Series([1.0, 10.0, 1000.0])).tolist() == pytest.approx([0, 1 / 3, 1])
