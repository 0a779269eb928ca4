"""Linear chains with normal noise: closed forms against each other, against samples, and against kept numbers."""

import math

import pytest
import torch

from lib.estimators.gaussian import mi_gaussian
from lib.koopman.allocation import anti_collapse, carried, water_filling
from lib.koopman.bound import divergence, error_bound, total_variation
from lib.koopman.chain import (
    canonical_correlations,
    chain_information,
    coded,
    gathered_noise,
    information,
    information_limit,
    information_split,
    stationary,
)
from tests.samples import normal

GAINS = torch.tensor([100.0, 1.0, 0.01])


def chain(d=4, seed=0, radius=0.95):
    k = normal(d, d, seed=seed)
    root = normal(d, d, seed=seed + 1)
    return stationary(radius * k / torch.linalg.eigvals(k).abs().max(), root @ root.T + torch.eye(d, dtype=torch.float64))


def test_the_stationary_law_repeats_itself():
    c = chain()
    torch.testing.assert_close(c.step.T @ c.covariance @ c.step + c.noise, c.covariance)
    power = torch.linalg.matrix_power(c.step, 7)
    torch.testing.assert_close(gathered_noise(c, 7) + power.T @ c.covariance @ power, c.covariance)


@pytest.mark.parametrize(("lag", "nats"), [(1, 2.315601), (5, 1.188025), (20, 0.552776)])
def test_information_of_three_modes(lag, nats):
    c = stationary(torch.tensor([0.99, 0.7, 0.2]).double().diag(), torch.eye(3))
    assert chain_information(c, lag=lag) == pytest.approx(nats, abs=1e-6)


@pytest.mark.parametrize("lag", [1, 2, 9])
def test_information_is_that_of_the_canonical_correlations(lag):
    c = chain()
    r = canonical_correlations(c, lag=lag)
    assert chain_information(c, lag=lag) == pytest.approx(-0.5 * torch.log1p(-(r**2)).sum().item(), abs=1e-10)
    joint, x, _ = coded(c, torch.eye(4), spread=1.0, steps=lag)
    assert information(joint, x[0], x[lag]) == pytest.approx(chain_information(c, lag=lag), abs=1e-9)


def test_a_sampled_chain_has_the_information():
    c, runs = chain(), 40_000
    x = normal(runs, 4, seed=5) @ torch.linalg.cholesky(c.covariance).T
    later = x
    for t in range(3):
        later = later @ c.step + normal(runs, 4, seed=6 + t) @ torch.linalg.cholesky(c.noise).T
    assert mi_gaussian(x, later).item() == pytest.approx(chain_information(c, lag=3), abs=0.02)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_code_knows_less_than_the_state_and_two_codes_less_than_one(seed, width):
    state, one, both = information_limit(chain(seed=10 * seed), normal(4, width, seed=seed), spread=0.3)
    assert state > one > both > 0


def test_a_code_that_keeps_everything_knows_everything():
    c = chain()
    state, one, both = information_limit(c, torch.eye(4), spread=1e-6)
    assert one == pytest.approx(state, abs=1e-9) and both == pytest.approx(state, abs=1e-9)


@pytest.mark.parametrize("lag", [1, 2, 5])
def test_three_shares_make_up_what_a_code_says_of_its_state(lag):
    c, encoder = chain(), normal(4, 2, seed=3)
    shares = information_split(c, encoder, spread=0.5, lag=lag)
    joint, x, z = coded(c, encoder, spread=0.5, steps=lag)
    assert min(shares) > 0
    assert sum(shares) == pytest.approx(information(joint, z[-1], x[-1]), abs=1e-10)
    whole = joint[z[-1]][:, z[-1]]  # I(z; x) of an encoder with noise, by hand
    assert sum(shares) == pytest.approx(0.5 * torch.logdet(whole / 0.25).item(), abs=1e-10)


