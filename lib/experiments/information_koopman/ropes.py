"""One operator for ropes of any length: learnt on five to nine balls, led on for ten to fourteen.

Observables of a ball are sums over its neighbours that a spring's force is made of; they lead on by one small matrix for each
kind of edge, so that nothing depends on how many balls there are. Source: [li2020learning], whose encoder is learnt; ours is
fixed.
"""

from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from lib.core import checks
from lib.core.types import Trajectories
from lib.data.dynamics.rope import rope
from lib.experiments.tables import HELD_OUT, Tables, together
from lib.koopman.linear import MODES
from lib.koopman.members import errors
from lib.koopman.operators import graph_ridge, graph_step

TRAINED, TESTED = range(5, 10), range(10, 15)  # balls
HORIZONS = [10, 50, 100]
DT, STATE = 0.02, 4  # time of a step; position and velocity, the first numbers of every ball


class Budget(NamedTuple):
    """How many ropes of each length a seed has, and for how many steps."""

    ropes: int = 8
    steps: int = 60
    ahead: int = 100
    ridge: float = 1e-5  # share of the mean power


class Method(NamedTuple):
    """What a ball shows of its neighbours, and whether they act on it."""

    springs: bool
    edges: bool


METHODS = {"graph": Method(True, True), "graph_of_states": Method(False, True), "objects": Method(False, False)}
PERSISTENCE = "persistence"


class Fit(NamedTuple):
    """One small matrix for each kind of edge."""

    method: Method
    k: Tensor  # (edges, g + 1, g): what acts comes last


def measure(seeds: list[int], budget: Budget, *, workers: int | None = None) -> dict[str, pd.DataFrame]:
    """Return table `members`, a row for each seed, method, mode of rollout and number of balls: NRMSE of positions."""
    return together(partial(unit, seeds), [budget], workers=workers)


def unit(seeds: list[int], budget: Budget) -> Tables:
    """Fit every method to the short ropes of every seed, and lead on ropes of all lengths that it has not seen."""
    short = {n: drawn(n, seeds, budget.ropes, budget.steps, apart=0) for n in TRAINED}
    unseen = {n: drawn(n, seeds, budget.ropes, budget.ahead, apart=HELD_OUT) for n in [*TRAINED, *TESTED]}
    rows = []
    for i, seed in enumerate(seeds):
        fits = {name: fitted([short[n][i] for n in TRAINED], method, budget.ridge) for name, method in METHODS.items()}
        for n, data in unseen.items():
            truth, facts = data[i].x[..., :2], {"seed": seed, "balls": n}
            rows.append(facts | {"method": PERSISTENCE, "mode": "linear"} | judged(truth[:, :1].expand_as(truth), truth))
            for name, fit in fits.items():
                made = {mode: led(fit, data[i], mode=mode)[..., :2] for mode in MODES}
                rows += [facts | {"method": name, "mode": mode} | judged(x, truth) for mode, x in made.items()]
    return {"members": rows}


def drawn(balls: int, seeds: list[int], each: int, steps: int, *, apart: int) -> list[Trajectories]:
    """Return `each` ropes a seed, simulated side by side from a stream of their length's own, in the order of the seeds."""
    data = rope(trajectories=each * len(seeds), steps=steps, dt=DT, seed=seeds[0] + apart + balls, balls=balls)
    parts = [slice(i * each, (i + 1) * each) for i in range(len(seeds))]
    return [Trajectories(data.x[p], DT, {"gravity": data.truth["gravity"][p]}, data.controls[p]) for p in parts]


