"""One orbit of a pendulum: its windows, errors of an exact rotation, and two variants of each seed."""

import math

import pandas as pd
import pytest
import torch

from lib.experiments import consistent_koopman
from lib.koopman.members import rollouts
from tests.experiments.samples import by_hand
from tests.samples import normal


def test_windows_of_an_orbit_follow_each_other_and_tests_come_later():
    x, test, angle = consistent_koopman.orbit(0, consistent_koopman.Budget([1], [0.01], frames=40, ahead=20))
    assert x.shape == (32, 9, 64) and test.shape == (30, 21, 64) and angle == pytest.approx(0.20075, abs=1e-5)
    assert torch.equal(x[0, 1:], x[1, :8]) and torch.equal(test[0, 1:], test[1, :20]) and x.abs().max() <= 1
    plane = torch.linalg.svd(x[:, 0].double(), full_matrices=False)[2][:2]
    torch.testing.assert_close(test @ plane.T @ plane, test, atol=1e-5, rtol=0)


def test_an_exact_rotation_makes_no_error_and_has_the_angle():
    c, s = math.cos(0.2), math.sin(0.2)
    found = by_hand(torch.tensor([[c, s], [-s, c]]))
    truth = rollouts(found, normal(1, 3, 2, seed=0), 30)["linear"].x[0]
    tables = consistent_koopman.judged(found, [{"seed": 0}], [(truth, 0.21)])
    row = tables["members"][0]
    assert row["error"] < 1e-5 and row["angle_error"] == pytest.approx(0.01, abs=1e-6)
    assert row["radius"] == pytest.approx(1, abs=1e-6) and [r["step"] for r in tables["paths"]] == [1, 11, 21]
    lost = consistent_koopman.judged(found._replace(status=["diverged at epoch 1"]), [{"seed": 0}], [(truth, 0.21)])
    assert math.isnan(lost["members"][0]["error"]) and not lost["paths"]


def test_consistency_is_a_variant_of_each_seed():
    tables = consistent_koopman.unit(consistent_koopman.Budget([1, 1], [0.01, 0.001], frames=80, batch=16, ahead=20), [0, 1])
    found = pd.DataFrame(tables["members"]).pivot(index="seed", columns="variant", values="radius")
    assert list(found.columns) == sorted(consistent_koopman.VARIANTS) and (found["consistent"] != found["forward only"]).all()
