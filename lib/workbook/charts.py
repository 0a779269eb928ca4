"""Charts of what studies measure: losses, planes, capacities, published tables, spectra, verdicts."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm

from lib.workbook import plot


def target(values: np.ndarray, *, name: str, ax: Axes) -> Axes:
    """Draw how often each value of a target occurs."""
    ax.hist(values, bins=min(60, len(np.unique(values))), color=plot.COLOURS[0])
    ax.set(xlabel=name, ylabel="rows")
    return ax


def loss_curves(history: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw the validation score by epoch for every method at its first beta; bands span the seeds.

    history: columns method, beta, seed, epoch, valid.
    """
    first = history[history.beta == history.groupby("method").beta.transform("min")]
    return plot.lines(first, x="epoch", y="valid", by="method", ax=ax, ylabel="validation score")


def over_epochs(table: pd.DataFrame, *, value: str, by: str, ax: Axes) -> Axes:
    """Draw a value in nats by epoch (log scale) for every group; lines are means over seeds, bands span the seeds.

    table: columns epoch, seed, `by`, `value`.
    """
    plot.lines(
        table, x="epoch", y=value, by=by, ax=ax, ylabel={"mi_xt": "I(X;T) in nats", "mi_ty": "I(T;Y) in nats"}.get(value, value)
    )
    ax.set_xscale("log")
    return ax


