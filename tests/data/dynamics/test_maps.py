"""The noisy logistic map has its spectrum and its noise."""

import math

import numpy as np
import pytest
import torch

from lib.data.dynamics.maps import logistic_spectrum, noisy_logistic
from tests.data.dynamics.samples import near, pairs


@pytest.mark.parametrize(
    ("power", "wanted"),
    [(10, [1, -0.193338 + 0.190943j, -0.193338 - 0.190943j, -0.026655, 0.022119, 0.005342]), (20, [1, -0.208118 + 0.325683j])],
)
def test_the_maps_spectrum_is_the_computed_one(power, wanted):
    found = logistic_spectrum(power)
    assert len(found) == 2 * power + 1
    assert (found[: len(wanted)] - torch.tensor(wanted, dtype=torch.complex128)).abs().max() < 1e-6


def test_the_maps_spectrum_is_that_of_its_discretised_kernel():
    nodes, weights = np.polynomial.legendre.leggauss(120)
    y = (nodes + 1) / 2
    kernel = np.cos(np.pi * (y[None] - 4 * y[:, None] * (1 - y[:, None]))) ** 20
    values = np.linalg.eigvals(kernel * weights / 2 / (math.comb(20, 10) / 4**10))
    found = torch.from_numpy(values[np.argsort(-abs(values))][:21])
    assert near(found, logistic_spectrum(10)[:7]) < 1e-9


def test_the_noise_is_wrapped_and_has_its_spread():
    data = noisy_logistic(trajectories=500, steps=200, seed=0)
    before, after = pairs(data.x)
    noise = (after - 4 * before * (1 - before) + 0.5) % 1 - 0.5
    xi = np.linspace(-0.5, 0.5, 20_001)
    density = np.cos(np.pi * xi) ** 20
    assert noise.std() == pytest.approx(math.sqrt((xi**2 * density).sum() / density.sum()), rel=0.01)
    assert noise.std() == pytest.approx(0.06943, rel=0.01)
    assert data.x.min() >= 0 and data.x.max() < 1


def test_the_invariant_dictionary_finds_the_maps_spectrum():
    data = noisy_logistic(trajectories=1000, steps=400, seed=0)
    x, y = pairs(data.x)
    waves = [torch.exp(2j * math.pi * torch.arange(-10, 11) * 4 * z * (1 - z)) for z in (x, y)]
    gram, cross = (waves[0].mH @ wave for wave in waves)
    assert near(torch.linalg.eigvals(torch.linalg.solve(gram, cross)), logistic_spectrum(10)[:3]) < 0.03
