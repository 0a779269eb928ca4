"""The comparison on Lorenz's system: forecasts judged by error, time and statistics, methods in their order."""

import math

import pandas as pd
import pytest
import torch

from lib.experiments.information_koopman import lorenz
from lib.koopman.linear import Rollout


def test_a_forecast_is_judged_by_error_time_and_statistics():
    data = lorenz.sets([0], 0.1, lorenz.Budget(epochs=1, trajectories=4, starts=6, ahead=60))
    torch.testing.assert_close(data.train[0].mean((0, 1)), torch.zeros(3).double(), atol=1e-12, rtol=0)
    truth, stayed = data.test[0], torch.full((6,), -1)
    good = lorenz.judged(Rollout(truth, stayed, "linear"), truth, 0.1)
    assert good["nrmse_50"] == 0 and good["kl"] == 0 and good["valid_time"] == pytest.approx(60 * 0.1 * 0.9056)
    left = lorenz.judged(Rollout(truth, stayed.clone().index_fill_(0, torch.tensor([2]), 9), "relift"), truth, 0.1)
    assert math.isnan(left["kl"]) and left["outcome"] == "left the range in 1 of 6" and left["mode"] == "relift"
    zeros = torch.cat([truth[:, :1], torch.zeros_like(truth[:, 1:])], 1)
    flat = lorenz.judged(Rollout(zeros, stayed, "linear"), truth, 0.1)
    with pytest.raises(AssertionError, match="begins where the truth does"):
        lorenz.judged(Rollout(2 * truth, stayed, "linear"), truth, 0.1)
    assert flat["nrmse_20"] > 0.5 and flat["kl"] > 1 and flat["valid_time"] < 1


def test_methods_by_algebra_keep_their_order_on_fine_steps():
    budget = lorenz.Budget(epochs=1, trajectories=8, steps=60, starts=5, ahead=60, windows=15)
    for name in lorenz.LINEAR:
        rows = pd.DataFrame(lorenz.unit([0, 1], budget, (name, 0.01))["members"])
        assert len(rows) == 4 and (rows.method == name).all()
        found = rows.groupby("mode").nrmse_5.median()
        most = {"dmd": 0.5, "edmd_3": 0.05, "edmd_5": 1e-3, "kkr": 0.5}[name]
        assert found["linear"] < most and (name != "edmd_3" or found["relift"] < found["linear"] / 10)


@pytest.mark.parametrize("name", [*lorenz.NETWORKS, lorenz.CONSISTENT])
def test_networks_come_back_in_the_units_of_the_data(name):
    budget = lorenz.Budget(epochs=1, trajectories=4, starts=3, ahead=10)
    found = pd.DataFrame(lorenz.unit([0, 1], budget, (name, 0.01))["members"])
    methods = [name] if name == lorenz.CONSISTENT else list(lorenz.NETWORKS[name].recipes)
    assert sorted(set(found.method)) == sorted(methods) and len(found) == 4 * len(methods)
    assert found.nrmse_5.between(0.05, 3).all()
