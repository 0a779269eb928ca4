"""Tasks by name whose mutual information is known exactly: task(n, seed=..., **options) -> Paired with truth["mi"] in nats."""

import math
from collections.abc import Callable

import torch
from scipy.optimize import brentq
from scipy.special import digamma
from torch import Tensor

from lib.core import checks
from lib.core.types import Paired
from lib.data import synthetic

Task = Callable[..., Paired]


def normal(n: int, *, mi: float, d: int = 1, seed: int) -> Paired:
    """Return d pairs of standard normals that share `mi` nats in equal parts, rho^2 = 1 - exp(-2 mi / d); x, y: (n, d)."""
    checks.positive(mi, "mi")
    return synthetic.gaussian_pair(n, math.sqrt(-math.expm1(-2 * mi / d)), d=d, seed=seed)


def gamma(n: int, *, mi: float, d: int = 1, seed: int) -> Paired:
    """Return d log-gamma-exponential pairs that share `mi` nats in equal parts; x, y: (n, d)."""
    share = checks.positive(mi, "mi") / d
    # The information of a pair grows with log k from 0, and never beyond it.
    log_k = brentq(lambda t: digamma(math.exp(-t) + 1) + t - share, -60.0, share + 1.0, xtol=1e-14)
    return synthetic.log_gamma_exponential(n, math.exp(log_k), d=d, seed=seed)


def dense(n: int, *, d: int, correlation: float = 0.5, seed: int) -> Paired:
    """Return d against d normals, every two of the 2 d correlated alike; x, y: (n, d). Source: [czyz2023beyond]."""
    covariance = torch.full((2 * d, 2 * d), correlation, dtype=torch.float64).fill_diagonal_(1.0)
    return synthetic.normal_pair(n, covariance, d, seed=seed)


def sparse(n: int, *, d: int, pairs: int = 2, correlation: float = 0.8, seed: int) -> Paired:
    """Return d against d normals of which the first `pairs` are correlated, column by column. Source: [czyz2023beyond]."""
    if not 0 < checks.counted(pairs, "pairs") <= d:
        raise ValueError(f"pairs is {pairs}, but there are only {d} columns a side; give 1 to {d}")
    covariance = torch.eye(2 * d, dtype=torch.float64)
    for i in range(pairs):
        covariance[i, d + i] = covariance[d + i, i] = correlation
    return synthetic.normal_pair(n, covariance, d, seed=seed)


def student(n: int, *, d: int, freedom: int, seed: int) -> Paired:
    """Return a joint Student-t of d against d columns."""
    return synthetic.student_pair(n, d, d, freedom=freedom, seed=seed)


def channel(n: int, *, classes: int, error: float, seed: int) -> Paired:
    """Return labels as one column against their noisy copies; x, y: (n, 1)."""
    x, y, truth = synthetic.noisy_channel(n, classes, error, seed=seed)
    return Paired(x, y[:, None].to(x.dtype), truth)


def swiss_roll(n: int, *, mi: float, seed: int) -> Paired:
    """Return a pair of normals, x rolled up into two columns."""
    x, y, truth = normal(n, mi=mi, seed=seed)
    return Paired(synthetic.swiss_roll(x), y, truth)


def moved(task: Task, move: Callable[[Tensor], Tensor]) -> Task:
    """Return the task with both sides moved by a one-to-one map, which keeps the information."""

    def made(n: int, **options: float) -> Paired:
        x, y, truth = task(n, **options)
        return Paired(move(x), move(y), truth)

    return made


BASE = {"normal": normal, "dense": dense, "sparse": sparse, "student": student}
TASKS: dict[str, Task] = {
    **BASE,
    **{f"{name}_{label}": moved(task, move) for name, task in BASE.items() for label, move in synthetic.KEEPS_MI.items()},
    "gamma": gamma,
    "swiss_roll": swiss_roll,
    "additive_uniform": synthetic.additive_uniform,
    "discrete_mixture": synthetic.discrete_mixture,
    "channel": channel,
}
