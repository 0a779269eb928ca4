"""Koopman learners on flow fields: forecasts from trajectories that no learner has seen, by networks and by linear algebra."""

import math
from functools import partial
from itertools import product
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from lib.core import checks
from lib.core.precision import usual
from lib.core.types import Trajectories
from lib.experiments.information_koopman.flow_scores import DELAYS, Sets, judged, ranges, rhythm, sets
from lib.experiments.tables import Tables, blank, together
from lib.koopman import dictionaries, dmd, edmd, hankel_dmd, kkr
from lib.koopman.autoencoder import PAPER, PUBLIC_CODE, Autoencoder, Recipe, information_ae_terms, information_vae_terms
from lib.koopman.entropy import portrait
from lib.koopman.linear import MODES, LinearKoopman, Rollout, rollout
from lib.koopman.members import Network, Trained, cut, merged, plan, rollouts, trained
from lib.koopman.pairs import delays as delayed
from lib.koopman.regression import annulus

LENGTH = 8  # frames of a training window


class Budget(NamedTuple):
    """How large networks are, how much they see, and what methods by algebra may use."""

    epochs: int
    batch: int = 8
    lr: float = 5e-3
    code: int = 16
    channels: tuple[int, ...] = (8, 16, 32)
    rank: int = 16  # coordinates of the proper orthogonal decomposition
    windows: int = 60  # of the kernel regression, 8 snapshots each
    held: float = 0.25  # share of the trajectories that only tests see


# As Lorenz's, but for three: the printed contrast has no bound, so the paper's signs and weights come with a bounded one too;
# a decoder of deviation 0.3 and 2048 values a field weigh the ELBO's KL by 2 s^2 / 2048.
BOUNDED = Recipe(alpha=2.0, gamma=0.1, information="infonce_batch", temperature=0.07)
NETWORKS = {
    "learned": Network("dense", information_ae_terms, {"kae": Recipe(), "information_paper": PAPER}),
    "bounded": Network("dense", information_ae_terms, {"information_bounded": BOUNDED}),
    "public": Network("averaged", information_ae_terms, {"information_public_code": PUBLIC_CODE}),
    "sampled": Network("dense", information_vae_terms, {"vae": Recipe(beta=1e-4)}),
    "rotating": Network("unitary", information_ae_terms, {"unitary": Recipe()}),
}
PERSISTENCE = "persistence"


def measure(
    flows: dict[str, Trajectories], seeds: list[int], budget: Budget, *, workers: int | None = None
) -> dict[str, pd.DataFrame]:
    """Return table `members`, a row for each flow, method, seed and mode of rollout.

    flows: name -> fields x (B, T, c, h, w); a truth "angle" (B,) is the rhythm's angle of one step.
    """
    units = product(flows, [*NETWORKS, *LINEAR, PERSISTENCE])
    return together(partial(unit, flows, seeds, budget), units, workers=workers)


def unit(flows: dict[str, Trajectories], seeds: list[int], budget: Budget, chosen: tuple[str, str]) -> Tables:
    """Train and score the methods of one program on one flow."""
    flow, name = chosen
    data, shape = sets(flows[flow], seeds, held=budget.held), tuple(flows[flow].x.shape[2:])
    if name not in NETWORKS:
        rows = [by_algebra(name, data, i, {"flow": flow, "seed": s}, shape, budget) for i, s in enumerate(seeds)]
        return {"members": [row for own in rows for row in own]}
    methods = list(NETWORKS[name].recipes)
    found = network(NETWORKS[name], data.train, seeds, shape, budget)
    names = [{"flow": flow, "method": method, "seed": s} for s in seeds for method in methods]
    copied = Sets(*(part.repeat_interleave(len(methods), 0) for part in data))
    found = found._replace(settled=found.settled._replace(box=ranges(copied.train, shape)))
    both = rollouts(found, copied.truth[:, :, 0], copied.truth.shape[2] - 1)
    seen = portraits(found, copied.train)
    rows = []
    for (i, own), mode in product(enumerate(names), both):
        made = Rollout(both[mode].x[i], both[mode].left_at[i], mode)
        facts = judged(made, copied.truth[i], shape) | seen[i] | {"true_angle": copied.angle[i].item()}
        rows.append(own | (facts if found.status[i] == "ok" else blank(facts) | {"mode": mode, "outcome": found.status[i]}))
    return {"members": rows}


