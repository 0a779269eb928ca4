"""Views of stored tables that redraw while a slider moves: an empty frame is drawn once, then only its points."""

import io
from collections.abc import Iterable
from functools import cache
from html import escape
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from lib.workbook import plot

SIZE = (6.8, 4.2)  # inches
AXES = (0, 0, 0.84, 1)  # the part of the picture that axes may take; the key stands to their right


class Frame(NamedTuple):
    """Axes without points, and the way from data to their place: place = scale * value + shift."""

    svg: str
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a value lies in the picture, in its own units."""
        return self.x[0] * x + self.x[1], self.y[0] * y + self.y[1]


@cache
def frame(x_range: tuple[float, float], y_range: tuple[float, float], x_label: str, y_label: str) -> Frame:
    """Return linear axes over the two ranges."""
    with plot.style():
        figure = Figure(figsize=SIZE)
        figure.get_layout_engine().set(rect=AXES)
        ax = figure.subplots()
        ax.set(xlim=x_range, ylim=y_range, xlabel=x_label, ylabel=y_label)
        buffer = io.StringIO()
        plot.save(figure, buffer)
    points = 72 / figure.dpi  # the picture counts in points and from the top
    low, high = (ax.transData.transform(corner) * points for corner in zip(x_range, y_range, strict=True))
    scale = [(high[i] - low[i]) / (r[1] - r[0]) for i, r in enumerate((x_range, y_range))]
    y_shift = SIZE[1] * 72 - (low[1] - scale[1] * y_range[0])
    return Frame(buffer.getvalue(), (scale[0], low[0] - scale[0] * x_range[0]), (-scale[1], y_shift))


def spanned(values: pd.Series, margin: float = 0.05) -> tuple[float, float]:
    """Return the range of the values, widened so that no point lies on an axis."""
    low, high = float(values.min()), float(values.max())
    room = margin * (high - low) or 1.0
    return low - room, high + room


def drawn(made: Frame, marks: Iterable[tuple[float, float, str, str]], key: dict[str, str]) -> str:
    """Return the frame with a dot for each mark (x, y, colour, title) and a key of colours, label -> colour.

    A mark's title shows when the pointer rests on its dot.
    """
    look = f'x="{SIZE[0] * 72 - 8}" text-anchor="end" font-size="9" font-family="sans-serif"'
    dots = [f'<text {look} y="{14 + 12 * i}" fill="{c}">{escape(name)} ●</text>' for i, (name, c) in enumerate(key.items())]
    for x, y, colour, title in marks:
        cx, cy = made.place(x, y)
        dots.append(f'<circle cx="{cx:.2f}" cy="{cy:.2f}" r="3.5" fill="{colour}"><title>{escape(title)}</title></circle>')
    head, end, _ = made.svg.rpartition("</svg>")
    return head[head.find("<svg") :] + "".join(dots) + end


def plane(table: pd.DataFrame, *, epoch: int, layers: Iterable[int], seeds: Iterable[int]) -> str:
    """Return the information plane of one run and estimator at one epoch as SVG: a dot for each layer and seed.

    table: columns run, estimator, epoch, layer, seed, mi_xt, mi_ty in nats. The frame holds every epoch, so it stands still.
    """
    made = frame(spanned(table.mi_xt), spanned(table.mi_ty), "I(X;T) in nats", "I(T;Y) in nats")
    now = table[(table.epoch == epoch) & table.layer.isin(list(layers)) & table.seed.isin(list(seeds))]
    marks = []
    for row in now.itertuples():
        title = f"{row.run}, layer {row.layer}, seed {row.seed}, epoch {row.epoch}"
        marks.append((row.mi_xt, row.mi_ty, colour(row.layer - 1), title))
    return drawn(made, marks, {f"layer {layer}": colour(layer - 1) for layer in sorted(now.layer.unique())})


def capacity(table: pd.DataFrame, *, methods: Iterable[str], betas: tuple[float, float], seeds: Iterable[int]) -> str:
    """Return capacity of the code against test score as SVG: a dot for each method, beta in the range, and seed.

    table: columns run, method, beta, seed, capacity, performance. The frame holds every beta, so it stands still.
    """
    made = frame(spanned(table.capacity), spanned(table.performance), "dependence of code and input", "test score")
    names = list(dict.fromkeys(table.method))
    now = table[table.method.isin(list(methods)) & table.beta.between(*betas) & table.seed.isin(list(seeds))]
    marks = []
    for row in now.itertuples():
        title = f"{row.method}, beta {row.beta:g}, seed {row.seed}, {row.run}"
        marks.append((row.capacity, row.performance, colour(names.index(row.method)), title))
    return drawn(made, marks, {name: colour(names.index(name)) for name in names if name in set(now.method)})


def colour(number: int) -> str:
    """Return the palette's colour of a layer or method."""
    return plot.COLOURS[number % len(plot.COLOURS)]
