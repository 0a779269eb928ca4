"""Linear systems and the slow manifold have the spectra, covariances and information that they say."""

import pytest
import torch

from lib.data.dynamics.linear import chain_information, covariance, linear, slow_manifold
from tests.data.dynamics.samples import SMALL, near, pairs


def least_squares(x, y):
    return torch.linalg.lstsq(x, y).solution


@pytest.mark.parametrize("dt", [1.0, 0.25])
def test_least_squares_finds_the_spectrum_of_a_linear_system(dt):
    data = linear(trajectories=20, steps=30, dt=dt, seed=0)
    k = least_squares(*pairs(data.x))
    assert (k - data.truth["operator"]).abs().max() < 1e-10
    assert near(torch.linalg.eigvals(k), data.truth["spectrum"]) < 1e-10
    assert data.truth["spectrum"][0].abs() == pytest.approx(0.99**dt, abs=1e-14)


def test_a_noisy_linear_system_is_stationary():
    data = linear(trajectories=20_000, steps=3, dt=1.0, seed=0, noise=0.3)
    c = data.truth["covariance"]
    for t in (0, 3):
        assert (torch.cov(data.x[:, t].T) - c).abs().max() < 0.06 * c.abs().max()  # 4 standard deviations
    assert (c - data.truth["operator"].T @ c @ data.truth["operator"] - 0.09 * torch.eye(4, dtype=c.dtype)).abs().max() < 1e-12


@pytest.mark.parametrize("lag", [1, 5])
def test_a_chains_information_is_that_of_its_canonical_correlations(lag):
    data = linear(trajectories=1, steps=1, dt=1.0, seed=3, noise=0.3)
    skewed = data.truth["operator"] + 0.3 * torch.diag(torch.ones(2).double(), 2)  # not normal: K^T K is not K K^T
    for k in (data.truth["operator"], skewed):
        c = covariance(k, 0.3)
        root = torch.linalg.cholesky(c)
        cross = torch.linalg.solve(root, c @ torch.linalg.matrix_power(k, lag)) @ torch.linalg.inv(root).T
        wanted = -0.5 * torch.log1p(-torch.linalg.svdvals(cross).square()).sum().item()  # both ends have covariance c
        assert chain_information(k, 0.3, c, lag=lag) == pytest.approx(wanted, abs=1e-9)
    assert data.truth["mi"] == chain_information(data.truth["operator"], 0.3, data.truth["covariance"])


def test_noise_is_not_negative():
    with pytest.raises(ValueError, match="noise must be >= 0, got -1"):
        linear(**SMALL, noise=-1)
    with pytest.raises(ValueError, match="noise must be a positive finite number"):
        chain_information(torch.eye(2), 0.0, torch.eye(2))


def test_the_slow_manifold_solves_its_equation():
    data = slow_manifold(trajectories=5, steps=400, dt=0.005, seed=0)
    x, h = data.x, 0.005
    slope = (8 * (x[:, 3:-1] - x[:, 1:-3]) - (x[:, 4:] - x[:, :-4])) / (12 * h)  # of order 4
    x1, x2 = x[:, 2:-2, 0], x[:, 2:-2, 1]
    residual = slope - torch.stack([-0.05 * x1, -(x2 - x1**2)], 2)
    assert residual.abs().max() < 1e-8


def test_three_observables_close_the_slow_manifold():
    data = slow_manifold(trajectories=20, steps=50, dt=0.02, seed=0)
    lifted = torch.cat([data.x, data.x[..., :1] ** 2], 2)
    found = torch.linalg.eigvals(least_squares(*pairs(lifted)))
    assert near(found, data.truth["spectrum"]) < 1e-10
    assert torch.equal(data.truth["rates"], torch.tensor([-0.05, -1.0, -0.1], dtype=torch.float64))
    with pytest.raises(ValueError, match=r"decay = 2 mu = -0\.1 is resonant"):
        slow_manifold(**SMALL, decay=-0.1)