def network(asked: Network, x: Tensor, seeds: list[int], shape: tuple[int, int, int], budget: Budget) -> Trained:
    """Train every recipe and seed of one program."""
    layers = {"fields": shape, "channels": budget.channels, "hidden": [], "code": budget.code, "activation": "tanh"}
    members = [s for s in seeds for _ in asked.recipes]
    model = Autoencoder(members, math.prod(shape), layers | {"operator": asked.operator})
    terms = partial(asked.terms, recipe=merged(list(asked.recipes.values()), len(seeds)))
    windows = usual(cut(x, LENGTH))
    batch = min(budget.batch, windows.shape[1])
    return trained(model, terms, windows, seeds=seeds, plan=plan(budget.epochs, batch, budget.lr))


@torch.no_grad()
def portraits(found: Trained, train: Tensor) -> list[dict]:
    """Return each member's effective dimension and the angle of its leading oscillation, over its training codes."""
    codes = found.settled.model.codes(usual(train)).double().flatten(1, 2)
    turns = [rhythm(k.double(), z) for k, z in zip(found.settled.operator, codes, strict=True)]
    sizes = portrait(codes)["effective_dimension"].tolist()
    return [{"effective_dimension": size, "angle": turn} for size, turn in zip(sizes, turns, strict=True)]


def by_algebra(name: str, data: Sets, place: int, facts: dict, shape: tuple[int, int, int], budget: Budget) -> list[dict]:
    """Fit one method to the leading orthogonal coordinates of one seed's fields, and score both rollouts as fields."""
    train, past, truth, angle = (part[place] for part in data)
    steps, rows = truth.shape[1] - 1, []
    if name == PERSISTENCE:
        still = Rollout(truth[:, :1].expand_as(truth), torch.full((len(truth),), -1), "linear")
        return [{"method": name} | facts | judged(still, truth, shape) | {"angle": math.nan, "true_angle": angle.item()}]
    basis = orthogonal(train, checks.counted(budget.rank, "rank"))
    model = LINEAR[name](Trajectories(train @ basis, 1.0, {}), facts["seed"], budget)
    seen = delayed(Trajectories(train @ basis, 1.0, {}), count=model.delays).x.flatten(0, 1)
    # Eigenvalues of the kernel regression are drawn and not found, and too many to take apart once more.
    drawn = model.operator.is_complex()
    turn = math.nan if drawn else rhythm(model.operator, model.lift(seen), reads=model.forecast)
    for mode in MODES:
        start = past @ basis
        made = rollout(model, start if model.delays > 1 else start[:, -1], steps, mode=mode)
        fields = torch.cat([truth[:, :1], made.x[:, 1:] @ basis.T], 1)
        told = judged(Rollout(fields, made.left_at, mode), truth, shape)
        rows.append({"method": name} | facts | told | {"angle": turn, "true_angle": angle.item()})
    return rows


def orthogonal(train: Tensor, rank: int) -> Tensor:
    """Return the `rank` leading directions of at most 1000 evenly spread training fields (B, T, n), (n, rank).

    Source: [sirovich1987turbulence].
    """
    rows = train.flatten(0, 1)
    return torch.linalg.svd(rows[:: len(rows) // 1000 + 1], full_matrices=False)[2][:rank].T


def by_squares(data: Trajectories, seed: int, budget: Budget) -> LinearKoopman:
    """Fit EDMD on all monomials of degree two of the coordinates."""
    return edmd(data, lift=dictionaries.monomials(data.x.shape[-1], degree=2), ridge=1e-6)


def by_kernels(data: Trajectories, seed: int, budget: Budget) -> LinearKoopman:
    """Fit kernel regression to windows of 8 snapshots that are spread evenly over the data; eigenvalues are drawn."""
    stride = len(data.x) * (data.x.shape[1] - LENGTH + 1) // budget.windows + 1
    width = math.sqrt(data.x.square().sum(-1).mean().item())
    return kkr(data, eigenvalues=annulus(50, least=0.8, seed=seed), length=LENGTH, width=width, ridge=1e-6, stride=stride)


LINEAR = {
    "dmd": lambda data, seed, budget: dmd(data),
    "delay_dmd": lambda data, seed, budget: hankel_dmd(data, delays=DELAYS, rank=budget.rank),
    "edmd_2": by_squares,
    "kkr": by_kernels,
}
