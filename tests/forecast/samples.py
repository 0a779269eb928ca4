"""Series, masks and batches that forecasters are tested on."""

import math

import torch

from lib.forecast.windows import Frame, problem

SMALL = {"width": 8, "layers": 1, "heads": 2, "dropout": 0.0}


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def waves(times=400):
    """Three sines of a day and one of half a day, a hidden tenth, and a target that is not there for a while."""
    t = torch.arange(times, dtype=torch.float64)[:, None]
    values = torch.sin(2 * math.pi * (t / torch.tensor([24.0, 24.0, 24.0, 12.0]) + torch.tensor([0.0, 0.2, 0.5, 0.1])))
    values[50:60, 2] = torch.nan
    return values


def task(values, members=2, rate=0.1):
    masks = torch.stack([torch.rand(values.shape, generator=g) > rate for g in generators(*range(members))])
    return problem(values, masks, Frame(24, 24, 3))


def batch(members=2):
    x, y = normal(members, 6, 24, 4), normal(members, 6, 10, 4, seed=1)
    return x, y, normal(members, 6, 10, 4, seed=2) > -1
