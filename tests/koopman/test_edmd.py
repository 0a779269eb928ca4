"""Least squares between observables: exact spectra where their span is invariant, its ridge, its blocks."""

import numpy as np
import pytest
import torch

from lib.core.types import Trajectories
from lib.koopman import dictionaries as d
from lib.koopman import edmd, edmdc
from lib.koopman.metrics import hausdorff
from lib.koopman.pairs import pairs
from tests.koopman.samples import DT, LAMBDA, MU, good, orbit, quadratic, rotated, slow_manifold


def noisy_logistic(size, steps, *, degree, seed):
    """x' = 4 x (1 - x) + noise mod 1, the density of the noise being proportional to cos^(2 degree)(pi noise)."""
    grid = np.linspace(-0.5, 0.5, 20001)
    mass = np.cumsum(np.cos(np.pi * grid) ** (2 * degree))
    g = np.random.default_rng(seed)
    x, found = g.random(size), []
    for _ in range(steps):
        found.append(x)
        x = (4 * x * (1 - x) + np.interp(g.random(size) * mass[-1], mass, grid)) % 1
    return Trajectories(torch.tensor(np.stack(found, 1)[..., None]), 1.0, {})


def test_edmd_finds_the_spectrum_of_the_slow_manifold():
    model = edmd(slow_manifold(20, 51, seed=0), lift=quadratic)
    rates = model.eigenvalues.log() / DT
    assert max(hausdorff(rates, torch.tensor([MU, 2 * MU, LAMBDA], dtype=torch.complex128))) < 1e-10


def test_the_invariant_dictionary_finds_the_spectrum_of_the_noisy_logistic_map():
    data = noisy_logistic(2000, 101, degree=10, seed=0)
    model = edmd(data, lift=d.trigonometric(10, inner=lambda x: 4 * x * (1 - x)), ridge=1e-9)
    truth = torch.tensor([1, -0.193338 + 0.190943j, -0.193338 - 0.190943j], dtype=torch.complex128)
    assert hausdorff(model.eigenvalues, truth)[0] < 0.03  # 2e5 pairs: 0.02 is the sampling error
    clipped = data._replace(x=(data.x * 1.2 - 0.1).clamp(0, 1))  # another map has another spectrum
    other = edmd(clipped, lift=d.trigonometric(10, inner=lambda x: 4 * x * (1 - x)), ridge=1e-9)
    assert hausdorff(other.eigenvalues, truth)[0] > 0.03


@pytest.mark.parametrize("ridge", [1e-3, 1.0])
def test_a_ridge_is_added_to_the_mean_of_products(ridge):
    data = orbit(rotated(), 20, 5, noise=0.3)
    x, y = pairs(data)
    wanted = torch.linalg.solve(x.T @ x / len(x) + ridge * torch.eye(4), x.T @ y / len(x))
    assert torch.allclose(edmd(data, lift=d.identity, ridge=ridge).operator, wanted, atol=1e-12)


def test_blocks_change_nothing(monkeypatch):
    data = slow_manifold(20, 51, seed=0)
    whole = edmd(data, lift=d.monomials(2, degree=3))
    monkeypatch.setattr("lib.koopman.pairs.BLOCK", 20 * 10 * 7)
    assert torch.allclose(edmd(data, lift=d.monomials(2, degree=3)).operator, whole.operator, atol=1e-7)


# What is refused.

REFUSED = {
    "pairs": (lambda: edmd(good(), lift=d.monomials(2, degree=4)), "15 observables and controls want as many pairs, got 9"),
    "singular": (lambda: edmd(good(), lift=d.joined(quadratic, d.identity)), "G is singular: 5 observables span only 3"),
    "ridge": (lambda: edmd(good(), lift=quadratic, ridge=-1.0), "ridge must be a positive finite number"),
    "no controls": (lambda: edmdc(good(), lift=quadratic), "data has no controls; use edmd"),
    "lift": (lambda: edmd(good(), lift=lambda x: x / 0), "lift gives NaN or infinite observables"),
    "flat lift": (lambda: edmd(good(), lift=lambda x: x.sum(-1)), r"lift must map \(N, n\) to \(N, k\)"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
