"""Views put every point where matplotlib would, say what it is, and redraw as fast as a slider moves."""

import io
import re
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lib.widgets import explorers, planes, svg
from lib.workbook import plot


def paths(epochs=40, layers=5, seeds=20):
    grid = pd.MultiIndex.from_product(
        [range(1, epochs + 1), range(1, layers + 1), range(seeds)], names=["epoch", "layer", "seed"]
    )
    table = grid.to_frame(index=False)
    values = {
        "mi_xt": 8 - table.layer + table.epoch / epochs + 0.01 * table.seed,
        "mi_ty": 0.1 * table.layer + 0.001 * table.epoch,
    }
    return table.assign(run="tanh", estimator="binning", **values)


def codes():
    rows = [
        {"run": "diabetes", "method": m, "beta": b, "seed": s, "capacity": b / 2 + s / 10, "performance": 1 - b}
        for m in ("vib", "nib<&>")
        for b in (0.0, 0.1, 1.0)
        for s in (0, 1)
    ]
    return pd.DataFrame(rows)


def dots(svg):
    found = re.findall(r'<circle cx="([-\d.]+)" cy="([-\d.]+)" r="3.5" fill="(#\w+)"><title>([^<]*)</title>', svg)
    return [(float(x), float(y), colour, title) for x, y, colour, title in found]


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


def test_the_plane_shows_the_chosen_points_and_says_what_they_are():
    svg = planes.plane(paths(), epoch=7, layers=[2, 3], seeds=[0, 5])
    assert [title for *_, title in dots(svg)] == [
        f"tanh, layer {layer}, seed {seed}, epoch 7" for layer in (2, 3) for seed in (0, 5)
    ]
    assert len({colour for _, _, colour, _ in dots(svg)}) == 2 and "layer 3 ●" in svg and "layer 4" not in svg


def test_the_frame_stands_still_while_points_move():
    early, late = (planes.plane(paths(), epoch=e, layers=[1], seeds=[0]) for e in (1, 40))
    strip = lambda svg: re.sub(r"<circle.*?</circle>", "", svg)  # noqa: E731
    assert strip(early) == strip(late) and dots(early)[0][0] < dots(late)[0][0] and dots(early)[0][1] > dots(late)[0][1]


def test_capacity_shows_betas_in_the_range_and_escapes_names():
    svg = planes.capacity(codes(), methods=["nib<&>"], betas=(0.1, 1.0), seeds=[1])
    assert [title for *_, title in dots(svg)] == [f"nib&lt;&amp;&gt;, beta {b}, seed 1, diabetes" for b in ("0.1", "1")]


def test_values_that_are_all_equal_have_a_frame():
    assert svg.spanned(pd.Series([2.0, 2.0])) == (1.0, 3.0)


def test_redrawing_takes_less_than_a_tenth_of_a_second():
    table, all_of = paths(epochs=100), {"layers": range(1, 6), "seeds": range(20)}
    planes.plane(table, epoch=1, **all_of)
    begin = time.process_time()
    for epoch in range(1, 11):
        planes.plane(table, epoch=epoch, **all_of)
    assert (time.process_time() - begin) / 10 < 0.1


def picture(panel):
    return panel.children[1].value


def test_a_slider_redraws_the_plane():
    panel = explorers.plane_explorer(paths())
    slider, layers, seeds = panel.children[0].children
    assert slider.value == 40 and len(dots(picture(panel))) == 100
    slider.value = 3
    assert all(title.endswith("epoch 3") for *_, title in dots(picture(panel)))
    layers.value, seeds.value = (4,), (1, 2)
    assert len(dots(picture(panel))) == 2


def test_a_range_of_betas_redraws_capacity():
    panel = explorers.capacity_explorer(codes())
    betas, methods, _ = panel.children[0].children
    betas.value = (0.0, 0.0)
    methods.value = ("vib",)
    assert [title for *_, title in dots(picture(panel))] == [f"vib, beta 0, seed {s}, diabetes" for s in (0, 1)]


def test_the_menu_changes_the_table():
    tables = {"tanh": paths(), "small": paths(epochs=2, layers=1, seeds=1)}
    whole = explorers.explorer(tables, explorers.plane_explorer, "run")
    menu, place = whole.children
    menu.value = "small"
    assert len(dots(picture(place.children[0]))) == 1


@pytest.mark.parametrize("control", ["layers", "seeds"])
def test_nothing_chosen_shows_an_empty_frame(control):
    chosen = {"layers": [1], "seeds": [0]} | {control: []}
    assert dots(planes.plane(paths(), epoch=1, **chosen)) == []
