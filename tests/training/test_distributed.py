"""A batch is shared by processes only where every one has its part and a loss is a mean over rows."""

import pytest
import torch
from lightning_fabric import Fabric

from lib.bottlenecks import BOTTLENECKS, chosen
from lib.core.plan import Plan
from lib.nets.stacked import Bottleneck
from lib.training import distributed, loop
from tests.training.samples import SHAPE


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    fabric = Fabric(accelerator="cpu", devices=1)
    monkeypatch.setattr(type(fabric), "world_size", 3)
    terms, betas = chosen("plain", {"betas": [0.0]})
    x = torch.randn(1, 60, 3)
    split = loop.Split(*(loop.Rows(x, x[..., :1]) for _ in range(3)))
    model = Bottleneck([0], 3, 1, SHAPE)
    with pytest.raises(ValueError, match="a batch of 32 rows cannot be shared by 3 processes; choose a multiple"):
        loop.fit(fabric, model, terms, split, Plan(epochs=1, batch=32, lr=0.1), loop.Members("plain", [0], betas))


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_what_is_no_mean_over_rows_is_refused(name):
    generator = torch.Generator().manual_seed(0)
    part = loop.Rows(*(torch.randn(2, 60, d, generator=generator) for d in (3, 1)))
    model = Bottleneck([0, 0, 1, 1], 3, 1, SHAPE)
    shared = {"label": name, "betas": 2, "batch": 48}
    distributed.check(model, BOTTLENECKS[name], part, processes=1, **shared)
    if name in ("plain", "vib", "weight_decay"):
        distributed.check(model, BOTTLENECKS[name], part, processes=2, **shared)
    else:
        with pytest.raises(ValueError, match=f"{name} compares rows in pairs or adds them up, so that 2 processes"):
            distributed.check(model, BOTTLENECKS[name], part, processes=2, **shared)
