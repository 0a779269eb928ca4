"""Koopman networks of many seeds and recipes as one program: cut trajectories, train, settle, score what they forecast."""

from typing import NamedTuple

import torch
from torch import Tensor

from lib.core.plan import Plan
from lib.core.precision import usual
from lib.core.types import Rows
from lib.koopman import metrics
from lib.koopman.autoencoder import Recipe
from lib.koopman.forecast import Settled, rollout, settle
from lib.koopman.learner import Objective, fit
from lib.koopman.linear import MODES, Rollout
from lib.nets.stacked import Bottleneck

HORIZONS = [5, 20, 50]


class Trained(NamedTuple):
    """Members after training: their operator, and how each ended."""

    settled: Settled
    history: list[dict]
    status: list[str]  # one a member


def cut(x: Tensor, length: int) -> Tensor:
    """Return windows of `length` that do not overlap, (S, B, T, n) -> (S, B T // length, length, n); the rest is left."""
    return x[:, :, : x.shape[2] // length * length].unflatten(2, (-1, length)).flatten(1, 2)


def trained(model: Bottleneck, terms: Objective, x: Tensor, *, seeds: list[int], plan: Plan) -> Trained:
    """Train members on windows x (S, N, T, n) that nothing acts on, and settle each on its own."""
    free = x[:, :, 1:, :0]
    history = fit(model, terms, Rows(x, free), seeds=seeds, plan=plan)
    members = len(model.mean_head.weight)
    copies = (part.repeat_interleave(members // len(seeds), 0) for part in (x, free))
    return Trained(settle(model, *copies), history, [row["status"] for row in history[-members:]])


def weights(values: list[float], seeds: int) -> float | Tensor:
    """Return a weight for each member, seed by seed, or one number where all variants have the same."""
    return values[0] if len(set(values)) == 1 else torch.tensor(values).repeat(seeds)


def rollouts(found: Trained, x0: Tensor, steps: int) -> dict[str, Rollout]:
    """Return both rollouts from x0 (R, B, n), in double."""
    both = {mode: rollout(found.settled, usual(x0), steps, mode=mode) for mode in MODES}
    return {mode: made._replace(x=made.x.double()) for mode, made in both.items()}


def errors(forecast: Tensor, truth: Tensor, horizons: list[int]) -> dict[str, float]:
    """Return NRMSE by the standard deviation of the truth at each horizon, {"nrmse_5": ...}, (B, S, ...) each."""
    found = metrics.nrmse(forecast, truth, norm="std", horizons=horizons).tolist()
    return {f"nrmse_{horizon}": value for horizon, value in zip(horizons, found, strict=True)}


def outcome(left_at: Tensor) -> str:
    """Return whether forecasts (B,) stayed within one range of the data, or how many did not."""
    left = int((left_at >= 0).sum())
    return f"left the range in {left} of {len(left_at)}" if left else "ok"


def spectra(found: Trained, names: list[dict]) -> list[dict]:
    """Return a row for every eigenvalue of every member: modulus and angle, largest modulus first."""
    values = found.settled.eigenvalues()
    polar = zip(names, values.abs().tolist(), values.angle().tolist(), strict=True)
    return [
        name | {"place": i, "modulus": m, "angle": a}
        for name, moduli, angles in polar
        for i, (m, a) in enumerate(zip(moduli, angles, strict=True))
    ]


def plan(epochs: int, batch: int, lr: float, *, clip: float = 1.0, records: int = 25) -> Plan:
    """Return the plan of a comparison: last weights, gradients clipped member by member, divergence an outcome."""
    return Plan(epochs, batch, lr, select="last", clip=clip, records=records, on_divergence="record")


class Network(NamedTuple):
    """One program of several methods: their objective, operator and recipes."""

    operator: str
    terms: object
    recipes: dict[str, Recipe]


def merged(recipes: list[Recipe], seeds: int) -> Recipe:
    """Return one recipe whose weights are those of each member; the forms are the last one's."""
    numbers = [name for name, value in recipes[-1]._asdict().items() if isinstance(value, float) and name != "temperature"]
    return recipes[-1]._replace(**{name: weights([getattr(r, name) for r in recipes], seeds) for name in numbers})
