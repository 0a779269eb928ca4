"""Spectral entropies and information of clusters, whose values are known, and the form of second order."""

import math

import pytest
import torch

from lib.data.synthetic import gaussian_pair
from lib.estimators.renyi import mi_renyi, mi_renyi_conditional, mi_renyi_normalised, renyi_entropy
from tests.estimators.samples import gram
from tests.samples import normal


@pytest.mark.parametrize("alpha", [0.5, 1.01, 2.0])
def test_spectral_entropy_of_clusters_is_the_logarithm_of_their_number(alpha):
    x = torch.arange(8.0)[:, None].repeat(5, 1) * 100
    assert renyi_entropy(x, alpha=alpha).item() == pytest.approx(math.log(8), abs=1e-6)
    assert renyi_entropy(torch.ones(30, 2), alpha=alpha).item() == pytest.approx(0, abs=1e-6)


def test_spectral_information_of_independent_and_equal_clusters():
    grid = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0)) * 100
    a, b = grid[:, :1], grid[:, 1:]
    assert mi_renyi(a, b).item() == pytest.approx(0, abs=1e-6)
    assert mi_renyi(a, a).item() == pytest.approx(math.log(4), abs=1e-6)


@pytest.mark.parametrize("alpha", [1, 0, -1.0])
def test_an_order_that_has_no_entropy_is_refused(alpha):
    with pytest.raises(ValueError, match=f"alpha must be positive and not 1, got {alpha}"):
        renyi_entropy(normal(5, 1, seed=0), alpha=alpha)


@pytest.mark.parametrize("near", [2 - 1e-7, 2 + 1e-7])
def test_second_order_without_a_spectrum_is_the_limit_of_the_spectral_one(near):
    x, y = (z.double() for z in gaussian_pair(120, 0.7, d=2, seed=0)[:2])
    k = gram(x, 0.8) / 120
    assert renyi_entropy(x, alpha=2, width=0.8).item() == pytest.approx(-math.log((k @ k).trace().item()), rel=1e-12)
    assert renyi_entropy(x, alpha=2, width=0.8).item() == pytest.approx(
        renyi_entropy(x, alpha=near, width=0.8).item(), rel=1e-6
    )
    for f in (mi_renyi, mi_renyi_normalised):
        assert f(x, y, alpha=2).item() == pytest.approx(f(x, y, alpha=near).item(), rel=1e-5)


@pytest.mark.parametrize("alpha", [0.5, 1.01, 2])
def test_normalised_and_conditional_spectral_information_of_clusters(alpha):
    bits = torch.cartesian_prod(torch.arange(2.0), torch.arange(2.0), torch.arange(2.0)).double() * 100
    x, t, noise = bits.split(1, 1)
    either = (x - t).abs()  # exclusive or
    assert mi_renyi_normalised(x, x, alpha=alpha).item() == pytest.approx(1, abs=1e-6)
    assert mi_renyi_normalised(x, t, alpha=alpha).item() == pytest.approx(0, abs=1e-6)
    assert mi_renyi_normalised(x, 0 * x, alpha=alpha).item() == pytest.approx(0, abs=1e-6)
    four = torch.cat([x, t], 1)
    assert mi_renyi_normalised(four, t, alpha=alpha).item() == pytest.approx(1, abs=1e-6), "the smaller entropy is all shared"
    assert mi_renyi_conditional(x, t, either, alpha=alpha).item() == pytest.approx(math.log(2), abs=1e-6)
    assert mi_renyi_conditional(x, t, noise, alpha=alpha).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("alpha", [0, -1.0, 1, math.nan, math.inf])
def test_an_order_must_be_positive_finite_and_not_one(alpha, pair):
    for f in (lambda: renyi_entropy(pair[0], alpha=alpha), lambda: mi_renyi(*pair, alpha=alpha)):
        with pytest.raises(ValueError, match="alpha must be positive and not 1, got"):
            f()