def information_plane(points: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw the mean path of every layer through the plane, coloured by epoch from dark to light, one marker a layer.

    points: columns epoch, layer, seed, mi_xt, mi_ty in nats.
    """
    mean = points.groupby(["layer", "epoch"], as_index=False)[["mi_xt", "mi_ty"]].mean()
    norm = LogNorm(mean.epoch.min(), max(mean.epoch.max(), mean.epoch.min() + 1))
    drawn = None
    for (layer, path), marker in zip(mean.groupby("layer"), plot.MARKERS, strict=False):
        ax.plot(path.mi_xt, path.mi_ty, color=plot.INK, linewidth=0.6, alpha=0.6)
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
    marks = zip(now.groupby("layer"), plot.COLOURS, plot.MARKERS, strict=False)
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
    for (method, group), colour, marker in zip(
        table.groupby("method", sort=False), plot.COLOURS * 2, plot.MARKERS * 2, strict=False
    ):
        betas = group.groupby("beta")[["capacity", "performance"]]
        mean, spread = betas.mean(), betas.std()
        cross = {"xerr": spread.capacity, "yerr": spread.performance, "elinewidth": 0.6}
        ax.errorbar(
            mean.capacity, mean.performance, **cross, color=colour, marker=marker, markersize=4, linewidth=1, label=method
        )
    ax.legend()
    return ax


def seen_and_hidden(seen: np.ndarray, *, ax: Axes) -> Axes:
    """Draw a mask (T, N), time to the right: hidden values are filled cells."""
    ax.imshow(~np.asarray(seen).T, cmap=ListedColormap(["none", plot.COLOURS[1]]), vmin=0, vmax=1, aspect="auto")
    ax.grid(False)
    ax.set(xlabel="time", ylabel="variate", yticks=range(seen.shape[1]))
    return ax


def against_published(table: pd.DataFrame, published: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw our error over the truth as one line a setting, bands over the draws, and published errors as crosses.

    table: columns truth, error, setting, seed; published: columns truth, error.
    """
    plot.lines(table, x="truth", y="error", by="setting", ax=ax, ylabel="mean absolute error in nats")
    ax.plot(published.truth, published.error, "x", color=plot.INK, markersize=7, label="published")
    ax.set(xlabel="true information in nats")
    ax.legend()
    return ax


def against_truth(table: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw estimates over the true information, one line a code with bands over the draws, and the diagonal.

    table: columns truth, mi in nats, code, seed.
    """
    plot.lines(table, x="truth", y="mi", by="code", ax=ax, ylabel="estimate in nats")
    ends = [table.truth.min(), table.truth.max()]
    ax.plot(ends, ends, color=plot.INK, linestyle="--", linewidth=1, label="truth")
    ax.set(xlabel="true information in nats")
    ax.legend()
    return ax


def beside_published(table: pd.DataFrame, published: pd.DataFrame, *, ax: Axes) -> Axes:
    """Draw I(T;Y) over the compression ratio, a colour a method: our means over seeds solid, points off a figure dashed.

    table: columns method, beta, seed, r, mi_ty; published: columns method, r, mi_ty; nats. Only methods that both hold.
    """
    both = [method for method in table.method.unique() if method in set(published.method)]
    for method, colour, marker in zip(both, plot.COLOURS * 2, plot.MARKERS * 2, strict=False):
        mean = table[table.method == method].groupby("beta")[["r", "mi_ty"]].mean()
        told = published[published.method == method]
        ax.plot(mean.r, mean.mi_ty, color=colour, marker=marker, markersize=4, linewidth=1.2, label=method)
        ax.plot(told.r, told.mi_ty, color=colour, marker=marker, markersize=3, linewidth=0.8, linestyle="--", fillstyle="none")
    ax.set(xlabel="compression ratio r, each by its own estimate", ylabel="I(T;Y) in nats")
    ax.legend(title="dashed: published")
    return ax


def with_compressions(curves: pd.DataFrame, compressions: pd.DataFrame, fall: float, *, ax: Axes) -> Axes:
    """Draw one network's information by record, its compressions as thick parts of the lines, the loss's steepest fall.

    curves: records by layers, nats, smoothed; compressions: columns layer, start, stop in records; fall: between two records.
    """
    for (layer, curve), colour in zip(curves.items(), plot.COLOURS, strict=False):
        ax.plot(curve.index, curve, color=colour, linewidth=1, label=layer)
        for part in compressions[compressions.layer == layer].itertuples():
            ax.plot(curve.loc[part.start : part.stop], color=colour, linewidth=3.5, alpha=0.6)
    ax.axvline(fall, color=plot.INK, linestyle=":", linewidth=1.2)
    ax.set(xlabel="record", ylabel="I(X;L) in nats")
    return ax


def eigenvalues(table: pd.DataFrame, *, known: np.ndarray, ax: Axes) -> Axes:
    """Draw eigenvalues as dots coloured by residual, dark for small, known ones as crosses, with the unit circle.

    table: columns real, imag, residual; known: complex. Colours run from residuals of 1e-10 to 1, and stay there beyond.
    """
    turn = np.linspace(0, 2 * np.pi, 361)
    ax.plot(np.cos(turn), np.sin(turn), color=plot.INK, linewidth=0.8)
    norm = LogNorm(1e-10, 1)
    drawn = ax.scatter(table.real, table.imag, c=table.residual.clip(1e-10, 1), norm=norm, cmap="viridis", s=16)
    ax.plot(np.real(known), np.imag(known), "x", color=plot.COLOURS[1], markersize=8, linewidth=0)
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


def verdicts(rows: list[dict], *, ax: Axes) -> Axes:
    """Draw how many claims of each source hold, fail, or cannot be judged at this scale, the most at the top."""
    counts = pd.crosstab(
        pd.Series([r["source"] for r in rows], name="source"), pd.Series([r["verdict"] for r in rows], name="verdict")
    )
    counts = counts.loc[counts.sum(axis=1).sort_values(kind="stable").index]
    hatches, left = {"holds": "", "fails": "///", "not at this scale": "..."}, np.zeros(len(counts))
    for (verdict, hatch), colour in zip(hatches.items(), (plot.COLOURS[2], plot.COLOURS[1], plot.COLOURS[6]), strict=True):
        width = counts.get(verdict, pd.Series(0, counts.index)).to_numpy()
        ax.barh(counts.index, width, left=left, color=colour, hatch=hatch, label=verdict, edgecolor="white", linewidth=0)
        left = left + width
    ax.set(xlabel="claims")
    ax.margins(y=0.01)
    ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.4, 1.0))
    return ax
