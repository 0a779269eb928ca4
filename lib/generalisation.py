"""Does a code that carries less generalise better? Many plain networks, the gap of each, and what its last layer carries."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from scipy.stats import rankdata
from torch import Tensor

from lib import checks
from lib.bottlenecks.plain import plain_terms
from lib.data import prepared
from lib.estimators.cs import cs_qmi
from lib.kernels import squared_distances
from lib.nets import Bottleneck
from lib.plan import Plan, planned
from lib.plane import standard
from lib.processes import each
from lib.progress import bar
from lib.train import Members, fit, score
from lib.types import Split, Table


class Kind(NamedTuple):
    """One kind of network: hidden layers of one width, and how it trains."""

    depth: int  # hidden layers
    width: int
    plan: Plan


def kinds(depths: Sequence[int], widths: Sequence[int], plans: dict) -> list[Kind]:
    """Return every depth at every width under every plan. plans: settings of a plan, those that are lists crossed."""
    crossed = [name for name, value in plans.items() if isinstance(value, list)]
    found = []
    for depth, width, *values in product(depths, widths, *(plans[name] for name in crossed)):
        plan = planned(plans | dict(zip(crossed, values, strict=True)) | {"select": "last"})
        found.append(Kind(checks.counted(depth, "depth"), checks.counted(width, "width"), plan))
    return found


def networks(
    table: Table, todo: list[Kind], *, seeds: list[int], fractions: Sequence[float], rows: int = 500, workers: int | None = None
) -> pd.DataFrame:
    """Train every kind for every seed; a row for each network: its kind, seed, train, test, gap, mi_xt, mi_xt_y.

    Errors are mean squares in units of the training targets' variance, gap = test - train; `mi_xt` and `mi_xt_y` are
    I_CS(x; t) and I_CS(x; t | y) of the last hidden layer t on at most `rows` training rows, nats. Samples are standardised;
    widths are the square root of the dimension for x and t, and 1 for y; `raw_xt` and `raw_xt_y` take t as it is, widths 1.
    """
    split = prepared.split(table, seeds=seeds, fractions=fractions)
    found = each(partial(measured, split, seeds, rows), todo, workers=workers)
    return pd.concat(bar(found, "networks", total=len(todo)), ignore_index=True)


def measured(split: Split, seeds: list[int], rows: int, kind: Kind) -> pd.DataFrame:
    """Train one kind of network for all seeds at once and measure it."""
    depth, width, plan = kind
    shape = {"hidden": [width] * (depth - 1), "code": width, "activate_code": True, "activation": "relu"}
    model, members = Bottleneck(seeds, split.train.x.shape[-1], 1, shape), Members("plain", seeds, [0.0])
    fit(Fabric(accelerator="cpu", devices=1), model, plain_terms, split, plan, members)
    train, test = (score(model, plain_terms, part, members) for part in (split.train, split.test))
    drawn = torch.randperm(split.train.x.shape[1], generator=torch.Generator().manual_seed(0))[:rows]
    x, y = split.train.x[:, drawn], split.train.y[:, drawn]
    with torch.no_grad():
        t = model.mean(x)
    x, t, y = x.double(), t.double(), y.double()
    u, v = (standard(z) / math.sqrt(z.shape[-1]) for z in (x, t))
    found = {"train": train, "test": test, "gap": test - train}
    found |= {"mi_xt": cs_qmi(u, v), "mi_xt_y": cs_qmi_given(u, v, y)}
    found |= {"raw_xt": cs_qmi(x, t), "raw_xt_y": cs_qmi_given(x, t, y)}
    names = {"depth": depth, "width": width, "lr": plan.lr, "batch": plan.batch, "seed": seeds}
    return pd.DataFrame(names | {name: value.tolist() for name, value in found.items()})


def cs_qmi_given(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
    r"""Return I_CS(x; t | y) = log mean_j (W K.Q W')_jj + log mean_j (W K W')_jj (W Q W')_jj - 2 log mean_j C_j.

    K, Q, L: unit Gaussian kernels of x, t and y (divide the samples by a width for another); W_ji = L_ji / sum_i L_ji weighs
    the samples by how near their y is to y_j; C_j = sum_i W_ji (WK)_ji (WQ)_ji. Dense: holds n x n matrices of one member.
    x: (R, n, dx), t: (R, n, dt), y: (R, n, dy) -> (R,), nats, >= 0; for a kernel that sees no difference in y it is I_CS(x; t).
    A plug-in of our own, as the form that [yu2024csib] used is not known to us.
    """
    checks.paired(x, t), checks.paired(x, y)
    return torch.stack([given_one(*member) for member in zip(x, t, y, strict=True)])


def given_one(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
    """Return the value of one member, (n, dx), (n, dt), (n, dy) -> 0-dim."""
    k, q, near = ((-0.5 * squared_distances(z, z)).exp() for z in (x, t, y))
    w = near / near.sum(1, keepdim=True)
    wk, wq = w @ k, w @ q
    joint = ((w @ (k * q)) * w).sum(1).mean().log()
    apart = ((wk * w).sum(1) * (wq * w).sum(1)).mean().log()
    return (joint + apart - 2 * (w * wk * wq).sum(1).mean().log()).clamp_min(0)


def pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the linear correlation of columns (..., n) -> (...); NaN where one is constant."""
    a, b = (z - z.mean(-1, keepdims=True) for z in (x, y))
    with np.errstate(invalid="ignore"):
        return (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the linear correlation of ranks, ties sharing theirs, (..., n) -> (...)."""
    return pearson(rankdata(x, axis=-1), rankdata(y, axis=-1))


def kendall(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return tau-b, (concordant - discordant) / sqrt(pairs untied in x * pairs untied in y), (..., n) -> (...)."""
    if x.ndim > 1:
        return np.array([kendall(a, b) for a, b in zip(x, y, strict=True)])
    a, b = (np.sign(z[:, None] - z) for z in (x, y))
    with np.errstate(invalid="ignore"):
        return (a * b).sum() / np.sqrt(np.abs(a).sum() * np.abs(b).sum())


CORRELATIONS = {"pearson": pearson, "spearman": spearman, "kendall": kendall}


def correlations(x: np.ndarray, y: np.ndarray, *, seed: int, resamples: int = 500, level: float = 0.95) -> pd.DataFrame:
    """Return Pearson's, Spearman's and Kendall's correlation of two columns with bootstrap intervals: kind, value, low, high.

    Pairs are drawn again with replacement; the interval is that of percentiles. It takes pairs as independent.
    """
    if len(x) != len(y) or len(x) < 3:
        raise ValueError(f"x and y must have the same length >= 3, got {len(x)} and {len(y)}; give one value a network to each")
    x, y = (np.asarray(z, np.float64) for z in (x, y))
    draws = np.random.default_rng(seed).integers(len(x), size=(resamples, len(x)))
    rows, tails = [], [(1 - level) / 2, (1 + level) / 2]
    for kind, correlation in CORRELATIONS.items():
        low, high = np.nanquantile(correlation(x[draws], y[draws]), tails)
        rows.append({"kind": kind, "value": float(correlation(x, y)), "low": low, "high": high})
    return pd.DataFrame(rows)
