"""MMD, second-order spectra and the unbiased normal form: closed forms, dense forms, libraries."""

import math
import warnings

import numpy as np
import pytest
import torch

from lib.data.synthetic import gaussian_pair
from lib.estimators.cs import cs_divergence
from lib.estimators.gaussian import mi_gaussian, mi_gaussian_unbiased
from lib.estimators.hsic import hsic, hsic_normalised, hsic_unbiased
from lib.estimators.mmd import mmd, mmd_unbiased
from lib.estimators.renyi import mi_renyi, mi_renyi_conditional, mi_renyi_normalised, renyi_entropy
from tests.samples import normal

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from hyppo.independence import Hsic


def gram(z, width):
    return torch.exp(-torch.cdist(z, z).square() / (2 * width**2))


# MMD.


def mean_kernel(shift, variance, width):
    """Mean of the kernel over a difference of scalars that is N(shift, variance)."""
    return math.exp(-(shift**2) / (2 * (variance + width**2))) / math.sqrt(1 + variance / width**2)


@pytest.mark.parametrize(("shift", "spread"), [(0.0, 1.0), (0.5, 1.0), (1.5, 2.0)])
@pytest.mark.parametrize("width", [0.5, 1.0])
def test_mmd_of_normals(shift, spread, width):
    same_x, same_y, cross = (mean_kernel(g, v, width) for g, v in ((0, 2), (0, 2 * spread**2), (shift, 1 + spread**2)))
    truth, n, m = same_x + same_y - 2 * cross, 300, 200
    draws = [(normal(n, 1, seed=2 * s), shift + spread * normal(m, 1, seed=2 * s + 1)) for s in range(40)]
    unbiased, biased = (np.array([float(f(*d, width=width)) for d in draws]) for f in (mmd_unbiased, mmd))
    error = unbiased.std() / math.sqrt(40)
    assert abs(unbiased.mean() - truth) < 4 * error
    assert abs(biased.mean() - truth - (1 - same_x) / n - (1 - same_y) / m) < 4 * error


def test_mmd_and_cs_divergence_share_three_averages():
    x, y = normal(70, 3, seed=0), normal(50, 3, seed=1) + 0.4
    a, b, c = (torch.exp(-torch.cdist(u, v).square() / (2 * 0.8**2)).mean().item() for u, v in ((x, x), (y, y), (x, y)))
    assert mmd(x, y, width=0.8).item() == pytest.approx(a + b - 2 * c, rel=1e-10)
    apart = (70 * a - 1) / 69 + (50 * b - 1) / 49 - 2 * c  # self pairs, each of kernel 1, dropped
    assert mmd_unbiased(x, y, width=0.8).item() == pytest.approx(apart, rel=1e-9)
    assert cs_divergence(x, y, width=0.8).item() == pytest.approx(math.log(a) + math.log(b) - 2 * math.log(c), rel=1e-10)


def test_mmd_of_equal_samples_is_zero_and_of_far_ones_is_the_sum_of_both():
    x = normal(50, 2, seed=0)
    assert mmd(x, x, width=1.0).item() == pytest.approx(0, abs=1e-12)
    far = mmd(x, x + 1000, width=1.0).item()
    assert far == pytest.approx(2 * gram(x, 1.0).mean().item(), rel=1e-9)
    assert torch.autograd.gradcheck(lambda *z: mmd(*z, width=0.9), [normal(7, 2, seed=s).requires_grad_() for s in (1, 2)])


# hyppo's kernel is exp(-gamma |a - b|^2), gamma = 1 / (2 width^2). Its unbiased HSIC is ours over the root of both self
# values, its biased one the root of that; its MMD class scales by a factor of n and m, so MMD is compared through HSIC with
# the label of a sample.


def test_hsic_is_hyppos_up_to_normalisation():
    x, y = (z.double() for z in gaussian_pair(80, 0.6, d=2, seed=0)[:2])
    theirs = [Hsic(bias=bias, gamma=1 / (2 * 0.7**2)).statistic(x.numpy(), y.numpy()) for bias in (True, False)]
    unbiased = [hsic_unbiased(*pair, width_x=0.7, width_y=0.7).item() for pair in ((x, y), (x, x), (y, y))]
    assert theirs[0] ** 2 == pytest.approx(hsic_normalised(x, y, width_x=0.7, width_y=0.7).item(), rel=1e-9)
    assert theirs[1] == pytest.approx(unbiased[0] / math.sqrt(unbiased[1] * unbiased[2]), rel=1e-9)


def test_mmd_is_hyppos_hsic_with_the_label_of_a_sample():
    x, y, n, m = normal(50, 2, seed=0), normal(30, 2, seed=1) + 0.4, 50, 30
    both, label = torch.cat([x, y]), torch.cat([torch.zeros(n), torch.ones(m)]).double()[:, None]
    own = [hsic(z, z, width_x=w, width_y=w).item() for z, w in ((both, 0.7), (label, 0.7))]
    theirs = Hsic(bias=True, gamma=1 / (2 * 0.7**2)).statistic(both.numpy(), label.numpy()) ** 2 * math.sqrt(own[0] * own[1])
    # tr(KHLH) = 2 (1 - l) (n m / (n + m))^2 MMD^2, l the kernel between the labels; HSIC divides by (n + m - 1)^2.
    factor = 2 * (1 - math.exp(-1 / (2 * 0.7**2))) * (n * m / (n + m) / (n + m - 1)) ** 2
    assert mmd(x, y, width=0.7).item() == pytest.approx(theirs / factor, rel=1e-9)


# Spectra.


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


# Normal variables.


@pytest.mark.parametrize("n", [9, 12, 40])
@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_the_mean_of_the_unbiased_normal_form_is_the_truth(n, rho):
    pairs = [gaussian_pair(n, rho, d=3, seed=s) for s in range(300)]
    plain, mended = (
        np.array([float(f(p.x, p.y)) for p in pairs]) - pairs[0].truth["mi"] for f in (mi_gaussian, mi_gaussian_unbiased)
    )
    error = mended.std() / math.sqrt(300)
    assert abs(mended.mean()) < 4 * error and plain.mean() > 8 * error


def test_more_rows_than_columns_are_needed():
    with pytest.raises(ValueError, match="x has 6 rows, at least 7 are needed"):
        mi_gaussian_unbiased(normal(6, 3, seed=0), normal(6, 3, seed=1))