def test_slow_modes_are_coherent_and_fast_ones_are_not():
    c = stationary(torch.tensor([0.99, 0.2]).double().diag(), torch.eye(2) * 0.1)
    slow, fast = (information_split(c, torch.eye(2)[:, i : i + 1], spread=0.1, lag=5) for i in (0, 1))
    assert slow.coherent > 20 * fast.coherent and fast.coherent < 0.01 < 0.1 < fast.residual


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("off", [0.0, 0.1])
def test_the_error_is_within_the_bound_and_the_bound_within_reason(steps, off):
    c, encoder = chain(d=3), torch.eye(3, 2)
    best = error_bound(c, encoder, spread=0.2, steps=steps)
    k = None if not off else regression(c, encoder, 0.2) + off
    found = error_bound(c, encoder, spread=0.2, steps=steps, operator=k)
    variation = total_variation(found.truth, found.model, draws=50_000, seed=0)
    assert 0.02 < variation < math.sqrt(found.divergence / 2) < found.bound
    assert found.divergence <= found.deficit and (found.deficit > best.deficit + 0.01 if off else found.deficit == best.deficit)


def regression(c, encoder, spread):
    joint, _, z = coded(c, encoder, spread=spread, steps=1)
    return torch.linalg.solve(joint[z[0]][:, z[0]], joint[z[0]][:, z[1]])


def test_a_code_that_keeps_everything_makes_no_error():
    found = error_bound(chain(d=3), torch.eye(3), spread=1e-4, steps=3)
    assert found.divergence == pytest.approx(0, abs=1e-6) and found.bound < 1e-3
    assert total_variation(found.truth, found.model, draws=1000, seed=0) < 1e-3


def test_total_variation_of_two_scalars():
    p, q = torch.tensor([[1.0]]).double(), torch.tensor([[4.0]]).double()
    cross = math.sqrt(math.log(4) / (1 - 1 / 4))  # where the densities meet
    inside = [math.erf(cross / s / math.sqrt(2)) for s in (1, 2)]
    assert total_variation(p, q, seed=0) == pytest.approx(inside[0] - inside[1], abs=0.005)
    assert divergence(p, q) == pytest.approx((1 / 4 - 1 + math.log(4)) / 2)


def test_water_fills_the_strong_modes_and_leaves_the_weak_ones():
    p = water_filling(GAINS, budget=1.0)
    assert p.tolist() == pytest.approx([0.995, 0.005, 0.0], abs=1e-6)
    assert carried(GAINS, p).item() == pytest.approx(2.3076, abs=1e-4)
    p = water_filling(GAINS.flip(0), budget=200.0)
    assert p.sum().item() == pytest.approx(200) and (p + 1 / GAINS.flip(0).double()).std() < 1e-6  # one level over all


@pytest.mark.parametrize(
    ("entropy", "dimension", "nats"), [(0.01, 1.174, 2.307), (0.1, 1.587, 2.294), (1.0, 2.779, 2.106), (10.0, 2.995, 1.948)]
)
def test_entropy_keeps_every_mode_alive(entropy, dimension, nats):
    p = anti_collapse(GAINS, budget=1.0, entropy=entropy)
    s = -(p * p.log()).sum()
    assert p.sum().item() == pytest.approx(1, abs=1e-9) and (p > 0).all()
    assert s.exp().item() == pytest.approx(dimension, abs=6e-4)
    assert carried(GAINS, p).item() == pytest.approx(nats, abs=6e-4)


@pytest.mark.parametrize("budget", [0.3, 5.0])
def test_no_other_allocation_is_better(budget):
    p = anti_collapse(GAINS, budget=budget, entropy=0.3)

    def value(q):
        return carried(GAINS, q) - 0.3 * torch.xlogy(q / budget, q / budget).sum()

    for seed in range(20):
        q = (p + 0.05 * budget * normal(3, seed=seed)).abs() + 1e-9
        assert value(q * budget / q.sum()) < value(p)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: stationary(torch.eye(2), torch.eye(2)), "spectral radius 1; a stationary chain needs one below 1"),
        (lambda: stationary(torch.eye(2), torch.eye(3)), r"\(d, d\) alike, got \(2, 2\) and \(3, 3\)"),
        (lambda: chain_information(chain(), lag=0), "lag must be a whole number >= 1, got 0"),
        (lambda: information_limit(chain(), torch.eye(4), spread=0.0), "spread must be a positive finite number"),
        (lambda: water_filling(torch.tensor([1.0, 0.0]), budget=1.0), "vector .* of positive numbers, .*leave dead modes out"),
        (lambda: anti_collapse(GAINS, budget=1.0, entropy=0.0), "entropy must be a positive finite number, got 0.0"),
    ],
)
def test_refuses_what_has_no_answer(make, message):
    with pytest.raises(ValueError, match=message):
        make()
