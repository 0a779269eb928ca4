"""Information of normal variables: its bias, the unbiased form, and covariances that have none."""

import math

import numpy as np
import pytest
import torch

from lib.data.synthetic import gaussian_pair
from lib.estimators import MI
from lib.estimators.gaussian import mi_gaussian, mi_gaussian_unbiased
from tests.estimators.samples import mean_of_seeds
from tests.samples import normal


def test_gaussian_information_is_biased_up_as_documented():
    got = mean_of_seeds(lambda s: mi_gaussian(*gaussian_pair(200, 0.0, d=3, seed=s)[:2]), range(100))
    assert got == pytest.approx(9 / 400, rel=0.2)


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


@pytest.mark.parametrize("name", ["gaussian", "gaussian_unbiased"])
@pytest.mark.parametrize("x", [torch.ones(20, 1), torch.eye(20)[:, :2] @ torch.ones(2, 2)], ids=["constant", "dependent"])
def test_normal_information_refuses_a_singular_covariance(name, x):
    with pytest.raises(ValueError, match=r"the covariance of 20 rows in . columns is singular; drop dependent columns"):
        MI[name](x, normal(20, 1, seed=0))


@pytest.mark.parametrize("shrinkage", [-0.1, 1.0, math.nan])
def test_shrinkage_must_lie_between_zero_and_one(shrinkage, pair):
    with pytest.raises(ValueError, match=r"shrinkage must lie in \[0, 1\)"):
        mi_gaussian(*pair, shrinkage=shrinkage)
