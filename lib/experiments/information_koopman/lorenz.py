"""Koopman learners on Lorenz's system: errors at short horizons, time until the forecast is lost, statistics of long runs.

Snapshots are standardised by the training set of their seed, and all errors are in these units.
"""

import math
from functools import partial
from itertools import product
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from lib.core.precision import usual
from lib.core.types import Trajectories
from lib.data.dynamics.lorenz import LYAPUNOV, lorenz
from lib.experiments.tables import HELD_OUT, Tables, blank, together
from lib.koopman import consistency, dictionaries, dmd, edmd, kkr, metrics
from lib.koopman.autoencoder import PAPER, PUBLIC_CODE, Autoencoder, Recipe, information_ae_terms, information_vae_terms
from lib.koopman.consistency import ConsistentAutoencoder, consistent_terms
from lib.koopman.linear import MODES, LinearKoopman, Rollout, rollout
from lib.koopman.members import (
    HORIZONS,
    Network,
    Trained,
    cut,
    errors,
    merged,
    outcome,
    plan,
    rollouts,
    spectra,
    trained,
)
from lib.koopman.regression import annulus

SHAPE = {"hidden": [64, 64], "code": 16, "decoder": [64, 64], "activation": "tanh"}
LENGTH, AHEAD = 16, 9  # frames of a window; of one that is led ahead 8 steps
BINS, SETTLING = 10, 100  # cells an axis of the histogram; steps that a long run leaves out
ROOM = 1.2  # data of the consistent network lie in [-1, 1] with this margin


class Budget(NamedTuple):
    """How much is seen, for how long, and how much is forecast."""

    epochs: int
    trajectories: int = 32
    steps: int = 127
    batch: int = 32
    lr: float = 2e-3
    starts: int = 40
    ahead: int = 600
    windows: int = 60  # of the kernel regression, 20 snapshots each


class Sets(NamedTuple):
    """Standardised trajectories of every seed."""

    train: Tensor  # (S, B, T, 3)
    test: Tensor  # (S, B, ahead + 1, 3): the same attractor for all, in each seed's units


PLAIN = Recipe()
# With a decoder of deviation 0.09 the ELBO's KL weighs 2 s^2 / 3 of a mean squared error over three numbers.
SAMPLED = Recipe(beta=0.005)
NETWORKS = {
    "learned": Network("dense", information_ae_terms, {"kae": PLAIN, "information_paper": PAPER}),
    "public": Network("averaged", information_ae_terms, {"information_public_code": PUBLIC_CODE}),
    "sampled": Network("dense", information_vae_terms, {"vae": SAMPLED}),
    "rotating": Network("unitary", information_ae_terms, {"unitary": PLAIN}),
}
CONSISTENT = "consistent_kae"


def measure(seeds: list[int], times: list[float], budget: Budget, *, workers: int | None = None) -> dict[str, pd.DataFrame]:
    """Return tables `members`, a row for each method, seed, dt and mode of rollout, and `spectra`."""
    units = product([*NETWORKS, CONSISTENT, *LINEAR], times)
    return together(partial(unit, seeds, budget), units, workers=workers)


def unit(seeds: list[int], budget: Budget, chosen: tuple[str, float]) -> Tables:
    """Train and score the methods of one program at one dt."""
    name, dt = chosen
    data = sets(seeds, dt, budget)
    if name in LINEAR:
        rows = [row for i, seed in enumerate(seeds) for row in by_algebra(name, data, i, {"seed": seed, "dt": dt}, budget)]
        return {"members": rows, "spectra": []}
    scale = data.train.abs().amax((1, 2, 3), keepdim=True) * ROOM if name == CONSISTENT else torch.ones(())
    methods = [name] if name == CONSISTENT else list(NETWORKS[name].recipes)
    found = network(name, data.train / scale, seeds, budget)
    names = [{"method": method, "seed": s, "dt": dt} for s in seeds for method in methods]
    scale, test = (z.repeat_interleave(len(methods), 0) if z.ndim else z for z in (scale, data.test))
    both = rollouts(found, (test / scale)[:, :, 0], budget.ahead)
    both = {mode: made._replace(x=made.x * scale) for mode, made in both.items()}
    return {"members": scored(found, names, both, test), "spectra": spectra(found, names)}


