"""A small network, a short plan and a noisy linear task that training is tested on."""

import torch

from lib.core.plan import Plan
from lib.core.types import Rows, Split
from lib.data.synthetic import linear_gaussian

SHAPE = {"hidden": [8], "code": 2, "decoder": [8], "activation": "tanh"}
PLAN = Plan(epochs=6, batch=16, lr=0.01, records=6)


def data(seeds=2, n=80):
    """A noisy linear task, one draw a seed, in three parts."""
    draws = [linear_gaussian(2 * n, torch.tensor([1.0, -0.5, 0.0]), noise=0.5, seed=s) for s in range(seeds)]
    x, y = (torch.stack([getattr(d, z) for d in draws]) for z in "xy")
    cuts = (slice(0, n), slice(n, n + n // 2), slice(n + n // 2, 2 * n))
    return Split(*(Rows(x[:, c], y[:, c]) for c in cuts))
