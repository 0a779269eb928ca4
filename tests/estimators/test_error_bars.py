"""Stated errors against the true spread over seeds, and what cannot have them."""

from functools import partial

import numpy as np
import pytest
import torch

from lib.data.synthetic import gaussian_pair
from lib.estimators import cs_qmi, hsic, mi_binning, mi_gaussian, mi_ksg
from lib.estimators.error_bars import BY_NEIGHBOURS, bootstrap, estimate, subsample
from lib.estimators.knn import mi_ross

PAIRS = [gaussian_pair(300, 0.7, seed=s) for s in range(240)]
WAYS = [(subsample, f) for f in (mi_ksg, mi_gaussian, cs_qmi, hsic, mi_binning)] + [
    (bootstrap, f) for f in (mi_gaussian, cs_qmi, hsic, mi_binning)
]


@pytest.mark.parametrize(("way", "f"), WAYS, ids=lambda f: f.__name__)
def test_the_stated_error_is_the_spread_over_seeds(way, f):
    values = np.array([float(f(p.x, p.y)) for p in PAIRS])
    found = [way(f, p.x, p.y, draws=20, seed=0) for p in PAIRS[:40]]
    assert [e.value for e in found] == values[:40].tolist()
    # Binning's estimates of half the rows, or of repeated ones, spread more than those of all rows.
    most = 1.45 if f is mi_binning else 1.2
    assert 0.8 < np.mean([e.error for e in found]) / values.std() < most
    covered = np.mean([e.interval[0] < values.mean() < e.interval[1] for e in found])
    assert covered >= 0.8  # 0.875 to 1 measured; 0.95 for exact errors


def test_the_error_of_a_mean_is_the_textbook_one():
    x = torch.randn(1000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for way in (subsample, bootstrap):
        found = way(lambda a, b: a.mean(), x, x, draws=400, seed=1)
        assert found.error == pytest.approx(x.std().item() / 1000**0.5, rel=0.1)


def test_the_same_seed_gives_the_same_error_and_options_reach_the_estimator():
    x, y, _ = PAIRS[0]
    first, again, other = (subsample(mi_ksg, x, y, draws=5, seed=s, k=5) for s in (0, 0, 1))
    assert first == again and first.error != other.error and first.value == mi_ksg(x, y, k=5).item()
    assert first.interval == pytest.approx((first.value - 1.96 * first.error, first.value + 1.96 * first.error), rel=1e-4)
    state = torch.get_rng_state()
    bootstrap(hsic, x, y, draws=2, seed=0, width_x=0.5)
    assert torch.equal(torch.get_rng_state(), state)


def test_labels_may_be_drawn_too():
    x, y, _ = PAIRS[0]
    assert 0 < subsample(mi_ross, x, (y[:, 0] > 0).long(), draws=5, seed=0).error < 0.2


@pytest.mark.parametrize("f", [*BY_NEIGHBOURS, partial(mi_ksg, k=5)])
def test_neighbours_are_not_bootstrapped(f):
    with pytest.raises(ValueError, match=r"mi_\w+ measures distances to neighbours, .* use subsample"):
        bootstrap(f, *PAIRS[0][:2], seed=0)


@pytest.mark.parametrize("way", [subsample, bootstrap])
def test_error_bars_say_what_is_wrong(way):
    x, y, _ = PAIRS[0]
    for bad, message in (
        (lambda: way(hsic, x, y, draws=1, seed=0), "draws must be a whole number >= 2, got 1"),
        (lambda: way(hsic, x, y[:9], seed=0), "got 300 and 9 rows"),
        (lambda: way(hsic, x[:3], y[:3], seed=0), "x has 3 rows, at least 4"),
        (lambda: way(hsic, x[None], y[None], seed=0), "x must be one sample"),
    ):
        with pytest.raises(ValueError, match=message):
            bad()
    with pytest.raises(TypeError, match="widthx"):
        way(hsic, x, y, seed=0, widthx=1.0)


def test_an_interval_is_symmetric():
    assert estimate(1, 0.5).interval == pytest.approx((0.02, 1.98), abs=1e-3)
