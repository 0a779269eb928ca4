"""Many small networks as one program, against loops over single ones."""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn

from lib.bottlenecks import chosen
from lib.core.plan import Plan
from lib.core.types import Rows, Split
from lib.data.synthetic import linear_gaussian
from lib.experiments.adaptive_estimators import words
from lib.nets.stacked import Bottleneck
from lib.training import loop
from tests.bench.harness import compare

VIB = {"hidden": [64, 64], "code": 8, "decoder": [64], "activation": "relu"}
PLANE = {"hidden": [10, 7, 5, 4], "code": 3, "activate_code": True, "activation": "tanh"}


def trained(label: str, seeds: list[int], split: Split, shape: dict, outputs: int, plan: Plan) -> Tensor:
    """Train a method and return the first layer's weights, (R, inputs, units)."""
    terms, betas = chosen(label, {"betas": [0.01] if label == "vib" else [0.0]})
    model = Bottleneck(seeds, split.train.x.shape[-1], outputs, shape)
    loop.fit(Fabric(accelerator="cpu", devices=1), model, terms, split, plan, loop.Members(label, seeds, betas))
    return model.encoder[0].weight.detach()


def apart(split: Split, member: int) -> Split:
    """Return the rows of one member."""
    return Split(*(Rows(part.x[member : member + 1], part.y[member : member + 1]) for part in split))


def one_by_one(label: str, seeds: list[int], split: Split, shape: dict, outputs: int, plan: Plan) -> Callable[[], Tensor]:
    """Return the same loop over single networks."""
    alone = [apart(split, i) for i in range(len(seeds))]
    return lambda: torch.cat([trained(label, [s], rows, shape, outputs, plan) for s, rows in zip(seeds, alone, strict=True)])


def plain(split: Split, plan: Plan) -> None:
    """Train one tanh network a seed as one writes it in torch, batches by slices of a shuffle."""
    for x, y in zip(split.train.x, split.train.y, strict=True):
        sizes = [12, *PLANE["hidden"], PLANE["code"]]
        layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.Tanh())]
        net = nn.Sequential(*layers, nn.Linear(sizes[-1], 2))
        optimizer = torch.optim.Adam(net.parameters(), lr=plan.lr)
        for _ in range(plan.epochs):
            for rows in torch.randperm(len(x))[: len(x) // plan.batch * plan.batch].split(plan.batch):
                loss = F.cross_entropy(net(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()


def growth() -> list[dict]:
    """Return nothing: the cost of training grows with its steps."""
    return []


def rows() -> list[dict]:
    """Compare the 32 seeds of a plane, and twenty seeds of VIB, with networks trained one by one."""
    seeds, plan = list(range(32)), Plan(epochs=4, batch=512, lr=4e-3, records=1)
    split = words(seeds, "shuffled")
    ours = lambda: trained("plain", seeds, split, PLANE, 2, plan)  # noqa: E731
    size = "32 tanh networks 12-10-7-5-4-3-2, four epochs of 3277 rows, batch 512"
    task = [linear_gaussian(1280, torch.ones(10), noise=0.5, seed=s) for s in range(20)]
    parts = [Rows(*(torch.stack([getattr(t, z)[c] for t in task]) for z in "xy")) for c in (slice(0, 1024), slice(1024, 1280))]
    noisy, brief = Split(parts[0], parts[1], parts[1]), Plan(epochs=2, batch=64, lr=1e-3, records=1)
    twenty = list(range(20))
    return [
        compare(
            "seeds", size, "the same loop, one network at a time; same weights", 5.0,
            ours, one_by_one("plain", seeds, split, PLANE, 2, plan), tolerance=1e-5,
        ),
        compare("seeds-torch", size, "a plain torch loop, one network at a time", 5.0, ours, lambda: plain(split, plan)),
        compare(
            "stacked_training", "VIB, 20 seeds, 2 epochs of 1024 rows, batch 64", "the same loop, one network at a time", 5.0,
            lambda: trained("vib", twenty, noisy, VIB, 1, brief), one_by_one("vib", twenty, noisy, VIB, 1, brief),
            tolerance=1e-4,
        ),
    ]  # fmt: skip
