"""Figures hold what the tables hold, and the same table gives the same bytes."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from lib.workbook import charts, plot
from tests.workbook.samples import points


def test_the_look_ends_with_its_block_and_leaves_the_rest():
    before = plt.rcParams["font.size"]
    with plot.style():
        assert plt.rcParams["font.size"] == 9 != before
        plt.rcParams["interactive"] = True
    assert plt.rcParams["font.size"] == before and plt.rcParams["interactive"]
    plt.rcParams["interactive"] = False


def test_a_heat_map_writes_its_numbers_and_leaves_missing_cells_blank(ax):
    table = pd.DataFrame({"ksg": [0.1, -3.0], "kl": [np.nan, 0.25]}, index=["easy", "hard"])
    plot.heat_map(table, most=1.0, label="bias", ax=ax)
    assert [t.get_text() for t in ax.texts] == ["0.10", "-3.00", "0.25"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["easy", "hard"]
    assert ax.collections[0].get_clim() == (-1.0, 1.0)


def test_dots_stand_in_the_order_asked_with_their_median(ax):
    table = pd.DataFrame({"estimator": ["a", "b", "b", "b"], "mae": [5.0, 1.0, 4.0, np.nan]})
    plot.dots(table, value="mae", by="estimator", order=["b", "a"], most=100.0, ax=ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["b", "a"]
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 0], [4, 0]])
    np.testing.assert_allclose(ax.lines[1].get_xdata(), [2.5, 2.5])


def test_margins_stand_beside_zero_with_their_mean(ax):
    table = pd.DataFrame({"method": ["a", "b", "b", "b"], "gain": [-5.0, 1.0, 4.0, np.nan]})
    plot.margins(table, value="gain", by="method", order=["b", "a"], ax=ax)
    zero, dots, bar, other, _ = (line.get_xdata() for line in ax.lines)
    assert list(zero) == [0, 0] and list(dots) == [1, 4] and list(bar) == [2.5, 2.5] and list(other) == [-5]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["b", "a"]


def test_intervals_stand_in_the_order_of_the_rows(ax):
    rows = {"measure": ["b", "a"], "value": [0.3, -0.1], "low": [0.1, -0.4], "high": [0.5, 0.2]}
    plot.intervals(pd.DataFrame(rows), ax=ax)
    np.testing.assert_allclose([line[:, 0] for line in ax.collections[0].get_segments()], [[0.1, 0.5], [-0.4, 0.2]])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["b", "a"] and ax.get_ylim() == (1.5, -0.5)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0.3, 0], [-0.1, 1]])


def test_a_scatter_has_one_quadratic_fit_through_all_its_groups(ax):
    x = np.linspace(-1, 2, 9)
    frame = pd.DataFrame({"x": x, "y": 1 - x + 2 * x**2, "kind": list("ab") * 4 + ["a"]})
    plot.scatter_with_fit(frame, x="x", y="y", by="kind", ax=ax)
    drawn, curve = ax.lines[0].get_xdata(), ax.lines[0].get_ydata()
    np.testing.assert_allclose(curve, 1 - drawn + 2 * drawn**2, atol=1e-9)
    assert [len(c.get_offsets()) for c in ax.collections] == [5, 4]
    assert [c.get_label() for c in ax.collections] == ["kind a", "kind b"]
    plot.scatter_with_fit(frame.assign(x=np.arange(9) % 2), x="x", y="y", by="kind", ax=ax)
    assert np.ptp(np.diff(ax.lines[1].get_ydata())) < 1e-9  # two values determine a line


def test_a_scatter_holds_every_row_once(ax):
    table = pd.DataFrame({"depth": [2, 4, 2], "mi": [0.1, 0.2, 0.3], "gap": [1.0, 2.0, 3.0]})
    plot.scatter(table, x="mi", y="gap", by="depth", ax=ax)
    assert [c.get_offsets().tolist() for c in ax.collections] == [[[0.1, 1.0], [0.3, 3.0]], [[0.2, 2.0]]]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["depth 2", "depth 4"]


def test_svg_bytes_repeat(tmp_path):
    def drawn(name):
        with plot.style():
            figure, ax = plt.subplots()
            charts.information_plane(points(), ax=ax)
        plot.keep(tmp_path, {name: (figure, "A title", "a caption")})
        plt.close(figure)
        return (tmp_path / f"figures/{name}.svg").read_bytes()

    first = drawn("one")
    assert first == drawn("two") and b"<svg" in first and b"dc:date" not in first
    assert json.loads((tmp_path / "figures.json").read_text()) == [
        {"file": "two.svg", "title": "A title", "caption": "a caption"}
    ]


def test_bars_stand_side_by_side(ax):
    table = pd.DataFrame({"mode": [1, 2, 1, 2], "power": [0.9, 0.1, 0.6, 0.4], "allocation": ["a", "a", "b", "b"]})
    plot.bars(table, x="mode", y="power", by="allocation", ax=ax)
    heights = [[bar.get_height() for bar in group] for group in ax.containers]
    assert heights == [[0.9, 0.1], [0.6, 0.4]]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]


def test_colours_are_alike_on_both_sides_of_zero(ax):
    table = pd.DataFrame({"u": [0.0, 1.0], "v": [2.0, 3.0], "angle": [-3.0, 1.0]})
    plot.coloured(table, x="u", y="v", colour="angle", ax=ax)
    (drawn,) = ax.collections
    assert drawn.get_clim() == (-3, 3) and drawn.get_array().tolist() == [-3, 1]
    assert drawn.get_offsets().tolist() == [[0, 2], [1, 3]]


def test_published_numbers_stand_in_their_rows(ax):
    told = pd.Series({"kkr": 0.009, "kae": 0.014, "gone": 1.0, "bare": float("nan")})
    plot.crosses(told, order=["dmd", "kae", "kkr", "bare"], ax=ax)
    (line,) = ax.lines
    assert sorted(zip(line.get_ydata(), line.get_xdata(), strict=True)) == [(1, 0.014), (2, 0.009)]
