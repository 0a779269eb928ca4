"""Many small networks as one program, against the same loop over single ones."""

import torch
from lightning_fabric import Fabric

from lib import train
from lib.bottlenecks import chosen
from lib.data.synthetic import linear_gaussian
from lib.nets import Bottleneck
from lib.plan import Plan
from lib.types import Rows, Split
from tests.bench.harness import compare

SHAPE = {"hidden": [64, 64], "code": 8, "decoder": [64], "activation": "relu"}


def trained(seeds: list[int], split: Split) -> None:
    """Train VIB for two epochs."""
    terms, betas = chosen("vib", {"betas": [0.01]})
    model = Bottleneck(seeds, 10, 1, SHAPE)
    plan = Plan(epochs=2, batch=64, lr=1e-3, records=1)
    train.fit(Fabric(accelerator="cpu", devices=1), model, terms, split, plan, train.Members("vib", seeds, betas))


def growth() -> list[dict]:
    """Return nothing: the cost of training grows with its steps."""
    return []


def rows() -> list[dict]:
    """Compare training twenty seeds together with training them one by one."""
    task = [linear_gaussian(1280, torch.ones(10), noise=0.5, seed=s) for s in range(20)]
    parts = [Rows(*(torch.stack([getattr(t, z)[c] for t in task]) for z in "xy")) for c in (slice(0, 1024), slice(1024, 1280))]
    split = Split(parts[0], parts[1], parts[1])
    alone = [Split(*(Rows(p.x[i : i + 1], p.y[i : i + 1]) for p in split)) for i in range(20)]
    return [
        compare(
            "stacked_training", "VIB, 20 seeds, 2 epochs of 1024 rows, batch 64", "the same loop, one seed at a time", 5.0,
            lambda: trained(list(range(20)), split), lambda: [trained([i], alone[i]) for i in range(20)],
        ),
    ]  # fmt: skip
