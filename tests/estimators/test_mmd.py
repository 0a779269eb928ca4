"""MMD against closed forms, three averages and an independent library."""

import math

import numpy as np
import pytest
import torch

from lib.estimators.cs import cs_divergence
from lib.estimators.hsic import hsic
from lib.estimators.mmd import mmd, mmd_unbiased
from tests.estimators.samples import Hsic, gram
from tests.samples import normal


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


def test_mmd_is_hyppos_hsic_with_the_label_of_a_sample():
    x, y, n, m = normal(50, 2, seed=0), normal(30, 2, seed=1) + 0.4, 50, 30
    both, label = torch.cat([x, y]), torch.cat([torch.zeros(n), torch.ones(m)]).double()[:, None]
    own = [hsic(z, z, width_x=w, width_y=w).item() for z, w in ((both, 0.7), (label, 0.7))]
    theirs = Hsic(bias=True, gamma=1 / (2 * 0.7**2)).statistic(both.numpy(), label.numpy()) ** 2 * math.sqrt(own[0] * own[1])
    # tr(KHLH) = 2 (1 - l) (n m / (n + m))^2 MMD^2, l the kernel between the labels; HSIC divides by (n + m - 1)^2.
    factor = 2 * (1 - math.exp(-1 / (2 * 0.7**2))) * (n * m / (n + m) / (n + m - 1)) ** 2
    assert mmd(x, y, width=0.7).item() == pytest.approx(theirs / factor, rel=1e-9)
