"""Pairs, delays and windows stay within a trajectory, and data that are none are refused."""

import pytest
import torch

from lib.core.types import Trajectories
from lib.koopman import dmd, dmdc
from lib.koopman.pairs import box_of, delays, from_times, pairs, windows
from tests.koopman.samples import broken, good
from tests.samples import normal


def test_pairs_delays_and_windows_stay_within_a_trajectory():
    x = torch.arange(8, dtype=torch.float64).reshape(2, 4, 1)
    data = Trajectories(x, 1.0, {}, controls=torch.arange(6, dtype=torch.float64).reshape(2, 3, 1))
    assert [z[:, 0].tolist() for z in pairs(data, lag=2)] == [[0, 1, 4, 5], [2, 3, 6, 7]]
    assert delays(data, count=3).x.tolist() == [[[0, 1, 2], [1, 2, 3]], [[4, 5, 6], [5, 6, 7]]]
    assert delays(data, count=3).controls.tolist() == [[[2]], [[5]]]
    assert windows([data, data], length=3)[:, :, 0].tolist() == [[0, 1, 2], [1, 2, 3], [4, 5, 6], [5, 6, 7]] * 2


@pytest.mark.parametrize("size", [1, 3, 70])
def test_the_box_is_the_range_of_the_data(size):
    x = normal(size, 5, 3, seed=0)
    assert torch.equal(box_of(Trajectories(x, 1.0, {})), torch.stack([x.amin((0, 1)), x.amax((0, 1))]))


# What is refused.

REFUSED = {
    "nan": (lambda: dmd(broken()), "trajectory 1 holds NaN or infinity at step 2"),
    "tensor": (lambda: dmd(good().x), "data must be Trajectories or a list of them"),
    "shape": (lambda: dmd(good()._replace(x=good().x[0])), r"x must have shape \(B, T, ...\)"),
    "integers": (lambda: dmd(good()._replace(x=good().x.long())), "x must be a floating tensor, got torch.int64"),
    "steps": (lambda: dmd([good(), good()._replace(dt=1.0)]), "must share one of their time steps"),
    "short": (lambda: pairs(good(), lag=4), "trajectories have 4 snapshots, pairs 4 apart need at least 5"),
    "controls": (lambda: dmdc(good()._replace(controls=torch.zeros(3, 4, 1))), r"controls must have shape \(3, 3, m\)"),
    "times": (lambda: from_times(good().x, torch.tensor([0.0, 1.0, 2.0, 3.5])), "got 1.5 after step 2 where the median is 1"),
    "backwards": (lambda: from_times(good().x, -torch.arange(4.0)), "times must grow by equal steps"),
    "few times": (lambda: from_times(good().x, torch.arange(3.0)), r"times must have shape \(4,\)"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_equal_times_make_trajectories():
    assert from_times(good().x, 0.5 * torch.arange(4)).dt == 0.5