def sets(seeds: list[int], dt: float, budget: Budget) -> Sets:
    """Return training trajectories of each seed, and test ones that all share, by the training set's mean and spread."""
    x = torch.stack([lorenz(trajectories=budget.trajectories, steps=budget.steps, dt=dt, seed=s).x for s in seeds])
    far = lorenz(trajectories=budget.starts, steps=budget.ahead, dt=dt, seed=HELD_OUT).x
    mean, spread = x.mean((1, 2), keepdim=True), x.std((1, 2), keepdim=True)
    return Sets((x - mean) / spread, (far - mean) / spread)


def network(name: str, x: Tensor, seeds: list[int], budget: Budget) -> Trained:
    """Train every recipe and seed of one program."""
    if name == CONSISTENT:
        model = ConsistentAutoencoder(seeds, 3, SHAPE)
        terms = partial(consistent_terms, balance=consistency.Balance())
    else:
        operator, form, recipes = NETWORKS[name]
        model = Autoencoder([s for s in seeds for _ in recipes], 3, SHAPE | {"operator": operator})
        terms = partial(form, recipe=merged(list(recipes.values()), len(seeds)))
    windows = usual(cut(x, AHEAD if name == CONSISTENT else LENGTH))
    return trained(model, terms, windows, seeds=seeds, plan=plan(budget.epochs, budget.batch, budget.lr))


def scored(found: Trained, names: list[dict], both: dict[str, Rollout], test: Tensor) -> list[dict]:
    """Return a row for each member and mode."""
    rows = []
    for (i, name), mode in product(enumerate(names), both):
        own = Rollout(both[mode].x[i], both[mode].left_at[i], mode)
        facts = judged(own, test[i], name["dt"])
        rows.append(name | (facts if found.status[i] == "ok" else blank(facts) | {"mode": mode, "outcome": found.status[i]}))
    return rows


def judged(made: Rollout, truth: Tensor, dt: float) -> dict:
    """Return errors, valid time in Lyapunov times, and KL of the long run, NaN nats where it left the range of the data."""
    assert (made.x[:, 0] - truth[:, 0]).abs().max() < 1e-4, "a forecast begins where the truth does, in its units"
    told, span = outcome(made.left_at), made.x.shape[1] - 1
    facts = errors(made.x, truth, [h for h in HORIZONS if h <= span])
    facts["valid_time"] = metrics.valid_prediction_time(made.x, truth, dt=dt, exponent=LYAPUNOV[0]).mean().item()
    late = min(SETTLING, span // 2)
    ends = (z[:, late:].flatten(0, 1) for z in (made.x, truth))
    facts["kl"] = metrics.kl_histogram(*ends, bins=BINS).item() if told == "ok" else math.nan
    return facts | {"mode": made.mode, "outcome": told}


def by_algebra(name: str, data: Sets, place: int, facts: dict, budget: Budget) -> list[dict]:
    """Fit one method by linear algebra to one seed's trajectories, and score both rollouts."""
    model = LINEAR[name](Trajectories(data.train[place], facts["dt"], {}), facts["seed"], budget)
    test = data.test[place]
    made = [rollout(model, test[:, 0], budget.ahead, mode=mode) for mode in MODES]
    return [{"method": name, **facts, **judged(one, test, facts["dt"])} for one in made]


def by_degree(data: Trajectories, seed: int, budget: Budget, *, degree: int) -> LinearKoopman:
    """Fit EDMD on all monomials of three numbers."""
    return edmd(data, lift=dictionaries.monomials(3, degree=degree), ridge=1e-12)


def by_kernels(data: Trajectories, seed: int, budget: Budget) -> LinearKoopman:
    """Fit kernel regression to windows of 20 snapshots that are spread evenly over the data; eigenvalues are drawn."""
    stride = len(data.x) * (data.x.shape[1] - 19) // budget.windows
    mu = annulus(50, least=0.8, seed=seed)
    return kkr(data, eigenvalues=mu, length=20, width=1.0, ridge=1e-6, stride=stride + 1)


LINEAR = {
    "dmd": lambda data, seed, budget: dmd(data),
    "edmd_3": partial(by_degree, degree=3),
    "edmd_5": partial(by_degree, degree=5),
    "kkr": by_kernels,
}
