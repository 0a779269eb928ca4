"""What information, consistency and entropy do to the code of pictures of pendulums: each term left out, held-out swings.

Every member, seeds times variants, trains in one program, and sees the same windows as others of its seed. The state is a
disk of closed orbits, angle times energy; a code that shows it tells cos q, sin q and q' of swings that it has not seen.
"""

from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from lib.core.precision import usual
from lib.core.types import Trajectories
from lib.experiments.information_koopman.ablation import ABLATION, Variant, principal, seen
from lib.experiments.tables import Tables, blank, together
from lib.koopman.autoencoder import Autoencoder, Recipe, information_ae_terms
from lib.koopman.entropy import portrait
from lib.koopman.members import Trained, cut, plan, trained, weights

LENGTH = 8  # frames of a training window


class Budget(NamedTuple):
    """How large networks are and how much they see."""

    epochs: int
    batch: int = 8
    lr: float = 5e-3
    code: int = 16
    channels: tuple[int, ...] = (8, 16, 32)
    shrink: int = 2  # pixels that are averaged, each way
    held: float = 0.25  # share of the swings that only tests see


class Sets(NamedTuple):
    """Standardised flat pictures of every seed and the states that they show."""

    train: Tensor  # (S, B, T, n)
    test: Tensor  # (S, b, T, n)
    train_states: Tensor  # (S, B, T, 2) angle and angular velocity
    test_states: Tensor  # (S, b, T, 2)


def measure(data: Trajectories, seeds: list[int], budget: Budget, *, workers: int | None = None) -> dict[str, pd.DataFrame]:
    """Return tables `members`, a row a seed and variant, and `codes` of the first seed's held-out swings.

    data: pictures x (B, T, c, h, w) with the truth "states" (B, T, 2).
    """
    return together(partial(unit, data, seeds, budget), ABLATION, workers=workers)


def sets(data: Trajectories, seeds: list[int], *, held: float, shrink: int) -> Sets:
    """Split swings by trajectory, seed s holding out the s-th group in turn, and standardise by the mean training picture.

    Errors: data that are no pictures with states, or fewer than two swings.
    """
    if data.x.ndim != 5 or len(data.x) < 2 or "states" not in data.truth:
        raise ValueError(f'data must be pictures (B >= 2, T, c, h, w) with the truth "states", got {tuple(data.x.shape)}')
    count = len(data.x)
    size, parts = min(max(1, round(held * count)), count - 1), []
    x = avg_pool2d(data.x.flatten(0, 1), shrink).unflatten(0, data.x.shape[:2]).flatten(2)
    for seed in seeds:
        out = [(seed * size + k) % count for k in range(size)]
        kept = [i for i in range(count) if i not in out]
        mean = x[kept].mean((0, 1))
        spread = (x[kept] - mean).square().mean().sqrt()
        train, test = (usual((x[rows] - mean) / spread) for rows in (kept, out))
        parts.append(Sets(train, test, data.truth["states"][kept], data.truth["states"][out]))
    return Sets(*(torch.stack(part) for part in zip(*parts, strict=True)))


def unit(data: Trajectories, seeds: list[int], budget: Budget, name: str) -> Tables:
    """Train and measure one variant, all seeds side by side."""
    made = sets(data, seeds, held=budget.held, shrink=budget.shrink)
    c, h, w = data.x.shape[2:]
    shape = {"fields": (c, h // budget.shrink, w // budget.shrink), "channels": budget.channels, "hidden": []}
    model = Autoencoder(seeds, made.train.shape[-1], shape | {"code": budget.code, "activation": "tanh", "operator": "pooled"})
    terms = partial(information_ae_terms, recipe=recipe(ABLATION[name]))
    windows = cut(made.train, LENGTH)
    batch = min(budget.batch, windows.shape[1])
    found = trained(model, terms, windows, seeds=seeds, plan=plan(budget.epochs, batch, budget.lr))
    names = [{"seed": seed, "variant": name} for seed in seeds]
    rows = scored(found, names, made)
    return {"members": rows, "codes": drawn(found, names[0], made) if found.status[0] == "ok" else []}


def recipe(variant: Variant) -> Recipe:
    """Return the objective of a variant, the contrast within windows as the public code has it."""
    return Recipe(**{name: weights([value], 1) for name, value in variant._asdict().items()}, information="infonce_window")


@torch.no_grad()
def scored(found: Trained, names: list[dict], made: Sets) -> list[dict]:
    """Return a row a member: what the code tells linearly of held-out states, how wide it is, and the error of one step."""
    codes, fitted = (found.settled.model.codes(x).double() for x in (made.test, made.train))
    sizes = portrait(fitted.flatten(1, 2))["effective_dimension"].tolist()
    rows = []
    for i, name in enumerate(names):
        facts = correlations(fitted[i], made.train_states[i], codes[i], made.test_states[i])
        facts |= {"effective_dimension": sizes[i], "error": missed(found, made.test, i)}
        rows.append(name | (facts if found.status[i] == "ok" else blank(facts)) | {"outcome": found.status[i]})
    return rows


def missed(found: Trained, x: Tensor, member: int) -> float:
    """Return |x' - x'(z K)| over the spread of x', one step ahead on held-out windows."""
    model, w = found.settled.model, found.settled.operator
    z = model.codes(x)[:, :, :-1].flatten(1, 2)
    told, later = model.decode(z @ w)[member], x[member, :, 1:].flatten(0, 1)
    return ((told - later).square().mean() / (later - later.mean(0)).square().mean()).sqrt().item()


def correlations(code: Tensor, states: Tensor, test: Tensor, test_states: Tensor) -> dict[str, float]:
    """Return the correlation of cos q, sin q and q' of test swings with their linear readout from the code, and of two angles.

    The readout is least squares with an intercept on training codes (B, T, d). "plane" is the circular correlation
    |mean e^(i (q - r))| of the angle q with r, the angle read from the readouts of its sine and cosine.
    """
    x, z = (torch.cat([c.flatten(0, 1), torch.ones(c.shape[0] * c.shape[1], 1, dtype=c.dtype)], 1) for c in (code, test))
    target, truth = (seen(s).flatten(0, 1) for s in (states, test_states))
    read = z @ torch.linalg.lstsq(x, target, driver="gelsd").solution  # the default repeats no bits
    both = torch.stack([torch.corrcoef(torch.stack([a, b]))[0, 1] for a, b in zip(read.T, truth.T, strict=True)])
    turn = torch.polar(torch.ones_like(read[:, 0]), torch.atan2(read[:, 1], read[:, 0]) - test_states[..., 0].flatten())
    return dict(zip(("cosine", "sine", "speed"), both.tolist(), strict=True)) | {"angle": turn.mean().abs().item()}


@torch.no_grad()
def drawn(found: Trained, name: dict, made: Sets) -> list[dict]:
    """Return the two leading principal coordinates of the first seed's held-out codes, with angle and speed, a row a frame."""
    code = found.settled.model.codes(made.test)[0].double().flatten(0, 1)
    both = zip(principal(code).tolist(), made.test_states[0].flatten(0, 1).tolist(), strict=True)
    return [name | {"first": a, "second": b, "angle": q, "speed": v} for (a, b), (q, v) in both]
