"""Estimators side by side: what each says on tasks whose mutual information is known, as rows of a table."""

import warnings
from collections.abc import Callable, Iterable
from functools import partial
from itertools import product
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from lib.core import checks
from lib.core.processes import each
from lib.core.progress import bar
from lib.data.tasks import TASKS
from lib.estimators import BOUNDS, MI
from lib.estimators.critics import Budget
from lib.estimators.variational import mi_stacked


class Case(NamedTuple):
    """One task at one sample size."""

    label: str
    task: str
    options: dict
    n: int


def cases(tasks: dict, sizes: Iterable[int]) -> list[Case]:
    """Return every task at every size. tasks: label -> options of the task; `task` names it where the label does not.

    Options that are lists are crossed, and their values added to the label: {d: [1, 2]} gives "label d=1" and "label d=2".
    """
    found = []
    for n, (label, options) in product(sizes, tasks.items()):
        task, rest = options.get("task", label), {k: v for k, v in options.items() if k != "task"}
        crossed = [name for name, value in rest.items() if isinstance(value, list)]
        for values in product(*(rest[name] for name in crossed)):
            chosen = dict(zip(crossed, values, strict=True))
            found.append(Case(" ".join([label, *(f"{k}={v}" for k, v in chosen.items())]), task, rest | chosen, n))
    return found


def judge(tasks: dict, estimators: dict, *, sizes: list[int], draws: int, workers: int | None = None) -> pd.DataFrame:
    """Return a row (task, estimator, n, seed, truth, mi; nats, note) for every estimator on every draw of every case.

    tasks, estimators: label -> options; `task` or `estimator` names what the label does not. An estimator that refuses a
    sample has no value there, and its reason in `note`.
    """
    checks.counted(draws, "draws")
    for table, known, what in ((tasks, TASKS, "task"), (estimators, MI | BOUNDS, "estimator")):
        for label, options in table.items():
            checks.known(options.get(what, label), known, what)
    todo = cases(tasks, sizes)
    found = bar(each(partial(judged, estimators, draws), todo, workers=workers), "cases", total=len(todo))
    return pd.DataFrame([row for rows in found for row in rows])


def judged(estimators: dict, draws: int, case: Case) -> list[dict]:
    """Return all rows of one case."""
    pairs = [TASKS[case.task](case.n, **case.options, seed=seed) for seed in range(draws)]
    x, y = (torch.stack([getattr(pair, side) for pair in pairs]) for side in "xy")
    rows = []
    for label, options in estimators.items():
        for seed, (mi, note) in enumerate(said({"estimator": label} | options, x, y)):
            where = {"task": case.label, "estimator": label, "n": case.n, "seed": seed}
            rows.append(where | {"truth": pairs[seed].truth["mi"], "mi": mi, "note": note})
    return rows


def said(options: dict, x: Tensor, y: Tensor) -> list[tuple[float, str]]:
    """Return an estimator's value, or its reason to have none, for each of the stacked pairs (S, n, dx), (S, n, dy)."""
    name, given = options["estimator"], {k: v for k, v in options.items() if k != "estimator"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", checks.CeilingWarning)  # the truth stands beside the value
        if name in BOUNDS:  # all draws train as one program
            budget = checks.filled(Budget, given, f"the budget of {name}")
            found = mi_stacked(x, y, bound=name, seeds=list(range(len(x))), budget=budget)
            return [(value, "") for value in found.tolist()]
        return [answer(partial(MI[name], **given), *pair) for pair in zip(x, y, strict=True)]


def answer(estimator: Callable[..., Tensor], x: Tensor, y: Tensor) -> tuple[float, str]:
    """Return an estimator's value, or its reason to have none."""
    try:
        return estimator(x, y).item(), ""
    except ValueError as error:
        return float("nan"), str(error)


def errors(table: pd.DataFrame) -> pd.DataFrame:
    """Return bias, spread (standard deviation) and mean absolute error over the draws, nats, and how many had no value.

    table: the rows of `judge`. One row for each task, estimator and n.
    """
    off = table.assign(error=table.mi - table.truth, size=(table.mi - table.truth).abs(), silent=table.mi.isna())
    groups = off.groupby(["task", "estimator", "n"], sort=False)
    named = {"truth": ("truth", "first"), "bias": ("error", "mean"), "spread": ("error", "std"), "mae": ("size", "mean")}
    return groups.agg(**named, silent=("silent", "sum")).reset_index()
