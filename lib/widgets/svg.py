"""Pictures as SVG text: axes drawn once with points that move, lines, pixels, words, bars."""

import base64
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from lib.workbook import plot

SIZE = (6.8, 4.2)  # inches of a frame
AXES = (0, 0, 0.84, 1)  # the part of a frame that axes may take; the key stands to their right
SIDE = 128  # points of a picture's side
ROW = 15  # points of a bar with its label
_CLIP = re.compile(r'<clipPath id="(\w+)">\s*(<rect [^>]*/>)')
LABEL, WIDE = 96, 150  # points of a label, and of the longest bar


def tile(image: Tensor, x: float, y: float, side: int = SIDE) -> str:
    """Return a picture (3, h, w) uint8 at a place, its pixels as squares."""
    look = f'width="{side}" height="{side}" style="image-rendering: pixelated"'
    return f'<image x="{x:.0f}" y="{y:.0f}" {look} href="{png(image.movedim(0, 2).contiguous().numpy())}"/>'


def png(image: np.ndarray) -> str:
    """Return the address of a picture (h, w, 3) uint8 that holds its content."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def text(words: str, x: float, y: float, *, end: bool = False) -> str:
    """Return words that begin, or end, at a place."""
    anchor = "end" if end else "start"
    look = f'font-size="10" font-family="sans-serif" fill="{plot.INK}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(words)}</text>'


def bars(rows: Sequence[tuple[str, float, str]], x: float, y: float, *, both: bool = True) -> str:
    """Return a bar for each label, value and colour; with `both`, zero lies in the middle. The longest fills its side."""
    most = max((abs(value) for _, value, _ in rows), default=0.0) or 1.0
    zero, drawn = x + LABEL + 8 + (WIDE if both else 0), []
    for i, (label, value, colour) in enumerate(rows):
        size, top = WIDE * abs(value) / most * (0.8 if both else 1.0), y + ROW * i
        start = zero - size if value < 0 else zero
        drawn.append(text(label, x + LABEL, top + 10, end=True))
        title = f"<title>{escape(label)} {round(value, 4):.4g}</title>"
        drawn.append(f'<rect x="{start:.2f}" y="{top}" width="{size:.2f}" height="{ROW - 4}" fill="{colour}">{title}</rect>')
        drawn.append(text(f"{value:.2f}", start - 3 if value < 0 else zero + size + 3, top + 10, end=value < 0))
    return "".join(drawn)


def document(inside: str, width: float, height: float) -> str:
    """Return a picture of a size in points."""
    size = f'width="{width:.0f}pt" height="{height:.0f}pt" viewBox="0 0 {width:.0f} {height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{inside}</svg>'


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
    return Frame(_with_settled_ids(buffer.getvalue()), (scale[0], low[0] - scale[0] * x_range[0]), (-scale[1], y_shift))


def _with_settled_ids(svg: str) -> str:
    """Return an SVG whose clip paths are named by their shape to a thousandth of a point.

    Matplotlib names them by every bit of their place, the last of which differ between processors.
    """
    for name, shape in _CLIP.findall(svg):
        numbers = " ".join(f"{float(number):.3f}" for number in re.findall(r"=\"([-\d.]+)\"", shape))
        svg = svg.replace(name, f"p{hashlib.sha256(numbers.encode()).hexdigest()[:10]}")
    return svg


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


def colour(number: int) -> str:
    """Return the palette's colour of a layer or method."""
    return plot.COLOURS[number % len(plot.COLOURS)]


def path(made: Frame, x: np.ndarray, y: np.ndarray, spans: tuple, colour: str) -> str:
    """Return a line through points, broken where it leaves the frame."""
    inside = (x >= spans[0][0]) & (x <= spans[0][1]) & (y >= spans[1][0]) & (y <= spans[1][1])
    words, down = [], False
    for px, py, within in zip(x, y, inside, strict=True):
        if within:
            u, v = made.place(float(px), float(py))
            words.append(f"{'L' if down else 'M'}{u:.2f} {v:.2f}")
        down = bool(within)
    return f'<path d="{" ".join(words)}" fill="none" stroke="{colour}" stroke-width="1.4"/>' if words else ""


def over(svg: str, more: str) -> str:
    """Return a picture with more drawn on top."""
    head, end, _ = svg.rpartition("</svg>")
    return head + more + end
