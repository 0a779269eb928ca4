"""The noisy logistic map, wrapped and clipped: spectra by quadrature and by their estimates."""

import math

import numpy as np
import pytest
from scipy import stats

from lib.experiments.koopman_spectra import logistic


def wrapped_by_quadrature(power, nodes=200):
    points, weights = np.polynomial.legendre.leggauss(nodes)
    y, w = (points + 1) / 2, weights / 2
    gap = (y - 4 * (y * (1 - y))[:, None] + 0.5) % 1 - 0.5
    scale = 2 ** (2 * power) / math.comb(2 * power, power)
    return np.linalg.eigvals(scale * np.cos(np.pi * gap) ** (2 * power) * w)


def test_the_quadrature_that_gives_the_clipped_spectrum_gives_the_known_one_when_it_wraps():
    found = wrapped_by_quadrature(10)
    for known in logistic.truths()["wrapped"][:5].numpy():
        assert np.abs(found - known).min() < 1e-8


def test_the_clipped_spectrum_keeps_constants_and_does_not_depend_on_the_grid():
    coarse, fine = (logistic.clipped_spectrum(nodes=n) for n in (100, 400))
    assert coarse[0].real == pytest.approx(1, abs=1e-9) and (coarse[:5] - fine[:5]).abs().max() < 1e-8


def test_one_clipped_step_has_the_mean_of_its_law_and_estimates_go_to_its_spectrum():
    rng, x = np.random.default_rng(0), np.full(400_000, 0.3)
    noise = np.arctan(rng.standard_t(21, len(x)) / math.sqrt(21)) / math.pi
    mean = np.cos(2 * np.pi * np.clip(4 * x * (1 - x) + noise, 0, 1)).mean()
    first = 4 * 0.3 * 0.7
    law = stats.t(21)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    y, w = (nodes + 1) / 2, weights / 2
    density = np.where(np.abs(y - first) < 0.5, np.cos(np.pi * (y - first)) ** 20, 0) * 2**20 / math.comb(20, 10)
    above = law.sf(math.sqrt(21) * math.tan(math.pi * (1 - first)))
    truth = (w * density * np.cos(2 * np.pi * y)).sum() + above
    assert mean == pytest.approx(truth, abs=4e-3)
    apart = []
    for seed in range(3):
        data = logistic.clipped_logistic(steps=60_000, seed=seed)
        assert data.x.min() == 0 and data.x.max() == 1
        values = logistic.CLIPPED["monomials"](data, 0).eigenvalues
        apart.append((values[:, None] - data.truth["spectrum"][:2]).abs().amin(0).max().item())
    assert sorted(apart)[1] < 0.06, apart


def test_distances_are_zero_for_the_truth_and_slopes_are_those_of_powers():
    table = logistic.distances(0, sizes=[500, 20_000])
    assert set(table.kind) == {"wrapped", "clipped"} and table.error.between(0, 0.5).all()
    last = table[(table.n == 20_000) & (table.kind == "wrapped")].set_index("method").error
    assert last["invariant"] < 0.1 < last["PCR 0.1"]
    made = table[table.method == "invariant"].assign(error=lambda t: 3 * t.n**-0.5)
    assert logistic.slopes(made)[0] == pytest.approx(-0.5)
