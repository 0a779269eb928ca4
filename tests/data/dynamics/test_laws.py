"""Laws of all systems: seeds decide, the first axes are trajectories and time, counts and times are positive."""

import math

import pytest
import torch

from lib.data.dynamics import DYNAMICS
from tests.data.dynamics.samples import SMALL

CLOCKED = [name for name in DYNAMICS if name != "noisy_logistic"]


def asked(name):
    return {key: value for key, value in SMALL.items() if name in CLOCKED or key != "dt"}


@pytest.mark.parametrize("name", [name for name in DYNAMICS if name != "wake"])  # a second a run: has a test of its own
def test_seeds_decide_and_the_first_axes_are_trajectories_and_time(name):
    first, again, other = (DYNAMICS[name](**asked(name) | {"seed": seed}) for seed in (0, 0, 1))
    assert first.x.shape[:2] == (3, 5) and first.x.dtype == torch.float64 and first.x.isfinite().all()
    assert torch.equal(first.x, again.x) and not torch.equal(first.x, other.x)
    assert first.dt == asked(name).get("dt", 1)


@pytest.mark.parametrize("name", DYNAMICS)
@pytest.mark.parametrize("wrong", ["trajectories", "steps"])
def test_counts_are_refused_below_one(name, wrong):
    with pytest.raises(ValueError, match=f"{wrong} must be a whole number >= 1, got 0"):
        DYNAMICS[name](**asked(name) | {wrong: 0})


@pytest.mark.parametrize("name", CLOCKED)
@pytest.mark.parametrize("dt", [0, -0.1, math.nan])
def test_a_time_between_snapshots_is_positive(name, dt):
    with pytest.raises(ValueError, match="dt must be a positive finite number"):
        DYNAMICS[name](**asked(name) | {"dt": dt})
