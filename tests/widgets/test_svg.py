"""Frames put points where matplotlib would, lines break where they leave it, bars end at zero."""

import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lib.widgets import svg
from lib.workbook import plot


def test_lines_break_where_they_leave_the_frame():
    made, spans = svg.frame((0.0, 3.0), (0.0, 1.0), "x", "y"), ((0.0, 3.0), (0.0, 1.0))
    line = svg.path(made, np.arange(4.0), np.array([0.5, 2.0, 0.5, 0.6]), spans, "red")
    assert line.count("M") == 2 and line.count("L") == 1
    assert svg.path(made, np.zeros(2), np.full(2, 5.0), spans, "red") == ""


def test_points_lie_where_matplotlib_puts_them():
    made = svg.frame((-1.0, 3.0), (10.0, 20.0), "x", "y")
    with plot.style():
        figure, ax = plt.subplots(figsize=svg.SIZE)
        figure.get_layout_engine().set(rect=svg.AXES)
        ax.set(xlim=(-1, 3), ylim=(10, 20), xlabel="x", ylabel="y")
        ax.scatter([0.0, 2.5], [11.0, 19.5])
        buffer = io.StringIO()
        plot.save(figure, buffer)
        plt.close(figure)
    theirs = re.findall(r'<use xlink:href="#\w+" x="([\d.]+)" y="([\d.]+)" style="fill', buffer.getvalue())[:2]
    ours = [made.place(0.0, 11.0), made.place(2.5, 19.5)]
    np.testing.assert_allclose(ours, [tuple(map(float, pair)) for pair in theirs], atol=1e-3)


def test_values_that_are_all_equal_have_a_frame():
    assert svg.spanned(pd.Series([2.0, 2.0])) == (1.0, 3.0)


def test_a_negative_bar_ends_at_zero():
    drawn = svg.bars([("up", 1.0, "#111111"), ("down", -0.5, "#222222")], 0, 0)
    edges = [(float(x), float(w)) for x, w in re.findall(r'<rect x="([\d.]+)" y="\d+" width="([\d.]+)"', drawn)]
    assert edges[0][0] == pytest.approx(sum(edges[1])) and edges[0][1] == pytest.approx(2 * edges[1][1])


def test_clip_paths_are_named_by_their_shape_as_far_as_it_is_seen():
    text = '<clipPath id="pab12"><rect x="{}" y="3" width="5.5" height="6"/></clipPath><path clip-path="url(#pab12)"/>'
    here, there, else_where = (svg._with_settled_ids(text.format(x)) for x in ("44.8554740", "44.8554741", "44.9"))
    name = re.search(r'id="(\w+)"', here)[1]
    assert name != "pab12" and f"url(#{name})" in here and f'id="{name}"' in there and f'id="{name}"' not in else_where
