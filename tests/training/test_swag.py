"""One normal distribution over weights: what the path says, what is drawn and what is evaluated are the same."""

import math

import pytest
import torch
from torch.distributions import LowRankMultivariateNormal, MultivariateNormal

from lib.training import swag


def path_of(points, rank):
    path = swag.Path(rank=rank)
    for point in points:
        path.add(point)
    return path


@pytest.fixture
def points():
    return torch.randn(30, 2, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).cumsum(0)


@pytest.fixture
def posterior(points):
    return path_of(points, 4).posterior(floor=0.01).of(1)


def dense(posterior):
    d = posterior.deviations
    return posterior.variance.diag() + d.T @ d / (len(d) - 1)


def test_the_path_has_the_mean_the_variance_and_the_last_deviations_of_its_points(points):
    found = path_of(points, 4).posterior(floor=0.01)
    torch.testing.assert_close(found.mean, points.mean(0))
    torch.testing.assert_close(found.variance, points.var(0, correction=0) + 0.01)
    running = [points[t] - points[: t + 1].mean(0) for t in range(26, 30)]
    torch.testing.assert_close(found.deviations, torch.stack(running, 1))


def test_the_variance_of_weights_that_barely_move_survives_single_precision():
    steps = torch.randn(100, 1, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    points = 3 + 1e-4 * steps
    found = path_of(points.float(), 4).posterior(floor=1e-12)
    torch.testing.assert_close(found.variance.double(), points.var(0, correction=0), rtol=0.01, atol=0)


def test_a_path_goes_on_after_it_was_read(points):
    path = path_of(points[:20], 4)
    before = path.posterior().mean.clone()
    read = path.posterior()
    path.add(points[20])
    torch.testing.assert_close(read.mean, before)


@pytest.mark.parametrize("block", [10, 2**19])
def test_log_density_agrees_with_two_others(posterior, block, monkeypatch):
    monkeypatch.setattr(swag, "BLOCK", block)
    x = 3 * torch.randn(7, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + posterior.mean
    factor = posterior.deviations.T / math.sqrt(len(posterior.deviations) - 1)
    low_rank = LowRankMultivariateNormal(posterior.mean, factor, posterior.variance).log_prob(x)
    full = MultivariateNormal(posterior.mean, dense(posterior)).log_prob(x)
    torch.testing.assert_close(swag.log_density(posterior, x), low_rank)
    torch.testing.assert_close(swag.log_density(posterior, x), full)


def test_the_first_weights_have_the_marginal_of_all(points):
    whole, part = (path_of(points, 4).posterior(floor=0.01).of(0, most) for most in (None, 3))
    marginal = MultivariateNormal(whole.mean[:3], dense(whole)[:3, :3])
    x = torch.ones(1, 3, dtype=torch.float64)
    torch.testing.assert_close(swag.log_density(part, x), marginal.log_prob(x))


def test_draws_have_the_covariance_that_the_density_has(posterior):
    drawn = swag.sample(posterior, 200_000, torch.Generator().manual_seed(0))
    truth = dense(posterior)
    scale = (truth.diag()[:, None] * truth.diag()).sqrt()
    assert ((drawn.T.cov() - truth).abs() / scale).max() < 0.015  # standard error: at most sqrt(2 / 200 000) = 0.003
    assert ((drawn.mean(0) - posterior.mean) / truth.diag().sqrt()).abs().max() < 0.01


def test_the_mean_log_density_of_draws_is_the_negative_entropy(posterior):
    entropy = MultivariateNormal(posterior.mean, dense(posterior)).entropy().item()
    for seed in range(5):
        drawn = swag.sample(posterior, 20_000, torch.Generator().manual_seed(seed))
        assert -swag.log_density(posterior, drawn).mean().item() == pytest.approx(entropy, abs=0.05)  # spread 0.011


def test_single_precision_serves_many_weights():
    g = torch.Generator().manual_seed(0)
    mean, variance = (
        torch.randn(20_000, generator=g, dtype=torch.float64),
        torch.rand(20_000, generator=g).double() * 1e-4 + 1e-6,
    )
    wide = swag.Posterior(mean, variance, 0.01 * torch.randn(10, 20_000, generator=g, dtype=torch.float64))
    x = swag.sample(wide, 3, g)
    single = swag.log_density(swag.Posterior(*(part.float() for part in wide)), x.float())
    torch.testing.assert_close(single.double(), swag.log_density(wide, x), rtol=1e-3, atol=0)


def test_refuses_a_path_that_is_too_short(points):
    with pytest.raises(ValueError, match="the path has 3 points, rank 4 needs as many; keep more epochs"):
        path_of(points[:3], 4).posterior()
    with pytest.raises(ValueError, match="rank must be a whole number >= 2, got 1"):
        swag.Path(rank=1)
    with pytest.raises(ValueError, match="floor must be a positive finite number, got 0"):
        path_of(points, 4).posterior(floor=0)
