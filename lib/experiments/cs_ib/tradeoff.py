"""Runs of several methods on one axis: how much of its input a code lost, and the error that it then makes.

A path is the rows of one method and seed, one row a beta: columns beta, rmse, valid, and a compression ratio.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

# What a method itself estimates of I(X;T): made from the price that it charges, and its unit.
OWN: dict[str, tuple[str, Callable[[pd.DataFrame], pd.Series]]] = {
    "vib": ("KL, nats", lambda t: t.price),
    "nib": ("bound, nats", lambda t: t.price),
    "square_nib": ("bound, nats", lambda t: t.price.clip(lower=0) ** 0.5),
    "exp_nib": ("bound, nats", lambda t: np.log(t.price.clip(lower=1))),
    "hsic": ("HSIC, normalised", lambda t: t.hsic),
    "cs_ib": ("CS-QMI, normalised", lambda t: t.price),
    "cs_ib_sse": ("CS-QMI, normalised", lambda t: t.price),
}


def compared(table: pd.DataFrame) -> pd.DataFrame:
    """Add compression ratios to rows (data, method, seed, beta, price, cs_qmi, hsic): r_cs_qmi, r_hsic, own, r_own.

    r = 1 - I(beta) / I_0: for the common currencies cs_qmi and hsic, I_0 is the plain network's of the same seed and data;
    for a method's own, it is its own at its smallest beta, as [yu2024csib] draws it. Methods that OWN lacks have none.
    """
    table = table.copy()
    for currency in ("cs_qmi", "hsic"):
        plain = table[table.method == "plain"].set_index(["data", "seed"])[currency]
        table[f"r_{currency}"] = 1 - table[currency] / plain.reindex([table.data, table.seed]).to_numpy()
    table["own"] = np.nan
    for method, (_, own) in OWN.items():
        rows = table.method == method
        table.loc[rows, "own"] = own(table[rows]).astype(float)
    first = table.sort_values("beta").groupby(["data", "method", "seed"]).own.transform("first")
    table["r_own"] = 1 - table.own / first
    return table


def crossing(path: pd.DataFrame, currency: str, ratio: float) -> float:
    """Return the RMSE where the path first crosses the ratio, interpolated between two betas; NaN if it never does."""
    path = path.sort_values("beta")
    r, rmse = path[f"r_{currency}"].to_numpy(), path.rmse.to_numpy()
    above = np.flatnonzero(r >= ratio)
    if len(above) == 0:
        return np.nan
    j = above[0]
    return rmse[0] if j == 0 else np.interp(ratio, [r[j - 1], r[j]], [rmse[j - 1], rmse[j]])


def nearest(path: pd.DataFrame, currency: str, ratio: float, within: float) -> pd.Series:
    """Return the member near a ratio: of those within a distance of it the best on validation rows, else the nearest one.

    Test rows have no say, so the member's test error may be read once. A path without ratios gives a row of NaN.
    """
    off = (path[f"r_{currency}"] - ratio).abs()
    if off.isna().all():
        return path.iloc[0] * np.nan
    near = path[off <= within]
    return path.loc[off.idxmin()] if near.empty else near.loc[near.valid.idxmin()]


def summary(table: pd.DataFrame, *, ratio: float, within: float) -> pd.DataFrame:
    """Return a row for each data set and method: RMSE without a price and near a ratio, by the common currency and its own.

    Entries are means over seeds with standard deviations, as text; `own` stands in the method's unit; `within` counts the seeds
    that have a beta within the distance, by the common measure and by the own one. table: rows of `compared`.
    """
    keys = ["data", "method"]
    first = table.loc[table.groupby([*keys, "seed"], sort=False).beta.idxmin()].groupby(keys, sort=False)
    chosen = [(selection(table, c, ratio, within), f"r_{c}") for c in ("cs_qmi", "own")]
    common, own = (part.groupby(keys, sort=False) for part, _ in chosen)
    parts = {
        "RMSE, beta 0": first.rmse,
        "RMSE, common r": common.rmse,
        "common r": common.r_cs_qmi,
        "RMSE, own r": own.rmse,
        "own r": own.r_own,
        "own, beta 0": first.own,
        "own, common r": common.own,
    }
    told = pd.DataFrame({name: part.apply(spread) for name, part in parts.items()})
    told["unit"] = [OWN[method][0] for _, method in told.index]
    near = [(part[r] - ratio).abs().le(within).groupby(keys, sort=False).sum() for part, r in chosen]
    return told.assign(within=[f"{a}, {b}" for a, b in zip(*near, strict=True)])


def spread(values: pd.Series) -> str:
    """Return mean and standard deviation of the values that are there, as text; a dash for fewer than two."""
    values = values.dropna()
    return f"{values.mean():.3g} ± {values.std():.2g}" if len(values) > 1 else "–"


def selection(table: pd.DataFrame, currency: str, ratio: float, within: float) -> pd.DataFrame:
    """Return `nearest` of every data set, method and seed, indexed by them. table: rows of `compared`, numbers beside names."""
    keys, numbers = ["data", "method", "seed"], ["beta", "valid", "rmse", f"r_{currency}", "own"]
    groups = table.groupby(keys, sort=False)[list(dict.fromkeys(numbers))]
    return groups.apply(nearest, currency, ratio, within)
