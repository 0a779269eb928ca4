"""Masks hide the share that they say, where they say."""

import math

import numpy as np
import pytest
import torch

from lib.forecast.masks import MASKS, floor, masked


@pytest.mark.parametrize("rate", [0.2, 0.4, 0.6, 0.7])
@pytest.mark.parametrize("seed", range(5))
def test_points_and_columns_hide_exactly_their_share(rate, seed):
    hidden = ~masked("point", 501, 7, rate=rate, seed=seed)
    assert hidden.sum() == floor(rate, 501 * 7) and 0 < hidden[:, 0].sum() < 501
    columns = ~masked("column", 501, 7, rate=rate, seed=seed)
    assert columns.sum() == 501 * max(1, math.floor(rate * 7)) and (columns.all(0) == columns.any(0)).all()


def covered(times, variates, rate):
    """The expected share of cells under blocks: 1 - (1 - p)^blocks, p the chance that one block covers the cell."""
    counts = [
        np.minimum.reduce([np.arange(n) + 1, n - np.arange(n), np.full(n, 5), np.full(n, n - 4)]) / (n - 4)
        for n in (times, variates)
    ]
    return (1 - (1 - np.outer(*counts)) ** floor(rate / 25, times * variates)).mean()


@pytest.mark.parametrize("rate", [0.2, 0.4, 0.6, 0.7])
@pytest.mark.parametrize("variates", [6, 7, 60])
def test_blocks_overlap_to_their_expected_share(rate, variates):
    shares = [(~masked("block", 2000, variates, rate=rate, seed=seed)).double().mean() for seed in range(40)]
    assert np.mean(shares) == pytest.approx(
        covered(2000, variates, rate), abs=0.007
    )  # 4 standard errors of the widest, measured
    assert np.mean(shares) < rate
    if variates == 60:
        assert np.mean(shares) == pytest.approx(1 - math.exp(-rate), abs=0.02)


def test_a_block_is_five_by_five():
    hidden = ~masked("block", 30, 9, rate=25 / 270, seed=3)
    assert hidden.sum() == 25 and hidden.any(0).sum() == hidden.any(1).sum() == 5


def test_blocks_may_lie_anywhere():
    drawn = torch.stack([~masked("block", 8, 9, rate=25 / 72, seed=seed) for seed in range(200)])
    assert len({tuple(mask.nonzero()[0].tolist()) for mask in drawn}) == 4 * 5 and drawn.any(0).all()


def test_floor_is_not_lost_to_rounding_and_seeds_decide():
    assert floor(0.29, 100) == 29 and floor(0.7, 10) == 7
    for pattern in MASKS:
        one, same, other = (masked(pattern, 200, 40, rate=0.3, seed=s) for s in (1, 1, 2))
        assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (("points", 9, 9, 0.2), "unknown pattern of missing values 'points'; known: block, column, point"),
        (("point", 9, 9, 1.0), "rate must lie between 0 and 1, got 1.0"),
        (("block", 9, 4, 0.5), "blocks need at least 5 times and variates, got 9 and 4"),
        (("point", 0, 4, 0.5), "times must be a whole number >= 1, got 0"),
    ],
)
def test_masks_refuse_what_cannot_be(ask, message):
    *where, rate = ask
    with pytest.raises(ValueError, match=message):
        masked(*where, rate=rate, seed=0)
