"""Outlines change by the distance across their edge."""

import pytest
import torch

from lib.data.captions.attributes import ATTRIBUTES
from lib.data.captions.shapes import OUTLINES


@pytest.mark.parametrize("draw_outline", OUTLINES, ids=ATTRIBUTES["shape"])
def test_outlines_change_by_the_distance_across_their_edge(draw_outline):
    """The gradient of F has length 1 wherever it is close to the edge, so that a soft edge is one pixel wide."""
    x, y = (
        (torch.rand(2, 20_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 12 - 6)
        .requires_grad_()
        .unbind()
    )
    f = draw_outline(x, y, torch.tensor(5.0, dtype=torch.float64))
    gx, gy = torch.autograd.grad(f.sum(), (x, y))
    near = (f.abs() < 0.3) & (torch.hypot(x, y) < 5)
    assert near.sum() > 300
    assert torch.hypot(gx, gy)[near].quantile(torch.tensor([0.02, 0.98], dtype=torch.float64)).tolist() == pytest.approx(
        [1, 1], abs=1e-6
    )