def adjacency(balls: int, *, edges: bool) -> Tensor:
    """Return who acts on whom, a matrix for each kind, (2 or 8, N, N): row i collects from column j.

    Kinds: a ball on itself, the one on the rail apart; and, at one and at two links' distance, the one on the rail on others,
    others on it, and others among themselves.
    """
    checks.counted(balls, "balls", least=3)
    eye, first = torch.eye(balls, dtype=torch.float64), torch.zeros(balls, dtype=torch.float64)
    first[0] = 1
    kinds = [eye * first, eye * (1 - first)]
    for hop in (1, 2) if edges else ():
        near = torch.diag(torch.ones(balls - hop, dtype=torch.float64), hop)
        near = near + near.T
        kinds += [near * (1 - first[:, None]) * first, near * first[:, None], near * (1 - first[:, None]) * (1 - first)]
    return torch.stack(kinds)


def observed(x: Tensor, gravity: Tensor, method: Method) -> Tensor:
    """Return the observables of every ball, (..., N, 4) and gravity (...) -> (..., N, g), its state first.

    A constant and gravity follow; then, where springs show, at one and at two links' distance the sums of u and of (w . u) u
    over neighbours, u the direction to them and w their relative velocity: a spring pulls by |d| u - L u, and drags by the
    second.
    """
    ones = torch.ones_like(x[..., :1])
    parts = [x, ones, gravity[..., None, None] * ones]
    for hop in (1, 2) if method.springs else ():
        apart = x[..., hop:, :] - x[..., :-hop, :]
        u = apart[..., :2] / apart[..., :2].norm(dim=-1, keepdim=True)
        pull = torch.cat([u, (apart[..., 2:] * u).sum(-1, keepdim=True) * u], -1)
        edge = pull.new_zeros(*pull.shape[:-2], hop, pull.shape[-1])
        parts.append(torch.cat([pull, edge], -2) - torch.cat([edge, pull], -2))
    return torch.cat(parts, -1)


def acting(z: Tensor, pushes: Tensor) -> Tensor:
    """Return observables (..., N, g) with what hits each ball beside them, (..., N, g + 1): only the first is hit."""
    hit = torch.zeros_like(z[..., :1])
    hit[..., 0, :] = pushes
    return torch.cat([z, hit], -1)


def fitted(parts: list[Trajectories], method: Method, ridge: float) -> Fit:
    """Fit the matrices to as many ropes of each of several lengths: one of each make one graph of several pieces."""
    graphs = [adjacency(part.x.shape[2], edges=method.edges) for part in parts]
    whole = torch.stack([torch.block_diag(*kinds) for kinds in zip(*graphs, strict=True)])
    z = [observed(part.x, part.truth["gravity"][:, None].expand(part.x.shape[:2]), method) for part in parts]
    past = torch.cat([acting(one[:, :-1], part.controls) for one, part in zip(z, parts, strict=True)], 2)
    return Fit(method, graph_ridge(past, torch.cat(z, 2)[:, 1:], whole, ridge=ridge))


def led(fit: Fit, data: Trajectories, *, mode: str) -> Tensor:
    """Return the states (B, T, N, 4) that follow the first ones under the same pushes.

    mode "linear" only multiplies; "relift" takes the observables of every forecast anew. One that is no longer finite stays.
    """
    checks.known(mode, MODES, "mode of a rollout")
    graph, gravity = adjacency(data.x.shape[2], edges=fit.method.edges), data.truth["gravity"]
    z = observed(data.x[:, 0], gravity, fit.method)
    states = [data.x[:, 0]]
    for pushes in data.controls.unbind(1):
        new = graph_step(acting(z, pushes), graph, fit.k)
        fine = new.isfinite().flatten(1).all(1)[:, None, None]
        states.append(torch.where(fine, new[..., :STATE], states[-1]))
        z = observed(states[-1], gravity, fit.method) if mode == "relift" else new
    return torch.stack(states, 1)


def judged(forecast: Tensor, truth: Tensor) -> dict[str, float]:
    """Return NRMSE of positions (B, T, N, 2) at each horizon that the truth reaches, by its standard deviation."""
    return errors(forecast, truth, [h for h in HORIZONS if h < truth.shape[1]])
