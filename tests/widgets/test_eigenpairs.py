"""Views of models taken apart: errors of the pairs that are kept, colours, phases, and how fast they redraw."""

import base64
import io
import math
import re
import time

import numpy as np
import pytest
from PIL import Image

from lib.experiments.koopman_spectra import rollouts
from lib.widgets import eigenpairs
from tests.widgets.samples import three


def test_the_error_is_nothing_with_all_pairs_and_grows_as_they_go():
    assert eigenpairs.error(three(), 1.0) < 1e-12 < 0.1 < eigenpairs.error(three(), 1e-8)
    assert eigenpairs.thresholds(three()) == pytest.approx([1.001e-9, 0.1001])
    assert eigenpairs.columns(three()) == [0, 1] and eigenpairs.turning(three()) == [0, 1]


def test_dropped_pairs_turn_grey_in_a_frame_that_stands_still():
    some, none = (eigenpairs.eigenpairs(three(), at_most=level) for level in (1e-8, 1.0))
    colours = [re.findall(r'r="3.5" fill="(#\w+)"', svg) for svg in (some, none)]
    assert colours[0][1:] == [eigenpairs.DROPPED] * 2 and eigenpairs.DROPPED not in colours[1]
    assert "modulus 0.8000, residual 1.0e-01" in some and colours[0][0] == colours[1][0]
    strip = lambda svg: re.sub(r"<circle.*?</circle>", "", svg)  # noqa: E731
    assert strip(some) == strip(none)


def test_colours_of_residuals_end_where_the_scale_does():
    assert eigenpairs.shade(1e-14) == eigenpairs.shade(1e-10) != eigenpairs.shade(1e-6)
    assert eigenpairs.shade(7.0) == eigenpairs.shade(1.0)


def test_the_rollout_says_what_is_kept_and_draws_both_lines():
    svg = eigenpairs.rollout(three(), at_most=1e-8, column=1)
    assert "1 of 3 pairs, error" in svg and svg.count('stroke-width="1.4"') == 2
    whole = eigenpairs.rollout(three(), at_most=1.0, column=0)
    trajectory, told = re.findall(r'<path d="M([^"]*)" fill="none" stroke="#\w+" stroke-width="1.4"', whole)
    assert trajectory.split("L")[1:] == told.split("L")[:1] + told.split("L")[1:], "all pairs follow the trajectory"


def pixels(svg):
    png = base64.b64decode(re.search(r"base64,([^\"]+)", svg)[1])
    return np.asarray(Image.open(io.BytesIO(png))).astype(int)


def test_half_a_turn_swaps_blue_and_red_in_a_mode(waves):
    pair = eigenpairs.turning(waves)[0]
    here, there = (pixels(eigenpairs.mode(waves, pair=pair, phase=p)) for p in (0.0, math.pi))
    assert here.shape == (8, 8, 3)
    part = waves.parts[pair].real.reshape(8, 8).numpy()
    strong = np.abs(part) > 0.5 * waves.parts[pair].abs().max().item()
    warm = here[..., 0] - here[..., 2]
    assert (np.sign(warm[strong]) == np.sign(part[strong])).all() and strong.sum() > 8
    assert (np.sign(there[..., 0] - there[..., 2])[strong] == -np.sign(warm[strong])).all()


def test_redrawing_takes_less_than_a_tenth_of_a_second(waves):
    model = rollouts.models(0)["Lorenz, degree 5"]
    eigenpairs.trusted(model, at_most=1.0, column=0)
    begin = time.process_time()
    for level in np.geomspace(1e-6, 1, 10):
        eigenpairs.trusted(model, at_most=level, column=0), eigenpairs.mode(waves, pair=0, phase=level)
    assert (time.process_time() - begin) / 10 < 0.1
