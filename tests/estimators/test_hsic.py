"""HSIC and CKA against dense forms, the printed formula and an independent library."""

import math

import numpy as np
import pytest
import torch

from lib.data.synthetic import gaussian_pair
from lib.estimators.hsic import cka, hsic, hsic_normalised, hsic_unbiased
from tests.estimators.samples import Hsic
from tests.samples import normal


def test_hsic_is_the_trace_of_centred_gram_matrices():
    x, y = normal(15, 2, seed=0), normal(15, 1, seed=1)
    k, q = (torch.exp(-torch.cdist(z, z).square() / (2 * 0.8**2)) for z in (x, y))
    h = torch.eye(15, dtype=torch.float64) - 1 / 15
    assert hsic(x, y, width_x=0.8, width_y=0.8).item() == pytest.approx(((k @ h @ q @ h).trace() / 14**2).item(), rel=1e-9)


def test_unbiased_hsic_is_the_printed_formula_and_has_mean_zero():
    x, y, n = normal(12, 2, seed=0), normal(12, 1, seed=1), 12
    k, q = (torch.exp(-torch.cdist(z, z).square() / 2).fill_diagonal_(0) for z in (x, y))
    dense = (k @ q).trace() + k.sum() * q.sum() / ((n - 1) * (n - 2)) - 2 * (k @ q).sum() / (n - 2)
    assert hsic_unbiased(x, y).item() == pytest.approx((dense / (n * (n - 3))).item(), rel=1e-9)
    both = [
        (hsic_unbiased(a, b).item(), hsic(a, b).item())
        for a, b in ((normal(20, 1, seed=s), normal(20, 1, seed=s + 999)) for s in range(400))
    ]
    unbiased, biased = np.array(both).T
    assert abs(unbiased.mean()) < 4 * unbiased.std() / 20 and biased.mean() > 20 * biased.std() / 20


def test_unbiased_hsic_wants_four_rows():
    with pytest.raises(ValueError, match="x has 3 rows, at least 4 are needed"):
        hsic_unbiased(normal(3, 1, seed=0), normal(3, 1, seed=1))


def test_cka_of_scalars_is_the_squared_correlation_and_is_blind_to_rotation():
    x, y, _ = gaussian_pair(100, 0.6, seed=0)
    assert cka(x, y).item() == pytest.approx(np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2, abs=1e-6)
    a, turn = normal(50, 3, seed=0), torch.linalg.qr(normal(3, 3, seed=1)).Q
    assert cka(a, 4 * a @ turn + 1).item() == pytest.approx(1, abs=1e-9)
    assert cka(a, torch.ones(50, 1, dtype=torch.float64)).item() == 0


def test_hsic_is_hyppos_up_to_normalisation():
    x, y = (z.double() for z in gaussian_pair(80, 0.6, d=2, seed=0)[:2])
    theirs = [Hsic(bias=bias, gamma=1 / (2 * 0.7**2)).statistic(x.numpy(), y.numpy()) for bias in (True, False)]
    unbiased = [hsic_unbiased(*pair, width_x=0.7, width_y=0.7).item() for pair in ((x, y), (x, x), (y, y))]
    assert theirs[0] ** 2 == pytest.approx(hsic_normalised(x, y, width_x=0.7, width_y=0.7).item(), rel=1e-9)
    assert theirs[1] == pytest.approx(unbiased[0] / math.sqrt(unbiased[1] * unbiased[2]), rel=1e-9)
