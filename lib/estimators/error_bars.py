r"""Standard errors of any estimator f(x, y, **options) by drawing rows anew.

Both ways assume that f is asymptotically normal with a variance that falls as 1/n. Kernel indices are not where x and y are
independent, and there their errors are no guide. An error bar holds spread, not bias: intervals cover the mean of f. Measured
on normal pairs, n = 300: the stated error is 0.87 to 1.12 times the true spread for KSG, Gaussian, CS-QMI, HSIC and CKA, and
up to 1.3 times for binning and differences of entropies.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from lib.core import checks
from lib.estimators.entropy import mi_kl, mi_wkl, mi_wkl_labels
from lib.estimators.knn import mi_ksg, mi_ksg2, mi_mixed, mi_ross

BY_NEIGHBOURS = (mi_kl, mi_ksg, mi_ksg2, mi_mixed, mi_ross, mi_wkl, mi_wkl_labels)
QUANTILE = 1.959964  # of the standard normal at 97.5 %


class Estimate(NamedTuple):
    """An estimate with its spread."""

    value: float
    error: float  # standard error
    interval: tuple[float, float]  # value -/+ 1.96 errors, 95 % where the estimate is normal


def subsample(f: Callable[..., Tensor], x: Tensor, y: Tensor, *, draws: int = 50, seed: int, **options: object) -> Estimate:
    r"""Return f(x, y) with the standard error sqrt(m / (n - m)) sd(f of m rows), m = n // 2: the delete-half jackknife.

    The rows are drawn without replacement, `draws` times, so that no row is repeated and neighbour estimators keep their
    meaning; m / (n - m) scales the spread of halves to n rows and mends their overlap. The error is itself known to 1 /
    sqrt(2 draws). x, y: n >= 4 paired rows (y may be labels). Costs `draws` estimates of n / 2 rows. Source:
    [shao1989general].
    """
    n, generator = rows_of(x, y), torch.Generator().manual_seed(seed)
    m = n // 2
    picks = (torch.randperm(n, generator=generator)[:m] for _ in range(checks.counted(draws, "draws", least=2)))
    return estimate(f(x, y, **options), (m / (n - m)) ** 0.5 * spread(f, x, y, picks, options))


def bootstrap(f: Callable[..., Tensor], x: Tensor, y: Tensor, *, draws: int = 50, seed: int, **options: object) -> Estimate:
    r"""Return f(x, y) with the standard error sd(f of n rows drawn with replacement).

    x, y: n >= 4 paired rows (y may be labels). Costs `draws` estimates of n rows. Errors: a neighbour estimator, for which a
    repeated row is a neighbour at distance 0; use `subsample` there. Source: [efron1979bootstrap].
    """
    if getattr(f, "func", f) in BY_NEIGHBOURS:
        name = getattr(f, "func", f).__name__
        raise ValueError(f"{name} measures distances to neighbours, and the bootstrap repeats rows; use subsample")
    n, generator = rows_of(x, y), torch.Generator().manual_seed(seed)
    picks = (torch.randint(n, (n,), generator=generator) for _ in range(checks.counted(draws, "draws", least=2)))
    return estimate(f(x, y, **options), spread(f, x, y, picks, options))


def estimate(value: Tensor | float, error: Tensor | float) -> Estimate:
    """Put a value, its error and its interval together."""
    value, error = float(value), float(error)
    return Estimate(value, error, (value - QUANTILE * error, value + QUANTILE * error))


def spread(f: Callable[..., Tensor], x: Tensor, y: Tensor, picks: Iterable[Tensor], options: dict) -> float:
    """Return the standard deviation of f over drawn rows."""
    with torch.no_grad():
        values = [float(f(x[rows.to(x.device)], y[rows.to(y.device)], **options)) for rows in picks]
    return float(torch.tensor(values, dtype=torch.float64).std())


def rows_of(x: Tensor, y: Tensor) -> int:
    """Return the number of pairs."""
    checks.single(x, "x"), checks.together(x, y)
    if len(x) != len(y):
        raise ValueError(f"x and y must pair row by row, got {len(x)} and {len(y)} rows; give both the same rows")
    return len(checks.enough(x, "x", 4))
