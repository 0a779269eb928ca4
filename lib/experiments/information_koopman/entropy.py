"""What information and entropy do to the code of a Koopman autoencoder: pendulums seen through 64 numbers, both signs.

Every member of an operator, seeds times variants, trains in one program, and sees the same windows as others of its seed.
"""

import math
from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from lib.core.precision import usual
from lib.data.dynamics.pendulum import pendulum
from lib.experiments.information_koopman.ablation import ABLATION, SIGNS, Variant, principal, seen
from lib.experiments.tables import HELD_OUT, Tables, blank, together
from lib.koopman.autoencoder import Autoencoder, Recipe, information_ae_terms
from lib.koopman.entropy import portrait
from lib.koopman.members import Trained, cut, errors, outcome, plan, rollouts, spectra, trained, weights

COLUMNS, DT, AMPLITUDES = 64, 0.1, (0.3, 2.8)
SHAPE = {"hidden": [64, 64], "code": 16, "decoder": [64, 64], "activation": "tanh"}
HORIZONS = [5, 20]


class Unit(NamedTuple):
    """Variants of one operator, trained as one program."""

    name: str  # of what is asked
    operator: str
    variants: dict[str, Variant]


class Budget(NamedTuple):
    """How much is seen and for how long."""

    epochs: int
    trajectories: int = 64
    frames: int = 16
    batch: int = 16
    lr: float = 1e-3


UNITS = [Unit("signs", operator, SIGNS) for operator in ("dense", "pooled", "averaged")]
UNITS.append(Unit("ablation", "pooled", ABLATION))


def measure(seeds: list[int], budget: Budget, *, workers: int | None = None) -> dict[str, pd.DataFrame]:
    """Return tables `history`, `members`, `spectra` and `codes` (first seed of the ablation), with asked and operator named."""
    return together(partial(unit, seeds, budget), UNITS, workers=workers)


def swings(seeds: list[int], trajectories: int, frames: int) -> tuple[Tensor, Tensor]:
    """Return pendulums as wide rows (S, B, T, 64) and their states (S, B, T, 2).

    A row is a linear image of cos q, sin q and q' / 4, the same for all seeds, and of mean square near 1.
    """
    states = torch.stack(
        [pendulum(trajectories=trajectories, steps=frames - 1, dt=DT, seed=s, amplitudes=AMPLITUDES).x for s in seeds]
    )
    draws = torch.randn(COLUMNS, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    frame = torch.linalg.qr(draws).Q.T * math.sqrt(COLUMNS / 3)
    return usual(seen(states) @ frame), states


def unit(seeds: list[int], budget: Budget, chosen: Unit) -> Tables:
    """Train and measure every variant and seed of one operator."""
    (x, states), variants = swings(seeds, budget.trajectories, budget.frames), list(chosen.variants.values())
    model = Autoencoder([s for s in seeds for _ in variants], COLUMNS, SHAPE | {"operator": chosen.operator})
    each = {field: weights([getattr(v, field) for v in variants], len(seeds)) for field in Variant._fields}
    recipe = Recipe(**each, information="infonce_window")
    terms = partial(information_ae_terms, recipe=recipe)
    found = trained(model, terms, cut(x, budget.frames), seeds=seeds, plan=plan(budget.epochs, budget.batch, budget.lr))
    shared = {"asked": chosen.name, "operator": chosen.operator}
    names = [shared | {"seed": s, "variant": v} for s in seeds for v in chosen.variants]
    labels = list(chosen.variants)
    history = [shared | row | {"variant": labels[row["variant"]]} for row in found.history]
    members = scored(found, names, (x, states), seeds)
    codes = drawn(found, names[: len(variants)], states[0], x[:1]) if chosen.name == "ablation" else []
    return {"history": history, "members": members, "spectra": spectra(found, names), "codes": codes}


@torch.no_grad()
def scored(found: Trained, names: list[dict], seen_in_training: tuple[Tensor, Tensor], seeds: list[int]) -> list[dict]:
    """Return a row a member: the code's effective dimension, forecasts of held-out swings, and how linear the code moves."""
    copies = len(names) // len(seeds)
    x, states = (z.repeat_interleave(copies, 0) for z in seen_in_training)
    test = swings([s + HELD_OUT for s in seeds], 64, HORIZONS[-1] + 1)[0].repeat_interleave(copies, 0)
    codes, both = found.settled.model.codes(x), rollouts(found, test[:, :, 0], HORIZONS[-1])
    sizes, bent = portrait(codes.flatten(1, 2))["effective_dimension"].tolist(), unlike(found, test)
    rows = []
    for i, name in enumerate(names):
        facts = {"effective_dimension": sizes[i], "latent_error": bent[i], "read": read(codes[i], states[i])}
        facts = facts if found.status[i] == "ok" else blank(facts)
        for mode, made in both.items():
            far = errors(made.x[i], test[i].double(), HORIZONS) if found.status[i] == "ok" else {}
            told = outcome(made.left_at[i]) if far else found.status[i]
            rows.append(name | facts | far | {"mode": mode, "outcome": told})
    return rows


def unlike(found: Trained, x: Tensor) -> list[float]:
    """Return |z' - z K|^2 / |z' - mean|^2 of the codes of held-out windows, one a member."""
    z = found.settled.model.codes(x)
    now, later = z[:, :, :-1].flatten(1, 2), z[:, :, 1:].flatten(1, 2)
    miss = (later - now @ found.settled.operator).square().sum((1, 2))
    return (miss / (later - later.mean(1, keepdim=True)).square().sum((1, 2))).tolist()


def read(code: Tensor, states: Tensor) -> float:
    """Return the share of the variance of cos q, sin q and q' / 4 that is linear in two principal coordinates of the code."""
    z, target = principal(code.flatten(0, 1).double()), seen(states).flatten(0, 1)
    target = target - target.mean(0)
    miss = target - z @ torch.linalg.lstsq(z, target, driver="gelsd").solution  # the default repeats no bits
    return 1 - (miss.square().sum() / target.square().sum()).item()


@torch.no_grad()
def drawn(found: Trained, names: list[dict], states: Tensor, x: Tensor) -> list[dict]:
    """Return the two leading principal coordinates of the first seed's codes, with angle and speed, a row a frame."""
    codes, rows = found.settled.model.codes(x.expand(len(found.status), -1, -1, -1)).double(), []
    for name, code in zip(names, codes, strict=False):
        plane = principal(code.flatten(0, 1))
        for (first, second), (angle, speed) in zip(plane.tolist(), states.flatten(0, 1).tolist(), strict=True):
            rows.append(name | {"first": first, "second": second, "angle": angle, "speed": speed})
    return rows
