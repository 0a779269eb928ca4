"""A small stacked network, and rows for it."""

import pytest
import torch

from lib.nets.stacked import Bottleneck
from tests.bottlenecks.samples import SHAPE


@pytest.fixture
def model():
    return Bottleneck([0, 1, 2], 3, 1, SHAPE).double()


@pytest.fixture
def rows():
    g = torch.Generator().manual_seed(0)
    x, noise = (torch.randn(3, 20, d, generator=g, dtype=torch.float64) for d in (3, 2))
    return x, x.sum(-1, keepdim=True), noise
