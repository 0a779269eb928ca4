"""Contests on fields: a travelling wave has exact eigenvalues, and networks come alone as in company."""

import math

import pandas as pd
import pytest
import torch

from lib.experiments.information_koopman import flow_scores
from lib.experiments.information_koopman import flows as fields
from tests.experiments.information_koopman.samples import SMALL, TURN, waves
from tests.samples import normal


@pytest.mark.parametrize("name", ["dmd", "delay_dmd", "edmd_2"])
def test_a_travelling_wave_is_forecast_exactly_by_its_two_eigenvalues(name):
    rows = pd.DataFrame(fields.unit({"wave": waves()}, [0, 1], SMALL, ("wave", name))["members"])
    assert len(rows) == 4 and (rows.outcome == "ok").all() and rows.nrmse_20.max() < (1e-3 if name == "edmd_2" else 1e-9)
    assert (rows.angle - TURN).abs().max() < 1e-3 and (rows.true_angle - TURN).abs().max() < 1e-12
    assert rows.ssim_20.min() > 0.999


def test_persistence_of_a_wave_has_the_error_of_its_angle():
    row = fields.unit({"wave": waves()}, [0], SMALL, ("wave", fields.PERSISTENCE))["members"][0]
    # The mean square of cos a - cos(a + h) is 1 - cos h, of a wave 1 / 2; the standard deviation is about each place's mean.
    truth = flow_scores.sets(waves(), [0], held=0.25).truth[0]
    wave = (1 - math.cos(20 * TURN)) / 0.5
    size = (truth - truth.mean((0, 1))).square().mean() / truth.square().mean()
    assert row["nrmse_20"] == pytest.approx(math.sqrt(wave / size), rel=0.02)


@pytest.mark.parametrize("name", fields.NETWORKS)
def test_networks_learn_a_wave_and_come_alone_as_in_company(name):
    budget = SMALL._replace(epochs=3)
    both = pd.DataFrame(fields.unit({"wave": waves()}, [0, 1], budget, ("wave", name))["members"])
    alone = pd.DataFrame(fields.unit({"wave": waves()}, [1], budget, ("wave", name))["members"])
    assert len(both) == 4 * len(fields.NETWORKS[name].recipes) and both.nrmse_5.between(0.01, 5).all()
    same = both[both.seed == 1].reset_index(drop=True)
    assert same.nrmse_5.to_numpy() == pytest.approx(alone.nrmse_5.to_numpy(), rel=1e-3)
    assert same.effective_dimension.to_numpy() == pytest.approx(alone.effective_dimension.to_numpy(), rel=1e-3)


def test_orthogonal_coordinates_are_the_leading_directions():
    x = normal(3, 20, 6, seed=0) * torch.tensor([5.0, 3, 1, 0.1, 0.1, 0.1]).double()
    basis = fields.orthogonal(x, 3)
    found = torch.linalg.eigh(x.flatten(0, 1).T @ x.flatten(0, 1)).eigenvectors[:, -3:]
    torch.testing.assert_close(basis @ basis.T, found @ found.T)
