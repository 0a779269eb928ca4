"""Windows are the slices that they say; parts, scales and inputs never look ahead."""

import math

import pytest
import torch

from lib.forecast.impute import IMPUTERS
from lib.forecast.masks import masked
from lib.forecast.windows import Frame, parts, problem, scales, windows
from tests.forecast.samples import normal


def test_parts_of_etth1_have_the_published_sizes():
    train, valid, test = parts(17420, Frame(24, 24))
    assert [len(part) for part in (train, valid, test)] == [10424, 3475, 3474]
    assert torch.equal(torch.cat([train, valid, test]), torch.arange(17373))
    assert [len(part) for part in parts(17420, Frame(24, 24, 7))] == [1490, 497, 497]
    with pytest.raises(ValueError, match="50 times hold 3 windows of 24 \\+ 24, too few for three parts"):
        parts(50, Frame())
    with pytest.raises(ValueError, match="stride must be a whole number >= 1, got 0"):
        parts(100, Frame(stride=0))


def test_windows_are_the_slices_that_begin_at_their_starts():
    x = normal(2, 50, 3)
    starts = torch.tensor([[0, 7, 40], [3, 3, 41]])
    cut = windows(x, starts, 9)
    assert cut.shape == (2, 3, 9, 3)
    for r in range(2):
        for b in range(3):
            assert torch.equal(cut[r, b], x[r, starts[r, b] : starts[r, b] + 9])


def gappy(times=300, variates=4, seed=0):
    values = normal(times, variates, seed=seed, dtype=torch.float64).cumsum(0) * 0.3
    return torch.where(normal(times, variates, seed=seed + 1) > 1.5, torch.nan, values + 5)


@pytest.mark.parametrize("scaling", ["scalar", "variate"])
@pytest.mark.parametrize("impute", IMPUTERS)
def test_what_comes_after_training_does_not_reach_its_inputs(scaling, impute):
    values = gappy()
    masks = torch.stack([masked("point", 300, 4, rate=0.4, seed=s) for s in range(2)])
    task = problem(values, masks, Frame(), scaling=scaling, impute=impute)
    rows = int(task.parts[0][-1]) + 24
    changed = values.clone()
    changed[rows:] = 50 * normal(300 - rows, 4, seed=9)
    again = problem(changed, masks, Frame(), scaling=scaling, impute=impute)
    assert torch.equal(task.x[:, :rows], again.x[:, :rows]) and torch.equal(task.y[:, :rows], again.y[:, :rows])
    assert not torch.equal(task.y[:, rows:], again.y[:, rows:])


def test_a_problem_hides_inputs_and_keeps_targets():
    values = gappy()
    masks = masked("point", 300, 4, rate=0.4, seed=0)[None]
    task, there = problem(values, masks, Frame()), ~values.isnan()
    seen = masks[0] & there
    mean, spread = scales(values[:175], seen[:175], "scalar")  # 253 windows, 152 of them for training
    assert torch.equal(task.known, there)
    torch.testing.assert_close(task.y[0][there], ((values - mean) / spread)[there].float())
    torch.testing.assert_close(task.x[0][seen], task.y[0][seen])
    assert (task.x[0][~seen] == 0).all() and (task.y[0][~there] == 0).all()


def test_scales_by_hand():
    values = torch.tensor([[1.0, 10.0], [3.0, math.nan], [5.0, 30.0]], dtype=torch.float64)
    seen = torch.tensor([[True, True], [False, False], [True, False]])
    mean, spread = scales(values, seen, "scalar")  # 1, 10, 0, 0, 5, 0
    assert mean == pytest.approx(16 / 6) and spread == pytest.approx(math.sqrt(126 / 6 - (16 / 6) ** 2))
    mean, spread = scales(values, seen, "variate")
    assert mean.tolist() == [3, 20] and spread.tolist() == pytest.approx([math.sqrt(8 / 3), 10])


def test_problems_refuse_what_cannot_be():
    values, masks = gappy(), torch.ones(1, 300, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="column 2 is constant or empty in the training rows; leave it out"):
        problem(torch.where(torch.arange(4) == 2, 1.0, values), masks, Frame(), scaling="variate")
    with pytest.raises(ValueError, match="unknown scaling 'both'; known: scalar, variate"):
        problem(values, masks, Frame(), scaling="both")
    with pytest.raises(ValueError, match=r"masks must have shape \(R, 300, 4\), got \(1, 299, 4\)"):
        problem(values, masks[:, 1:], Frame())
    with pytest.raises(ValueError, match="unknown imputer 'none'; known: iterative, mean, nearest, zero"):
        problem(values, masks, Frame(), impute="none")
