"""Samples that many tests draw."""

import torch
from torch import Tensor


def normal(*shape: int, seed: int) -> Tensor:
    """Return standard normals in double precision."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
