"""What one value a seed says of its mean: intervals, paired differences, and rules for claims that rest on them."""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95


class Interval(NamedTuple):
    """A mean with the ends of its confidence interval."""

    mean: float
    low: float
    high: float


class Paired(NamedTuple):
    """What a change does to the same seeds."""

    mean: float  # of the differences
    effect: float  # that mean over the deviation of the differences
    p_t: float  # paired t-test, two-sided
    p_wilcoxon: float  # signed ranks, two-sided


def interval(values: Sequence[float], *, level: float = LEVEL) -> Interval:
    """Return the mean and its Student interval, mean +- t s / sqrt(n); values that do not differ are their own interval.

    Errors: fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"an interval needs at least 2 values, got {len(values)}; give one value a seed, and more seeds")
    mean, error = statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5
    reach = float(stats.t.ppf(0.5 + level / 2, len(values) - 1)) * error
    return Interval(mean, mean - reach, mean + reach)


def paired(before: Sequence[float], after: Sequence[float]) -> Paired:
    """Return what `after` adds to `before`, seed by seed, with two tests. Errors: lengths that differ; no seed that changed."""
    change = np.asarray(after) - np.asarray(before)
    if not change.any():
        raise ValueError("no pair differs, so there is nothing to test")
    effect = float(change.mean() / change.std(ddof=1))
    return Paired(
        float(change.mean()), effect, float(stats.ttest_1samp(change, 0).pvalue), float(stats.wilcoxon(change).pvalue)
    )


def pseudo_values(table: pd.DataFrame, statistic: Callable[[pd.DataFrame], float], *, by: str = "seed") -> list[float]:
    """Return n f(all) - (n - 1) f(all but one) for each of the n groups left out: the jackknife's value of each group.

    Their mean is f without its leading bias, their Student interval the jackknife's; for a mean they are the groups' own means.
    Source: [efron1981jackknife].
    """
    groups, whole = sorted(table[by].unique()), statistic(table)
    return [len(groups) * whole - (len(groups) - 1) * statistic(table[table[by] != group]) for group in groups]


def spearman(table: pd.DataFrame, x: str, y: str) -> float:
    """Return the rank correlation of two columns, 0 where one of them does not vary."""
    ranks = table[[x, y]].round(9).rank()  # what rounding alone parts is a tie
    return float(ranks[x].corr(ranks[y])) if ranks.std().min() > 0 else 0.0
