"""Filling what is hidden: by zeros, which are the mean after standardisation, or by an imputer fitted on training rows."""

import warnings
from collections.abc import Callable

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - without it IterativeImputer cannot be imported
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from torch import Tensor

from lib.core import checks

# A variate that is never seen in training has nothing to impute from; it becomes 0 like its mean.
IMPUTERS: dict[str, Callable[[], object]] = {
    "zero": lambda: None,
    "mean": lambda: SimpleImputer(keep_empty_features=True),
    "iterative": lambda: IterativeImputer(max_iter=10, tol=1e-2, keep_empty_features=True),
    "nearest": lambda: KNNImputer(n_neighbors=5, keep_empty_features=True),
}


def imputed(values: Tensor, rows: int, how: str) -> Tensor:
    """Return (T, N) without NaN, filled by an imputer that is fitted on the first `rows` rows.

    zero: the mean after standardisation. mean: of the variate. iterative: each variate regressed on the others, row by row.
    nearest: the mean of the five training rows closest in what both have.
    """
    imputer = checks.known(how, IMPUTERS, "imputer")()
    if imputer is None:
        return values.nan_to_num(0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # ten rounds are the imputer's budget
        imputer.fit(values[:rows].numpy())
    return torch.from_numpy(imputer.transform(values.numpy()))
