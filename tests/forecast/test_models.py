"""DLinear is its formula and finds a linear law; the error counts known targets only."""

import torch

from lib.forecast.fit import fit, score
from lib.forecast.models import DLinear, miss
from lib.forecast.windows import Frame
from tests.forecast.samples import batch, normal, task, waves


def test_the_mean_error_counts_known_targets_only():
    x, y, known = batch()
    want = [(x[r, :, :10] - y[r]).abs()[known[r]].mean() for r in range(2)]
    torch.testing.assert_close(miss(x[:, :, :10], y, known), torch.stack(want))
    assert (miss(x[:, :, :10], y, torch.zeros_like(known)) == 0).all()


def test_dlinear_by_hand():
    model, x = DLinear([0, 1], Frame(24, 10), {}), normal(2, 3, 24, 2)
    with torch.no_grad():
        for layer in (model.trend, model.rest):
            layer.weight.copy_(normal(2, 24, 10, seed=3 + (layer is model.rest)))
    past = x[1, 2, :, 0]
    near = torch.cat([past[:1].expand(12), past, past[-1:].expand(12)])
    trend = torch.stack([near[t : t + 25].mean() for t in range(24)])
    want = trend @ model.trend.weight[1] + (past - trend) @ model.rest.weight[1]
    torch.testing.assert_close(model(x)[1, 2, :, 0], want, atol=1e-5, rtol=1e-4)


def test_dlinear_finds_a_linear_law():
    values = waves()[:, :2]
    made = task(values, members=5, rate=0.0)
    model = DLinear(range(5), made.frame, {})
    fit(model, made, seeds=range(5), epochs=120, batch=16, lr=1e-2)
    assert score(model, made, made.parts[2])[:, 0].max() < 0.03  # a sine of one period repeats after 24 steps
