"""Samples that many tests draw."""

import torch
from torch import Tensor

from lib.core.types import Trajectories

SIZES = {"n": 200, "valid": 40, "test": 60}  # scenes to train on, to choose by and to test on


def normal(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return standard normals, drawn in double precision."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def planted(n: int, *, seed: int, classes: int = 4, concepts: int = 6, width: int = 16, spread: float = 0.1) -> tuple:
    """Return unit embeddings (n, width), labels (n,) and attributes (n, concepts), with the atoms that make them.

    An embedding is the sum of the atoms it has, plus noise and what all embeddings share; class k has attribute k, others by
    chance.
    """
    atoms = torch.linalg.qr(normal(width, width, seed=99)).Q
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(classes, (n,), generator=draw)
    truth = (torch.rand(n, concepts, generator=draw) < 0.3).long()
    truth[:, :classes] = torch.nn.functional.one_hot(y, classes)
    x = truth.double() @ atoms[:concepts] + atoms[-1] + spread * normal(n, width, seed=seed + 1)
    return x / x.norm(dim=1, keepdim=True), y, truth, atoms[:concepts]


def field_of_waves(angle=0.4, steps=40):
    """Two waves over a grid that turn at one and at two angles, decaying not at all."""
    t, grid = torch.arange(steps + 1, dtype=torch.float64)[:, None, None], torch.arange(8, dtype=torch.float64)
    wave = (angle * t - grid[:, None]).cos() + 0.3 * (2 * angle * t - grid).cos()
    return Trajectories(wave[None, :, None], 1.0, {"angle": torch.tensor([angle], dtype=torch.float64)})
