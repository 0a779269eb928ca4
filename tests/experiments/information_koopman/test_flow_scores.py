"""Flows are split so that nothing is shared, forecasts are judged, and the rhythm is the pair that moves the code."""

import math

import pytest
import torch

from lib.core.types import Trajectories
from lib.experiments.information_koopman import flow_scores
from lib.experiments.information_koopman import flows as fields
from lib.koopman.linear import Rollout
from tests.experiments.information_koopman.samples import SMALL, TURN, waves
from tests.samples import normal


def test_no_trajectory_that_is_tested_trains_and_only_training_is_standardised():
    x = normal(5, 12, 2, 4, 4, seed=0) * torch.arange(1, 6).double()[:, None, None, None, None]
    made = flow_scores.sets(Trajectories(x, 1.0, {}), [0, 3], held=0.3)
    assert made.train.shape == (2, 3, 12, 32) and made.truth.shape == (2, 2, 8, 32) and made.past.shape == (2, 2, 5, 32)
    for i, out in ((0, [0, 1]), (1, [1, 2])):
        kept = [j for j in range(5) if j not in out]
        mean, spread = x[kept].mean((0, 1, 3, 4)), x[kept].std((0, 1, 3, 4))
        torch.testing.assert_close(made.truth[i, 0], ((x[out[0], 4:] - mean[:, None, None]) / spread[:, None, None]).flatten(1))
        torch.testing.assert_close(made.train[i].unflatten(2, (2, 16)).mean((0, 1, 3)), torch.zeros(2).double())
    assert made.angle.isnan().all()


def test_forecasts_start_where_delays_can_and_reach_as_far_as_frames():
    past, truth = flow_scores.started(torch.arange(70.0)[None, :, None])
    assert past[:, :, 0].tolist() == [[0, 1, 2, 3, 4], [8, 9, 10, 11, 12]]
    assert truth[:, [0, -1], 0].tolist() == [[4, 54], [12, 62]]
    assert flow_scores.started(torch.zeros(2, 12, 3))[1].shape == (2, 8, 3)


def test_a_field_is_judged_by_error_likeness_and_spectrum():
    truth = waves().x[:, 4:].flatten(2)
    stayed = torch.full((4,), -1)
    perfect = flow_scores.judged(Rollout(truth, stayed, "linear"), truth, (2, 16, 16))
    assert perfect["nrmse_20"] == 0 and perfect["ssim_20"] == pytest.approx(1) and perfect["spectrum_error"] == 0
    half = torch.cat([truth[:, :1], truth[:, 1:] / 2], 1)
    worse = flow_scores.judged(Rollout(half, stayed, "relift"), truth, (2, 16, 16))
    assert worse["spectrum_error"] == pytest.approx(0.75) and worse["nrmse_20"] == pytest.approx(0.5, rel=0.01)
    assert worse["ssim_20"] < 0.9 and "nrmse_50" not in worse and worse["mode"] == "relift"


@pytest.mark.parametrize("size", [1.0, 1.02])
def test_the_rhythm_is_the_pair_that_still_moves_the_code(size):
    c, s = size * math.cos(TURN), size * math.sin(TURN)
    operator = torch.block_diag(torch.tensor([[c, s], [-s, c]]), 0.5 * torch.tensor([[0.0, 1], [-1, 0]]), torch.eye(1)).double()
    basis = torch.linalg.qr(normal(5, 5, seed=0)).Q
    z = normal(200, 5, seed=1) * torch.tensor([1.0, 1, 50, 50, 9]).double()
    assert flow_scores.rhythm(basis.T @ operator @ basis, z @ basis) == pytest.approx(TURN)
    assert math.isnan(flow_scores.rhythm(torch.diag(torch.tensor([0.9, -0.5]).double()), normal(9, 2, seed=0)))


def test_a_place_where_nothing_moves_has_the_range_of_its_channel():
    x = normal(1, 2, 3, 8, seed=0)
    x[..., 1] = 0
    box = flow_scores.ranges(x, (2, 2, 2))
    assert torch.equal(box[0, 1, :4], x[..., :4].max().float().expand(4)) and box[0, 0, 1] == x[..., :4].min().float()


def test_flows_that_cannot_be_split_are_refused():
    with pytest.raises(ValueError, match=r"fields must be \(B, T, c, h, w\) with B >= 2 and T >= 10, got \(1, 30, 2, 16, 16\)"):
        flow_scores.sets(waves(trajectories=1), [0], held=0.25)
    with pytest.raises(ValueError, match="T >= 10, got"):
        flow_scores.sets(waves(frames=9), [0], held=0.25)
    with pytest.raises(ValueError, match="rank must be a whole number >= 1, got 0"):
        fields.unit({"wave": waves()}, [0], SMALL._replace(rank=0), ("wave", "dmd"))
