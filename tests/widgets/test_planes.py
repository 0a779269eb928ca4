"""Planes show the points that were chosen, say what they are, and redraw as fast as a slider moves."""

import re
import time

import pytest

from lib.widgets import planes
from tests.widgets.samples import codes, dots, paths


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


def test_redrawing_takes_less_than_a_tenth_of_a_second():
    table, all_of = paths(epochs=100), {"layers": range(1, 6), "seeds": range(20)}
    planes.plane(table, epoch=1, **all_of)
    begin = time.process_time()
    for epoch in range(1, 11):
        planes.plane(table, epoch=epoch, **all_of)
    assert (time.process_time() - begin) / 10 < 0.1


@pytest.mark.parametrize("control", ["layers", "seeds"])
def test_nothing_chosen_shows_an_empty_frame(control):
    chosen = {"layers": [1], "seeds": [0]} | {control: []}
    assert dots(planes.plane(paths(), epoch=1, **chosen)) == []
