"""An ablation takes one weight away at a time, a state is seen as three numbers, and a plane keeps what varies most."""

import math

import pytest
import torch

from lib.experiments.information_koopman.ablation import ABLATION, SIGNS, WHOLE, Variant, principal, seen
from tests.samples import normal


@pytest.mark.parametrize("name", Variant._fields)
def test_an_ablation_takes_one_weight_away(name):
    assert ABLATION[f"no {name}"]._asdict() == WHOLE._asdict() | {name: 0.0} and getattr(WHOLE, name) > 0
    assert ABLATION["whole"] == WHOLE and len(ABLATION) == 4


def test_signs_differ_in_the_sign_of_the_entropy_alone():
    assert SIGNS["rewarded"].gamma == -SIGNS["penalised"].gamma > 0
    assert {SIGNS[name]._replace(gamma=0.0) for name in ("rewarded", "penalised")} == {SIGNS["information"]}
    assert SIGNS["none"] == Variant(0.0, 0.0, 0.0)


def test_a_state_is_seen_as_a_point_of_the_circle_and_its_speed():
    found = seen(torch.tensor([[math.pi / 2, 2.0], [math.pi, -4.0]], dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor([[0, 1, 0.5], [-1, 0, -1]]).double(), atol=1e-15, rtol=0)


def test_the_plane_of_a_code_has_its_two_largest_variances_and_forgets_where_it_stood():
    z = normal(200, 5, seed=0) @ normal(5, 5, seed=1)
    found = principal(z)
    largest = torch.linalg.eigvalsh(torch.cov(z.T)).flip(0)[:2]
    torch.testing.assert_close(torch.cov(found.T), largest.diag(), atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(principal(z + 7).abs(), found.abs())
