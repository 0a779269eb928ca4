"""Linear chains with normal noise: closed forms against each other, against samples, and against kept numbers."""

import pytest
import torch

from lib.estimators.gaussian import mi_gaussian
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
from tests.koopman.samples import chain
from tests.samples import normal


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
