"""Forecasters side by side: every method under every mask, all seeds of a pair as one program, pairs spread over cores."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from lib.core import checks
from lib.core.processes import each
from lib.core.progress import bar
from lib.forecast import FORECASTERS
from lib.forecast.fit import fit, score
from lib.forecast.impute import IMPUTERS
from lib.forecast.masks import MASKS, masked
from lib.forecast.windows import Frame, problem


class Setting(NamedTuple):
    """What every pair of mask and method is given alike."""

    values: Tensor  # (T, N) float64, NaN where the record has nothing
    seeds: Sequence[int]  # each draws its own mask, first weights, batch order and noise
    frame: Frame
    scaling: str
    shape: dict  # of the networks
    budget: dict  # epochs, batch, lr


class Pair(NamedTuple):
    """One method under one mask."""

    mask: str
    pattern: str
    rate: float
    method: str
    forecaster: str
    impute: str
    options: dict


def pairs(masks: dict, methods: dict) -> list[Pair]:
    """Return every method that is wanted under every mask, the costly ones first.

    masks: label -> {pattern, rate}. methods: label -> {forecaster if not the label, impute, masks to stay with, options}.
    Errors: names that lead nowhere.
    """
    found = []
    for method, entry in methods.items():
        options = {"forecaster": method, "impute": "zero", "masks": list(masks)} | entry
        forecaster, impute, wanted = (options.pop(name) for name in ("forecaster", "impute", "masks"))
        checks.known(forecaster, FORECASTERS, "forecaster"), checks.known(impute, IMPUTERS, "imputer")
        for label in wanted:
            mask = checks.known(label, masks, "mask")
            checks.known(mask["pattern"], MASKS, "pattern of missing values")
            found.append(Pair(label, mask["pattern"], mask["rate"], method, forecaster, impute, options))
    return sorted(found, key=lambda pair: list(FORECASTERS).index(pair.forecaster))


def compare(setting: Setting, masks: dict, methods: dict, *, workers: int | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores, a row (mask, method, seed, hidden, best_epoch, valid, mae, mse), and the history of training.

    Scores are on the standardised scale, `hidden` is the share of values that the mask hides.
    """
    todo = pairs(masks, methods)
    found = list(bar(each(partial(compared, setting), todo, workers=workers), "forecasters", total=len(todo)))
    order = {"mask": list(masks), "method": list(methods)}
    tables = (pd.concat([pair[i] for pair in found]) for i in range(2))
    return tuple(ordered(table, order) for table in tables)


def ordered(table: pd.DataFrame, order: dict[str, list[str]]) -> pd.DataFrame:
    """Return the table's rows by masks and methods as they were given, each in its own order."""
    places = table[list(order)].apply(lambda column: column.map(order[column.name].index))
    return table.iloc[places.reset_index(drop=True).sort_values(list(order), kind="stable").index].reset_index(drop=True)


def compared(setting: Setting, pair: Pair) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores and history of one pair for every seed; test windows are scored once, after training."""
    seeds, size = list(setting.seeds), setting.values.shape
    masks = torch.stack([masked(pair.pattern, *size, rate=pair.rate, seed=seed) for seed in seeds])
    task = problem(setting.values, masks, setting.frame, scaling=setting.scaling, impute=pair.impute)
    model = FORECASTERS[pair.forecaster](seeds, setting.frame, setting.shape, **pair.options)
    history = pd.DataFrame(fit(model, task, seeds=seeds, **setting.budget))
    best = history.sort_values("valid", kind="stable").groupby("seed").first().loc[seeds]
    scores = pd.DataFrame({"seed": seeds, "hidden": (~masks).double().mean((1, 2)).numpy()})
    scores[["best_epoch", "valid"]] = best[["epoch", "valid"]].to_numpy()
    scores[["mae", "mse"]] = score(model, task, task.parts[2]).numpy()
    where = {"mask": pair.mask, "method": pair.method}
    return scores.assign(**where), history.assign(**where)
