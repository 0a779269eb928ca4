"""Figures from tables. Every function takes data and an axis and gives the axis back; nothing is computed or shown here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.workbook.runs import write_json

# Okabe and Ito's colours, which people with any common colour vision can tell apart; markers say the same a second time.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#B8A800"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
INK = "#767676"  # reads on white and on near-black alike, as figures are transparent


@contextmanager
def style() -> Iterator[None]:
    """Give figures made in a `with` block their look.

    Only what is set here is set back: matplotlib's own context would also set back that a notebook shows its figures, which
    its backend sets when the first of them is made.
    """
    colours = {
        name: INK
        for name in ("axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color", "text.color")
    }
    look = {
        "figure.constrained_layout.use": True,
        "savefig.transparent": True,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
    }
    text = {"font.size": 9, "axes.titlesize": 10, "legend.fontsize": 8, "legend.frameon": False, "svg.fonttype": "path"}
    lines = {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.2, "grid.color": INK}
    wanted = colours | look | text | lines | {"axes.prop_cycle": plt.cycler(color=COLOURS)}
    before = {name: plt.rcParams[name] for name in wanted}
    plt.rcParams.update(wanted)
    try:
        yield
    finally:
        plt.rcParams.update(before)


def lines(table: pd.DataFrame, *, x: str, y: str, by: str, ax: Axes, ylabel: str) -> Axes:
    """Draw means over seeds with the seeds' range as a band, one line for each group."""
    named = table.reset_index(drop=True)  # seaborn wants a unique index where a member's values have ended in NaN
    named[by] = [f"{by} {g}" if isinstance(g, int) else g for g in named[by]]
    groups = named[by].nunique()
    sns.lineplot(named, x=x, y=y, hue=by, errorbar=("pi", 100), palette=(COLOURS * 4)[:groups], linewidth=1.4, ax=ax)
    ax.set(xlabel=x, ylabel=ylabel)
    ax.legend(ncols=2)
    return ax


def heat_map(table: pd.DataFrame, *, most: float, label: str, ax: Axes) -> Axes:
    """Draw a table of signed numbers as colours, written in their cells; colours end at +-most, missing cells stay blank."""
    bar = {"label": label, "shrink": 0.6, "extend": "both"}
    written = table.map(lambda value: f"{value:.2f}" if abs(value) < 100 else f"{value:.0e}".replace("e+", "e"))
    look = {"cmap": "RdBu_r", "linewidths": 0.4, "annot": written, "fmt": "", "annot_kws": {"size": 6.5}, "cbar_kws": bar}
    sns.heatmap(table, vmin=-most, vmax=most, ax=ax, **look)
    ax.grid(False)
    ax.set(xlabel="", ylabel="")
    ax.tick_params(length=0)
    return ax


def dots(table: pd.DataFrame, *, value: str, by: str, order: list, most: float = np.inf, ax: Axes) -> Axes:
    """Draw each group's values as dots on a logarithmic axis, those above `most` at it, with a bar at the group's median."""
    for place, name in enumerate(order):
        values = table[table[by] == name][value].dropna().clip(upper=most)
        ax.plot(values, np.full(len(values), place), "o", color=COLOURS[0], markersize=3.5, alpha=0.6)
        ax.plot([values.median()] * 2, [place - 0.3, place + 0.3], color=COLOURS[1], linewidth=2)
    ax.set_yticks(range(len(order)), order)
    ax.set(xscale="log", ylim=(len(order) - 0.5, -0.5))
    return ax


def margins(table: pd.DataFrame, *, value: str, by: str, order: list, ax: Axes) -> Axes:
    """Draw every signed value of each group as a dot, with a bar at the group's mean and a line at zero."""
    ax.axvline(0, color=INK, linewidth=0.8)
    for place, name in enumerate(order):
        values = table[table[by] == name][value].dropna()
        ax.plot(values, np.full(len(values), place), "o", color=COLOURS[0], markersize=3.5, alpha=0.6)
        ax.plot([values.mean()] * 2, [place - 0.3, place + 0.3], color=COLOURS[1], linewidth=2)
    ax.set_yticks(range(len(order)), order)
    ax.set(ylim=(len(order) - 0.5, -0.5))
    return ax


