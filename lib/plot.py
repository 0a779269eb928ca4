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
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure

from lib.runs import write_json

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


def target(values: np.ndarray, *, name: str, ax: Axes) -> Axes:
    """Draw how often each value of a target occurs."""
    ax.hist(values, bins=min(60, len(np.unique(values))), color=COLOURS[0])
    ax.set(xlabel=name, ylabel="rows")
    return ax


def loss_curves(history: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw the validation score by epoch for every method at its first beta; bands span the seeds.

    history: columns method, beta, seed, epoch, valid.
    """
    first = history[history.beta == history.groupby("method").beta.transform("min")]
    return lines(first, x="epoch", y="valid", by="method", ax=ax, ylabel="validation score")


def over_epochs(table: pd.DataFrame, *, value: str, by: str, ax: Axes) -> Axes:
    """Draw a value in nats by epoch (log scale) for every group; lines are means over seeds, bands span the seeds.

    table: columns epoch, seed, `by`, `value`.
    """
    lines(
        table, x="epoch", y=value, by=by, ax=ax, ylabel={"mi_xt": "I(X;T) in nats", "mi_ty": "I(T;Y) in nats"}.get(value, value)
    )
    ax.set_xscale("log")
    return ax


def lines(table: pd.DataFrame, *, x: str, y: str, by: str, ax: Axes, ylabel: str) -> Axes:
    """Draw means over seeds with the seeds' range as a band, one line for each group."""
    named = table.reset_index(drop=True)  # seaborn wants a unique index where a member's values have ended in NaN
    named[by] = [f"{by} {g}" if isinstance(g, int) else g for g in named[by]]
    groups = named[by].nunique()
    sns.lineplot(named, x=x, y=y, hue=by, errorbar=("pi", 100), palette=(COLOURS * 4)[:groups], linewidth=1.4, ax=ax)
    ax.set(xlabel=x, ylabel=ylabel)
    ax.legend(ncols=2)
    return ax


def information_plane(points: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw the mean path of every layer through the plane, coloured by epoch from dark to light, one marker a layer.

    points: columns epoch, layer, seed, mi_xt, mi_ty in nats.
    """
    mean = points.groupby(["layer", "epoch"], as_index=False)[["mi_xt", "mi_ty"]].mean()
    norm = LogNorm(mean.epoch.min(), max(mean.epoch.max(), mean.epoch.min() + 1))
    drawn = None
    for (layer, path), marker in zip(mean.groupby("layer"), MARKERS, strict=False):
        ax.plot(path.mi_xt, path.mi_ty, color=INK, linewidth=0.6, alpha=0.6)
        drawn = ax.scatter(
            path.mi_xt, path.mi_ty, c=path.epoch, norm=norm, cmap="viridis", s=22, marker=marker, label=f"layer {layer}"
        )
    ax.set(xlabel="I(X;T) in nats", ylabel="I(T;Y) in nats")
    ax.legend(loc="lower right")
    if drawn is not None:
        ax.figure.colorbar(drawn, ax=ax, label="epoch")
    return ax


def plane_at(points: pd.DataFrame, *, epoch: int, ax: Axes) -> Axes:
    """Draw one epoch of the plane: a dot for each network and layer, a larger mark at each layer's mean.

    points: columns epoch, layer, mi_xt, mi_ty in nats. Limits are those of all epochs, so that frames of a film do not jump.
    """
    now = points[points.epoch == epoch]
    marks = zip(now.groupby("layer"), COLOURS, MARKERS, strict=False)
    for (layer, dots), colour, marker in marks:
        ax.scatter(dots.mi_xt, dots.mi_ty, s=7, color=colour, alpha=0.5, linewidth=0)
        ax.plot(dots.mi_xt.mean(), dots.mi_ty.mean(), marker, color=colour, markersize=6, label=f"layer {layer}")
    room = 0.04 * points[["mi_xt", "mi_ty"]].max()
    ax.set(xlim=(-room.mi_xt, points.mi_xt.max() + room.mi_xt), ylim=(-room.mi_ty, points.mi_ty.max() + room.mi_ty))
    ax.set(xlabel="I(X;T) in nats", ylabel="I(T;Y) in nats", title=f"epoch {epoch}")
    return ax


def capacity_against_performance(table: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw capacity of the bottleneck against performance: one path a method along beta, crosses show the spread of seeds.

    table: columns method, beta, seed, capacity, performance.
    """
    for (method, group), colour, marker in zip(table.groupby("method", sort=False), COLOURS * 2, MARKERS * 2, strict=False):
        betas = group.groupby("beta")[["capacity", "performance"]]
        mean, spread = betas.mean(), betas.std()
        cross = {"xerr": spread.capacity, "yerr": spread.performance, "elinewidth": 0.6}
        ax.errorbar(
            mean.capacity, mean.performance, **cross, color=colour, marker=marker, markersize=4, linewidth=1, label=method
        )
    ax.legend()
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


def seen_and_hidden(seen: np.ndarray, *, ax: Axes) -> Axes:
    """Draw a mask (T, N), time to the right: hidden values are filled cells."""
    ax.imshow(~np.asarray(seen).T, cmap=ListedColormap(["none", COLOURS[1]]), vmin=0, vmax=1, aspect="auto")
    ax.grid(False)
    ax.set(xlabel="time", ylabel="variate", yticks=range(seen.shape[1]))
    return ax


def against_published(table: pd.DataFrame, published: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw our error over the truth as one line a setting, bands over the draws, and published errors as crosses.

    table: columns truth, error, setting, seed; published: columns truth, error.
    """
    lines(table, x="truth", y="error", by="setting", ax=ax, ylabel="mean absolute error in nats")
    ax.plot(published.truth, published.error, "x", color=INK, markersize=7, label="published")
    ax.set(xlabel="true information in nats")
    ax.legend()
    return ax


def against_truth(table: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw estimates over the true information, one line a code with bands over the draws, and the diagonal.

    table: columns truth, mi in nats, code, seed.
    """
    lines(table, x="truth", y="mi", by="code", ax=ax, ylabel="estimate in nats")
    ends = [table.truth.min(), table.truth.max()]
    ax.plot(ends, ends, color=INK, linestyle="--", linewidth=1, label="truth")
    ax.set(xlabel="true information in nats")
    ax.legend()
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


def beside_published(table: pd.DataFrame, published: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw I(T;Y) over the compression ratio, a colour a method: our means over seeds solid, points off a figure dashed.

    table: columns method, beta, seed, r, mi_ty; published: columns method, r, mi_ty; nats. Only methods that both hold.
    """
    both = [method for method in table.method.unique() if method in set(published.method)]
    for method, colour, marker in zip(both, COLOURS * 2, MARKERS * 2, strict=False):
        mean = table[table.method == method].groupby("beta")[["r", "mi_ty"]].mean()
        told = published[published.method == method]
        ax.plot(mean.r, mean.mi_ty, color=colour, marker=marker, markersize=4, linewidth=1.2, label=method)
        ax.plot(told.r, told.mi_ty, color=colour, marker=marker, markersize=3, linewidth=0.8, linestyle="--", fillstyle="none")
    ax.set(xlabel="compression ratio r, each by its own estimate", ylabel="I(T;Y) in nats")
    ax.legend(title="dashed: published")
    return ax


def scatter(table: pd.DataFrame, *, x: str, y: str, by: str, ax: Axes) -> Axes:
    """Draw a point for every row, a colour and a marker a group."""
    for (name, group), colour, marker in zip(table.groupby(by), COLOURS * 2, MARKERS * 2, strict=False):
        ax.scatter(group[x], group[y], color=colour, marker=marker, s=16, alpha=0.7, linewidths=0, label=f"{by} {name}")
    ax.legend()
    return ax


def with_compressions(curves: pd.DataFrame, compressions: pd.DataFrame, fall: float, *, ax: Axes) -> Axes:
    """Draw one network's information by record, its compressions as thick parts of the lines, the loss's steepest fall.

    curves: records by layers, nats, smoothed; compressions: columns layer, start, stop in records; fall: between two records.
    """
    for (layer, curve), colour in zip(curves.items(), COLOURS, strict=False):
        ax.plot(curve.index, curve, color=colour, linewidth=1, label=layer)
        for part in compressions[compressions.layer == layer].itertuples():
            ax.plot(curve.loc[part.start : part.stop], color=colour, linewidth=3.5, alpha=0.6)
    ax.axvline(fall, color=INK, linestyle=":", linewidth=1.2)
    ax.set(xlabel="record", ylabel="I(X;L) in nats")
    return ax


def eigenvalues(table: pd.DataFrame, *, known: np.ndarray, ax: Axes) -> Axes:
    """Draw eigenvalues as dots coloured by residual, dark for small, known ones as crosses, with the unit circle.

    table: columns real, imag, residual; known: complex. Colours run from residuals of 1e-10 to 1, and stay there beyond.
    """
    turn = np.linspace(0, 2 * np.pi, 361)
    ax.plot(np.cos(turn), np.sin(turn), color=INK, linewidth=0.8)
    norm = LogNorm(1e-10, 1)
    drawn = ax.scatter(table.real, table.imag, c=table.residual.clip(1e-10, 1), norm=norm, cmap="viridis", s=16)
    ax.plot(np.real(known), np.imag(known), "x", color=COLOURS[1], markersize=8, linewidth=0)
    ax.figure.colorbar(drawn, ax=ax, label="residual", shrink=0.7)
    ax.set(aspect="equal", xlabel="real part", ylabel="imaginary part")
    return ax


def mode(picture: np.ndarray, *, ax: Axes) -> Axes:
    """Draw a signed field (H, W): blue below zero, red above, white at zero."""
    most = np.abs(picture).max()
    ax.imshow(picture, cmap="RdBu_r", vmin=-most, vmax=most)
    ax.grid(False)
    ax.set(xticks=[], yticks=[])
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


def verdicts(rows: list[dict], *, ax: Axes) -> Axes:
    """Draw how many claims of each source hold, fail, or cannot be judged at this scale, the most at the top."""
    counts = pd.crosstab(
        pd.Series([r["source"] for r in rows], name="source"), pd.Series([r["verdict"] for r in rows], name="verdict")
    )
    counts = counts.loc[counts.sum(axis=1).sort_values(kind="stable").index]
    hatches, left = {"holds": "", "fails": "///", "not at this scale": "..."}, np.zeros(len(counts))
    for (verdict, hatch), colour in zip(hatches.items(), (COLOURS[2], COLOURS[1], COLOURS[6]), strict=True):
        width = counts.get(verdict, pd.Series(0, counts.index)).to_numpy()
        ax.barh(counts.index, width, left=left, color=colour, hatch=hatch, label=verdict, edgecolor="white", linewidth=0)
        left = left + width
    ax.set(xlabel="claims")
    ax.margins(y=0.01)
    ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.4, 1.0))
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
