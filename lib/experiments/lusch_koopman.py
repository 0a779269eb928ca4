"""Autoencoders that read their frequencies off the orbit, on two systems of their paper: validation loss at a small budget."""

import math
from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from lib.core.precision import usual
from lib.core.types import Rows
from lib.data.dynamics.linear import slow_manifold
from lib.data.dynamics.pendulum import GRAVITY, pendulum
from lib.experiments.tables import HELD_OUT, Tables, together
from lib.koopman.learner import fit
from lib.koopman.lusch import Balance, LuschNet, lusch_terms
from lib.koopman.members import plan

STEPS, DT, HIGHEST = 50, 0.02, 3.0  # frames after the first, their distance, the largest amplitude


class System(NamedTuple):
    """Data, network and weights, as published but for the number of orbits."""

    shape: dict
    balance: Balance
    published: float


class Budget(NamedTuple):
    """How much is seen and for how long."""

    epochs: int
    trajectories: int = 256
    batch: int = 64
    lr: float = 1e-3


NARROW = {"activation": "relu", "dt": DT}
SYSTEMS = {
    "slow_manifold": System(
        NARROW | {"hidden": [30, 30], "decoder": [30, 30], "pairs": 0, "reals": 2, "auxiliary": [10, 10, 10]},
        Balance(0.1, 1e-7, 1e-15),
        1.427e-7,
    ),
    "pendulum": System(
        NARROW | {"hidden": [80, 80], "decoder": [80, 80], "pairs": 1, "reals": 0, "auxiliary": [170]},
        Balance(0.001, 1e-9, 1e-14),
        9.414e-8,
    ),
}


def measure(seeds: list[int], budget: Budget, *, workers: int | None = None) -> dict[str, pd.DataFrame]:
    """Return the table `members`: system, seed, validation loss of the last weights and the one published."""
    return together(partial(unit, seeds, budget), SYSTEMS, workers=workers)


def orbits(name: str, seed: int, trajectories: int) -> Tensor:
    """Return trajectories (B, 51, 2); the pendulum's in time of 1 / sqrt(9.81), as its paper has gravity over length 1."""
    if name == "slow_manifold":
        return slow_manifold(trajectories=trajectories, steps=STEPS, dt=DT, seed=seed).x
    w = math.sqrt(GRAVITY)
    x = pendulum(trajectories=trajectories, steps=STEPS, dt=DT / w, seed=seed, amplitudes=(0.05, HIGHEST)).x
    return x / torch.tensor([1.0, w], dtype=x.dtype)


@torch.no_grad()
def calmed(model: LuschNet) -> LuschNet:
    """Shrink the first code and the first rates tenfold: growth over 50 steps of an untrained network else overflows."""
    for layer in (model.mean_head, *(chain[-1] for chain in model.auxiliary)):
        layer.weight.mul_(0.1)
    return model


def unit(seeds: list[int], budget: Budget, name: str) -> Tables:
    """Train and judge every seed on one system."""
    shape, balance, published = SYSTEMS[name]
    x = usual(torch.stack([orbits(name, s, budget.trajectories) for s in seeds]))
    valid = usual(torch.stack([orbits(name, s + HELD_OUT, budget.trajectories) for s in seeds]))
    model, terms = calmed(LuschNet(seeds, 2, shape)), partial(lusch_terms, balance=balance)
    ended = plan(budget.epochs, budget.batch, budget.lr, records=1)
    rows = fit(model, terms, Rows(x, x[:, :, 1:, :0]), seeds=seeds, plan=ended)
    with torch.no_grad():
        judged = terms(model, valid, valid[:, :, 1:, :0], valid)
    losses = (judged.fit + judged.price).tolist()
    facts = {"system": name, "published": published}
    told = zip(seeds, losses, [row["status"] for row in rows], strict=True)
    return {"members": [facts | {"seed": s, "loss": v if o == "ok" else math.nan, "outcome": o} for s, v, o in told]}
