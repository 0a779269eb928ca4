"""Does a code that carries less generalise better? Many plain networks, the gap of each, and what its last layer carries."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

import pandas as pd
import torch

from lib.bottlenecks.plain import plain_terms
from lib.bottlenecks.plane import standard
from lib.core import checks
from lib.core.plan import Plan, planned
from lib.core.processes import each
from lib.core.progress import bar
from lib.core.types import Split, Table
from lib.data import prepared
from lib.estimators.conditional import cs_qmi_conditional
from lib.estimators.cs import cs_qmi
from lib.nets.stacked import Bottleneck
from lib.training.loop import Members, fit, one_device, score


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
    fit(one_device("cpu"), model, plain_terms, split, plan, members)
    train, test = (score(model, plain_terms, part, members) for part in (split.train, split.test))
    drawn = torch.randperm(split.train.x.shape[1], generator=torch.Generator().manual_seed(0))[:rows]
    x, y = split.train.x[:, drawn], split.train.y[:, drawn]
    with torch.no_grad():
        t = model.mean(x)
    x, t, y = x.double(), t.double(), y.double()
    u, v = (standard(z) / math.sqrt(z.shape[-1]) for z in (x, t))
    found = {"train": train, "test": test, "gap": test - train}
    found |= {"mi_xt": cs_qmi(u, v), "mi_xt_y": cs_qmi_conditional(u, v, y)}
    found |= {"raw_xt": cs_qmi(x, t), "raw_xt_y": cs_qmi_conditional(x, t, y)}
    names = {"depth": depth, "width": width, "lr": plan.lr, "batch": plan.batch, "seed": seeds}
    return pd.DataFrame(names | {name: value.tolist() for name, value in found.items()})
