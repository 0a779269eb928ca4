"""A small table of linear data."""

import torch

from lib.core.types import Table


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def table(n=120):
    x = normal(n, 3).float()
    return Table(x, x[:, :1] + 0.3 * normal(n, 1, seed=1).float(), list("abc"), "y")
