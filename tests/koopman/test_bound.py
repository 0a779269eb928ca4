"""The error of a latent linear model is within its bound, and nothing where a code keeps everything."""

import math

import pytest
import torch

from lib.koopman.bound import divergence, error_bound, total_variation
from lib.koopman.chain import coded
from tests.koopman.samples import chain


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
