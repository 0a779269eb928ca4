"""Training reads each window once an epoch, keeps the best weights, and scores are plain means."""

import pandas as pd
import pytest
import torch

from lib.forecast.fit import batches, cut, fit, score
from lib.forecast.models import DLinear
from lib.forecast.windows import Frame, problem
from tests.forecast.samples import generators, task, waves


def test_targets_begin_where_inputs_end():
    times = torch.arange(120.0, dtype=torch.float64)[:, None]
    made = problem(times, torch.ones(1, 120, 1, dtype=torch.bool), Frame(24, 10))
    step = float(made.y[0, 1, 0] - made.y[0, 0, 0])
    x, y, _ = cut(made, torch.tensor([[0, 31, 86]]))
    assert x.shape == (1, 3, 24, 1) and y.shape == (1, 3, 10, 1)
    torch.testing.assert_close(y[:, :, 0] - x[:, :, -1], torch.full((1, 3, 1), step), atol=1e-5, rtol=1e-4)


def test_the_weights_of_the_best_epoch_are_kept():
    made = task(waves())
    model = DLinear([0, 1], made.frame, {})
    rows = fit(model, made, seeds=[0, 1], epochs=2, batch=16, lr=0.5)
    history = pd.DataFrame(rows).pivot(index="epoch", columns="seed", values="valid")
    assert (history.iloc[-1] > 1.05 * history.min()).any(), "with so large a rate the last epoch is not the best"
    assert score(model, made, made.parts[1])[:, 0].tolist() == pytest.approx(history.min().tolist(), rel=1e-5)


def test_scores_are_plain_means_over_known_targets():
    made = task(waves())
    model = DLinear([0, 1], made.frame, {})
    x, y, known = cut(made, made.parts[0].expand(2, -1))
    assert not known.all()
    off = [(model(x)[r] - y[r])[known[r]] for r in range(2)]
    want = torch.stack([torch.stack([o.abs().mean(), o.square().mean()]) for o in off])
    torch.testing.assert_close(score(model, made, made.parts[0], block=7), want, atol=1e-5, rtol=1e-4)


def test_every_window_comes_at_most_once_an_epoch_in_each_members_own_order():
    order = torch.stack([torch.cat(list(b)) for b in zip(*batches(torch.arange(50), generators(0, 1), 8), strict=True)])
    assert order.shape == (2, 48) and all(len(set(row.tolist())) == 48 for row in order)
    assert not torch.equal(*order)
