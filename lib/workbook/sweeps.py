"""What a sweep's table says: which points none beats on both counts, what each parameter moves, how a point is run again."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lib.workbook import plot

BINS = 6


def front(table: pd.DataFrame, *, x: str, y: str) -> pd.DataFrame:
    """Return the Pareto front of a table: rows to which no other row is at most equal in both columns and less in one.

    Rows with a missing value are on no front. Returned in order of x; of equal rows all are kept.
    """
    rows = table.dropna(subset=[x, y]).sort_values([x, y])
    best_left = rows.groupby(x)[y].min().cummin().shift(fill_value=np.inf)  # least y at any smaller x
    least_here = rows.groupby(x)[y].transform("min")
    return rows[(rows[y] == least_here) & (rows[y] < rows[x].map(best_left))]


def sensitivity(table: pd.DataFrame, varied: list[str], y: str) -> pd.Series:
    """Return the share of the variance of y that each parameter explains alone, in [0, 1], largest first.

    S_p = Var(E[y | p]) / Var(y), each mean weighted by its rows; a parameter of more than 6 numbers is cut into 6 groups of
    equal size. On a full grid the shares of an additive y sum to 1, and what is left is interaction; on random points a
    share of (groups - 1) / (rows - 1) is what chance alone gives. Without any variance every share is 0.
    """
    rows = table.dropna(subset=[y])
    whole = rows[y].var(ddof=0)
    shares = {}
    for name in varied:
        groups = rows[name]
        if pd.api.types.is_numeric_dtype(groups) and groups.nunique() > BINS:
            groups = pd.qcut(groups, BINS, duplicates="drop", labels=False)
        means = rows.groupby(groups)[y].transform("mean")
        shares[name] = float(means.var(ddof=0) / whole) if whole > 0 else 0.0
    return pd.Series(shares, dtype=float).sort_values(ascending=False, kind="stable")


def best(table: pd.DataFrame, *, name: str, y: str, count: int = 3) -> pd.DataFrame:
    """Return the rows of least y, each with the command that runs its point again."""
    rows = table.dropna(subset=[y]).nsmallest(count, y)
    return rows.assign(command=[f"make sweep NAME={name} POINT={number}" for number in rows.index])


def scaled(column: pd.Series) -> pd.Series:
    """Return a column between 0 and 1: in its logarithm where it spans more than a factor of 10; words by rank."""
    if not pd.api.types.is_numeric_dtype(column):
        column = column.astype("category").cat.codes.astype(float)
    elif column.min() > 0 and column.max() > 10 * column.min():
        column = np.log(column)
    low, high = column.min(), column.max()
    return (column - low) / (high - low) if high > low else column * 0 + 0.5


def parallel(table: pd.DataFrame, columns: list[str], *, y: str, ax: Axes) -> Axes:
    """Draw every row as a line over the columns, each on an axis of its own, coloured by y from dark (least) to light."""
    rows = table.dropna(subset=[*columns, y])
    heights = pd.DataFrame({name: scaled(rows[name]) for name in columns})
    shade = plot.plt.get_cmap("viridis")
    for (_, line), tint in zip(heights.iterrows(), scaled(rows[y]), strict=True):
        ax.plot(range(len(columns)), line, color=shade(0.9 * tint), linewidth=1.2)
    for place, name in enumerate(columns):
        values = sorted(rows[name].unique())
        for value, height, up in ((values[0], 0, "top"), (values[-1], 1, "bottom")):
            text = f"{value:.3g}" if isinstance(value, int | float) else str(value)
            look = {"ha": "center", "va": up, "fontsize": 7, "xytext": (0, -3 if up == "top" else 3)}
            ax.annotate(text, (place, height), textcoords="offset points", **look)
    ax.set(xticks=range(len(columns)), xticklabels=columns, yticks=[], ylim=(-0.12, 1.12))
    return ax


def capacity(table: pd.DataFrame, *, x: str, y: str, ax: Axes) -> Axes:
    """Draw capacity against performance, every point, and the front that none of them beats."""
    edge = front(table, x=x, y=y)
    ax.plot(table[x], table[y], "o", color=plot.COLOURS[0], markersize=4, label="point")
    ax.step(edge[x], edge[y], where="post", color=plot.COLOURS[1], linewidth=1.2, label="front")
    ax.set(xlabel=x, ylabel=y)
    ax.legend()
    return ax
