"""Units of work side by side, each of which gives tables, and how studies look at these: what experiments do alike."""

import math
from collections.abc import Callable, Iterable

import pandas as pd

from lib.core.processes import each
from lib.core.progress import bar

HELD_OUT = 10**6  # seeds of test data lie this far from those of training data

Tables = dict[str, list[dict]]


def together(unit: Callable[..., Tables], chosen: Iterable, *, workers: int | None) -> dict[str, pd.DataFrame]:
    """Return the tables of all units of work, {name: rows of one after another}, whoever computes them."""
    chosen, found = list(chosen), {}
    for tables in bar(each(unit, chosen, workers=workers), "trainings", total=len(chosen)):
        for name, rows in tables.items():
            found.setdefault(name, []).extend(rows)
    return {name: pd.DataFrame(rows) for name, rows in found.items()}


def blank(names: Iterable[str]) -> dict[str, float]:
    """Return NaN for every name, what a member that diverged has to show."""
    return dict.fromkeys(names, math.nan)


def by_seed(table: pd.DataFrame, values: str = "accuracy", *, columns: str = "method") -> pd.DataFrame:
    """Return a row a seed and a column for each method, whose differences are pairs: the same data, the same draws."""
    return table.pivot(index="seed", columns=columns, values=values)


def means(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return the means over seeds of every method as text of three digits, blank where it has no such value."""
    found = table.groupby("method", sort=False)[columns].mean().round(3)
    return found.map(lambda value: "" if pd.isna(value) else f"{value:.3g}")
