"""Dictionaries of observables against products, kernels and values by hand."""

import math

import pytest
import torch

from lib.koopman import dictionaries as d
from tests.koopman.samples import good
from tests.samples import normal


def test_monomials_are_all_products_once():
    x = normal(7, 3, seed=0)
    wanted = [x[:, 0] ** a * x[:, 1] ** b * x[:, 2] ** c for a in range(5) for b in range(5 - a) for c in range(5 - a - b)]
    found = d.monomials(3, degree=4)(x)
    assert found.shape == (7, 35) and torch.equal(found[:, :4], torch.cat([torch.ones(7, 1), x], 1).double())
    assert torch.allclose(found.sort(1).values, torch.stack(wanted, 1).sort(1).values)


def test_random_waves_tend_to_the_gaussian_kernel():
    x = normal(20, 3, seed=0)
    waves = d.random_fourier(3, count=20_000, width=1.5, seed=1)(x)
    assert torch.allclose(waves @ waves.T, d.radial(x, width=1.5)(x), atol=0.03)
    assert d.radial(x, width=1.5)(x)[0, 1].item() == pytest.approx(math.exp(-(x[0] - x[1]).square().sum() / 4.5))


def test_harmonics_of_each_coordinate():
    x = torch.tensor([[0.25, 0.5]], dtype=torch.float64)
    assert torch.allclose(d.trigonometric(2)(x), torch.tensor([[1, 0, -1, 1, 0, 1, -1, 1, 0, 0.0]]).double(), atol=1e-12)
    assert d.joined(d.constant, d.identity)(x).tolist() == [[1, 0.25, 0.5]]


# What is refused.

REFUSED = {
    "coordinates": (lambda: d.monomials(3, degree=2)(good().x), "these monomials take 3 coordinates, got 2"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
