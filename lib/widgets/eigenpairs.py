"""Views of linear models taken apart by eigenpair: which are kept, what they foretell, what a mode looks like. All SVG."""

import math

import numpy as np
import pandas as pd
import torch
from matplotlib import colormaps
from torch import Tensor

from lib.core.digits import at_most
from lib.koopman.modes import Pieces, forecast
from lib.widgets import svg
from lib.widgets.svg import over, path
from lib.workbook import plot

DROPPED = "#BBBBBB"
PIXEL = 4  # points of the picture for one number of a field


def kept(pieces: Pieces, at_most: float) -> Tensor:
    """Return which pairs (r,) have a residual of at most `at_most`."""
    return pieces.residuals <= at_most


def error(pieces: Pieces, at_most: float) -> float:
    """Return the error of the kept pairs' forecast over all steps and numbers, in spreads of the trajectory."""
    truth = pieces.truth.flatten(1)
    miss = forecast(pieces, kept(pieces, at_most), len(truth) - 1) - truth[1:]
    return float(miss.square().mean().sqrt() / (truth - truth.mean(0)).square().mean().sqrt())


def columns(pieces: Pieces, most: int = 6) -> list[int]:
    """Return the numbers of a snapshot to choose from: all, or of many the `most` that vary most."""
    spread = pieces.truth.flatten(1).std(0)
    return list(range(len(spread))) if len(spread) <= most else spread.topk(most).indices.tolist()


def thresholds(pieces: Pieces, count: int = 40) -> list[float]:
    """Return at most `count` of the residuals, a thousandth above, from the least to the largest: each step lets pairs in."""
    levels = sorted({float(f"{r * 1.001:.4g}") for r in pieces.residuals.tolist()})
    return [levels[round(i)] for i in np.linspace(0, len(levels) - 1, min(count, len(levels)))]


def eigenpairs(pieces: Pieces, *, at_most: float) -> str:
    """Return the eigenvalues in the complex plane, coloured by residual, dark for small; dropped pairs are grey.

    Colours run over the logarithm of residuals from 1e-10 to 1. The frame holds all pairs, so it stands still.
    """
    values = pieces.values.numpy()
    spans = svg.spanned(pd.Series(values.real)), svg.spanned(pd.Series(values.imag))
    made = svg.frame(*spans, "real part of the eigenvalue", "imaginary part")
    marks = []
    for value, residual, stays in zip(values, pieces.residuals.tolist(), kept(pieces, at_most).tolist(), strict=True):
        title = f"{value.real:.4f} {value.imag:+.4f}i, modulus {abs(value):.4f}, residual {_told(residual)}"
        marks.append((value.real, value.imag, shade(residual) if stays else DROPPED, title))
    key = {"residual 1e-8": shade(1e-8), "1e-4": shade(1e-4), "1": shade(1.0), "dropped": DROPPED}
    circle = np.exp(1j * np.linspace(0, 2 * math.pi, 721))
    return over(svg.drawn(made, marks, key), path(made, circle.real, circle.imag, spans, plot.INK))


def _told(residual: float) -> str:
    """Return a residual as text; what is left below 1e-12 is rounding, and differs between processors."""
    return at_most(residual, 1e-12, form=".1e")


def shade(residual: float) -> str:
    """Return the colour of a residual."""
    place = 1 + math.log10(max(residual, 1e-10)) / 10
    return "#" + bytes(int(255 * c) for c in colormaps["viridis"](0.9 * min(place, 1.0))[:3]).hex()


def rollout(pieces: Pieces, *, at_most: float, column: int) -> str:
    """Return one number of the trajectory over time, grey, and as the kept pairs foretell it; above, their count and error."""
    stays, truth = kept(pieces, at_most), pieces.truth.flatten(1)[:, column].numpy()
    steps = np.arange(len(truth))
    spans = (0.0, float(steps[-1])), svg.spanned(pd.Series(truth), margin=0.3)
    made = svg.frame(*spans, "step", f"number {column} of the snapshot")
    told = forecast(pieces, stays, len(truth) - 1)[:, column].numpy()
    lines = path(made, steps, truth, spans, plot.INK) + path(made, steps[1:], told, spans, plot.COLOURS[1])
    says = f"{int(stays.sum())} of {len(stays)} pairs, error {error(pieces, at_most):.3g} spreads"
    x, y = made.place(spans[0][0], spans[1][1])
    text = (
        f'<text x="{x + 6:.0f}" y="{y + 12:.0f}" font-size="10" font-family="sans-serif" fill="{plot.COLOURS[1]}">{says}</text>'
    )
    return over(svg.drawn(made, [], {"trajectory": plot.INK, "forecast": plot.COLOURS[1]}), lines + text)


def trusted(pieces: Pieces, *, at_most: float, column: int) -> str:
    """Return eigenvalues and forecast, one below the other, for a threshold."""
    return f"<div>{eigenpairs(pieces, at_most=at_most)}{rollout(pieces, at_most=at_most, column=column)}</div>"


def mode(pieces: Pieces, *, pair: int, phase: float) -> str:
    """Return one pair's part of a field at a phase, the real part of e^(i phase) part: blue below zero, red above.

    Channels stand side by side. The scale is the part's largest modulus, so a film over the phase does not flicker.
    """
    part = pieces.parts[pair].reshape(pieces.truth.shape[1:]).resolve_conj()
    seen = (part * complex(math.cos(phase), math.sin(phase))).real / part.abs().max().clamp_min(1e-30)
    channels = seen.flatten(0, -3) if seen.ndim > 2 else seen[None]
    wide = torch.cat(list(channels), 1)
    hues = (colormaps["RdBu_r"](0.5 + 0.5 * wide.numpy())[..., :3] * 255).astype(np.uint8)
    height, width = (PIXEL * n for n in wide.shape)
    value = complex(pieces.values[pair])
    says = (
        f"pair {pair}: modulus {abs(value):.4f}, angle {np.angle(value):.4f}, residual {_told(float(pieces.residuals[pair]))}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height + 18}pt" '
        f'viewBox="0 0 {width} {height + 18}">'
        f'<image width="{width}" height="{height}" style="image-rendering: pixelated" href="{svg.png(hues)}"/>'
        f'<text x="2" y="{height + 13}" font-size="10" font-family="sans-serif" fill="{plot.INK}">{says}</text></svg>'
    )


def turning(pieces: Pieces) -> list[int]:
    """Return the pairs to look at, of each conjugate pair the one that turns forward, the least residual first."""
    return [j for j in pieces.residuals.argsort(stable=True).tolist() if pieces.values[j].imag >= 0]
