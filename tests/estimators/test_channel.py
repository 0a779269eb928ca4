"""Information through a channel of known density: closed forms, exact sums, and what the two estimates must obey."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch.distributions import Independent, Normal, kl_divergence

from lib.estimators.channel import log_densities, mi_channel, mi_channel_jensen


def channel(mean, deviation, *, seed):
    """One code for each input, and the table of log densities."""
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(1000 + seed), dtype=mean.dtype)
    deviation = torch.as_tensor(deviation, dtype=mean.dtype).expand_as(mean)
    return log_densities(mean + deviation * noise, mean, deviation)


def some(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_log_densities_are_those_of_independent_normals():
    z, mean, deviation = some(3, 7, 4), 2 * some(3, 7, 4, seed=1) + 5, some(3, 7, 4, seed=2).exp()
    exact = Independent(Normal(mean[:, None], deviation[:, None]), 1).log_prob(z[:, :, None])
    torch.testing.assert_close(log_densities(z, mean, deviation), exact)


def test_narrow_channels_keep_the_stated_precision():
    z, mean, deviation = some(30, 8), 10 * some(30, 8, seed=1), torch.full((30, 8), 1e-4, dtype=torch.float64)
    exact = Independent(Normal(mean, deviation), 1).log_prob(z[:, None])
    error = (log_densities(z, mean, deviation) - exact).abs().max()
    assert error < 100 * 8 * (30 / 1e-4) ** 2 * torch.finfo(torch.float64).eps


@pytest.mark.parametrize("deviation", [0.3, 1.0, 3.0])
def test_information_of_a_normal_input(deviation):
    n = 2000
    mean = torch.special.ndtri((torch.arange(n, dtype=torch.float64)[:, None] + 0.5) / n)
    got = torch.stack([mi_channel(channel(mean, deviation, seed=seed)) for seed in range(8)])
    assert got.mean().item() == pytest.approx(0.5 * math.log1p(deviation**-2), abs=0.015)  # one draw spreads by 0.01


@pytest.mark.parametrize("apart", [0.5, 1.0, 2.0])
def test_information_of_two_inputs_is_the_integral(apart):
    def lost(z):
        own, other = norm.pdf(z, apart), norm.pdf(z, -apart)
        return own * math.log((own + other) / (2 * own)) if own > 0 else 0.0

    truth = -quad(lost, apart - 12, apart + 12, epsabs=1e-10)[0]
    mean = torch.tensor([-apart, apart], dtype=torch.float64).repeat(500)[:, None]
    got = torch.stack([mi_channel(channel(mean, 1.0, seed=seed)) for seed in range(8)])
    assert got.mean().item() == pytest.approx(truth, abs=0.02)  # one draw spreads by 0.015


def test_codes_that_never_meet_carry_everything_and_equal_codes_nothing():
    apart = 1000 * torch.arange(12, dtype=torch.float64)[:, None]
    assert mi_channel(channel(apart, 1.0, seed=0)).item() == pytest.approx(math.log(12), abs=1e-9)
    for mi in (mi_channel, mi_channel_jensen):
        assert mi(channel(torch.zeros_like(apart), 1.0, seed=0)).item() == pytest.approx(0, abs=1e-9)


def test_classes_that_never_meet_take_their_entropy_off():
    y = torch.tensor([0, 1, 1, 2, 2, 2, 2, 0, 0, 1])
    share = y.bincount() / len(y)
    entropy = -(share * share.log()).sum().item()
    logs = channel(1000 * y[:, None].double() + some(10, 1), 1.0, seed=0)
    assert mi_channel(logs).item() - mi_channel(logs, y).item() == pytest.approx(entropy, abs=1e-6)
    equal = channel(1000 * y[:, None].double(), 1.0, seed=0)
    assert mi_channel(equal, y).item() == pytest.approx(0, abs=1e-6)


def test_within_classes_is_the_mean_over_classes_weighted_by_frequency():
    y = torch.tensor([0, 1, 1, 0, 1, 1, 1])
    logs = channel(some(7, 2), 0.5, seed=3)
    for mi in (mi_channel, mi_channel_jensen):
        parts = [(y == c).sum().item() / 7 * mi(logs[y == c][:, y == c]) for c in (0, 1)]
        assert mi(logs, y).item() == pytest.approx(sum(parts).item(), abs=1e-9)


def test_jensen_is_the_mean_divergence_of_pairs():
    mean, deviation = some(6, 3), some(6, 3, seed=1).exp()
    one, other = (Independent(Normal(mean[i], deviation[i]), 1) for i in ((slice(None), None), (None, slice(None))))
    truth = kl_divergence(one, other).mean().item()
    got = torch.stack([mi_channel_jensen(channel(mean, deviation, seed=seed)) for seed in range(4000)])
    assert got.mean().item() == pytest.approx(truth, abs=4 * got.std().item() / math.sqrt(4000))


def test_jensen_of_one_deviation_is_a_variance():
    mean = some(400, 2)
    truth = (mean.var(0, correction=0).sum() / 0.5**2).item()
    got = torch.stack([mi_channel_jensen(channel(mean, 0.5, seed=seed)) for seed in range(8)])
    assert got.mean().item() == pytest.approx(truth, rel=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_no_draw_exceeds_its_ceilings(seed):
    y = torch.arange(40) % 4
    logs = channel(3 * some(40, 5, seed=seed), some(40, 5, seed=seed + 9).exp(), seed=seed)
    assert mi_channel(logs) <= math.log(40) and mi_channel(logs, y) <= math.log(10)
    assert mi_channel(logs) <= mi_channel_jensen(logs) and mi_channel(logs, y) <= mi_channel_jensen(logs, y)


def test_members_do_not_feel_each_other():
    mean, y = some(3, 8, 2), torch.arange(24).reshape(3, 8) % 2
    logs = channel(mean, 0.5, seed=0)
    for mi in (mi_channel, mi_channel_jensen):
        torch.testing.assert_close(mi(logs, y), torch.stack([mi(a, b) for a, b in zip(logs, y, strict=True)]))


def test_the_slope_is_that_of_the_definition():
    mean, noise, y = some(5, 2).requires_grad_(), some(5, 2, seed=1), torch.tensor([0, 0, 1, 1, 1])

    def information(mean):
        deviation = torch.nn.functional.softplus(mean.flip(0))
        return mi_channel(log_densities(mean + deviation * noise, mean, deviation), y)

    assert torch.autograd.gradcheck(information, mean)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: log_densities(some(3, 2), some(3, 2), torch.zeros(3, 2, dtype=torch.float64)), "deviation must be > 0, got 0"),
        (lambda: log_densities(some(3, 2), some(4, 2), some(3, 2)), r"one shape, got \(3, 2\), \(4, 2\), \(3, 2\)"),
        (lambda: log_densities(some(3, 2) / 0, some(3, 2), some(3, 2)), "z holds 6 NaN or infinite"),
        (lambda: mi_channel(some(3, 2)), r"logs must have shape \(..., n, n\), got \(3, 2\)"),
        (lambda: mi_channel(some(3, 3), torch.zeros(2, dtype=torch.long)), "y must hold 3 integer labels, got torch.int64"),
        (lambda: mi_channel_jensen(some(3, 3), torch.zeros(3)), "y must hold 3 integer labels, got torch.float32"),
    ],
)
def test_refuses_what_it_cannot_mean(call, message):
    with pytest.raises(ValueError, match=message):
        call()
