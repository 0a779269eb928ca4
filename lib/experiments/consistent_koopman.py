"""Consistent Koopman autoencoders on one orbit of a pendulum, seen through 64 numbers: a thousand steps and an eigen-angle."""

from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from lib.core.precision import usual
from lib.data.dynamics.pendulum import pendulum_embedded
from lib.experiments.tables import Tables, blank, together
from lib.koopman.consistency import Balance, ConsistentAutoencoder, consistent_terms
from lib.koopman.members import Trained, plan, rollouts, spectra, trained, weights
from lib.koopman.metrics import rrmse

DT, AMPLITUDE, AHEAD, STARTS = 0.1, 2.4, 9, 30
SHAPE = {"hidden": [16, 16], "code": 6, "decoder": [16, 16], "activation": "tanh"}
VARIANTS = {"forward only": Balance(backward=0.0, consistency=0.0), "consistent": Balance()}


class Budget(NamedTuple):
    """Epochs at each learning rate in turn, and how far is forecast."""

    epochs: list[int]
    rates: list[float]
    frames: int = 600  # of the one orbit that is trained on
    batch: int = 64
    ahead: int = 1000


def measure(seeds: list[int], budget: Budget, *, workers: int | None = None) -> dict[str, pd.DataFrame]:
    """Return tables `members`, `paths` (error by step) and `spectra`; every second seed is one program."""
    return together(partial(unit, budget), [part for part in (seeds[::2], seeds[1::2]) if part], workers=workers)


def orbit(seed: int, budget: Budget) -> tuple[Tensor, Tensor, float]:
    """Return windows of training (N, 9, 64), later starts with what follows (30, ahead + 1, 64), and the true angle.

    Values lie in [-1, 1]. Windows overlap, as published.
    """
    last = budget.frames + STARTS + budget.ahead
    data = pendulum_embedded(trajectories=1, steps=last, dt=DT, seed=seed, amplitudes=(AMPLITUDE, AMPLITUDE))
    x = data.x[0] / data.x.abs().max()
    test = x[budget.frames :].unfold(0, budget.ahead + 1, 1).mT[:STARTS]
    return usual(x[: budget.frames].unfold(0, AHEAD, 1).mT), test, data.truth["angle"].item()


def unit(budget: Budget, seeds: list[int]) -> Tables:
    """Train and measure both variants of every seed."""
    sets, variants = [orbit(seed, budget) for seed in seeds], list(VARIANTS.values())
    x = torch.stack([one[0] for one in sets])
    model = ConsistentAutoencoder([s for s in seeds for _ in variants], x.shape[-1], SHAPE)
    each = {name: weights([getattr(v, name) for v in variants], len(seeds)) for name in Balance._fields}
    terms, status = partial(consistent_terms, balance=Balance(**each)), ["ok"] * len(seeds) * len(variants)
    for epochs, rate in zip(budget.epochs, budget.rates, strict=True):
        found = trained(model, terms, x, seeds=seeds, plan=plan(epochs, budget.batch, rate, clip=0.05, records=1))
        status = [now if before == "ok" else before for before, now in zip(status, found.status, strict=True)]
    names = [{"seed": seed, "variant": variant} for seed in seeds for variant in VARIANTS]
    copies = [one[1:] for one in sets for _ in variants]
    return judged(found._replace(status=status), names, copies) | {"spectra": spectra(found, names)}


def judged(found: Trained, names: list[dict], copies: list[tuple[Tensor, float]]) -> Tables:
    """Return a row a member, and its relative error by step, a mean over starts; copies: what follows, and the true angle."""
    truth = torch.stack([test for test, _ in copies])
    made = rollouts(found, truth[:, :, 0], truth.shape[2] - 1)["linear"].x
    values, members, paths = found.settled.eigenvalues(), [], []
    for i, name in enumerate(names):
        far, angle = rrmse(made[i], truth[i]).mean(0), copies[i][1]
        near = (values[i].angle().abs() - angle).abs().min().item()
        facts = {"radius": values[i].abs().max().item(), "angle_error": near, "error": far[1:].mean().item()}
        facts = facts if found.status[i] == "ok" else blank(facts)
        members.append(name | facts | {"outcome": found.status[i], "true_angle": angle})
        paths += [name | {"step": t, "error": far[t].item()} for t in range(1, len(far), 10) if found.status[i] == "ok"]
    return {"members": members, "paths": paths}