def intervals(table: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw a value and its interval for every row, from above to below, with a line at zero.

    table: columns measure, value, low, high.
    """
    places = np.arange(len(table))
    ax.hlines(places, table.low, table.high, color=COLOURS[0], linewidth=1.4)
    ax.plot(table.value, places, "o", color=COLOURS[1], markersize=4)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.set_yticks(places, table.measure)
    ax.set_ylim(len(table) - 0.5, -0.5)
    return ax


def scatter_with_fit(table: pd.DataFrame, *, x: str, y: str, by: str, ax: Axes) -> Axes:
    """Draw y against x, a colour and a marker for each group, and one quadratic fit through all points.

    Where x has fewer than three values the fit is of the order that they determine.
    """
    for (name, group), colour, marker in zip(table.groupby(by), COLOURS, MARKERS, strict=False):
        ax.scatter(group[x], group[y], color=colour, marker=marker, s=9, alpha=0.6, linewidth=0, label=f"{by} {name}")
    order = min(2, table[x].nunique() - 1)
    sns.regplot(table, x=x, y=y, order=order, ci=None, scatter=False, color=INK, line_kws={"linewidth": 1.4}, ax=ax)
    ax.set(xlabel="", ylabel="")
    return ax


def scatter(table: pd.DataFrame, *, x: str, y: str, by: str, ax: Axes) -> Axes:
    """Draw a point for every row, a colour and a marker a group."""
    for (name, group), colour, marker in zip(table.groupby(by), COLOURS * 2, MARKERS * 2, strict=False):
        ax.scatter(group[x], group[y], color=colour, marker=marker, s=16, alpha=0.7, linewidths=0, label=f"{by} {name}")
    ax.legend()
    return ax


def bars(table: pd.DataFrame, *, x: str, y: str, by: str, ax: Axes) -> Axes:
    """Draw a bar for every row, side by side at each x, a colour for each group."""
    sns.barplot(table, x=x, y=y, hue=by, palette=COLOURS[: table[by].nunique()], errorbar=None, ax=ax)
    ax.legend()
    return ax


def coloured(table: pd.DataFrame, *, x: str, y: str, colour: str, ax: Axes) -> Axes:
    """Draw a point for every row, coloured by a signed column alike on both sides of zero, with its scale."""
    most = table[colour].abs().max()
    drawn = ax.scatter(table[x], table[y], c=table[colour], cmap="viridis", vmin=-most, vmax=most, s=5, linewidths=0)
    ax.set(xlabel=x, ylabel=y)
    ax.figure.colorbar(drawn, ax=ax, label=colour)
    return ax


def crosses(published: pd.Series, *, order: list, ax: Axes) -> Axes:
    """Draw published numbers as crosses in the rows of `dots`; names that are not in the order are left out."""
    here = published[published.index.isin(order)].dropna()
    ax.plot(here, [order.index(name) for name in here.index], "x", color=INK, markersize=7, label="published")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1))
    return ax


def save(figure: Figure, path: Path | TextIO) -> None:
    """Write a figure as SVG that is the same bytes for the same data."""
    with plt.rc_context({"svg.hashsalt": "hourglass"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def keep(folder: Path, figures: dict[str, tuple[Figure | str, str, str]]) -> None:
    """Write a study's figures, {name: (figure or SVG, title, caption)}, with figures.json that tells the report of them."""
    place = folder / "figures"
    place.mkdir(exist_ok=True)
    for name, (figure, _, _) in figures.items():
        if isinstance(figure, str):
            (place / f"{name}.svg").write_text(figure)
        else:
            save(figure, place / f"{name}.svg")
    told = [{"file": f"{name}.svg", "title": title, "caption": caption} for name, (_, title, caption) in figures.items()]
    write_json(folder / "figures.json", told)
