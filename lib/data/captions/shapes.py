r"""Six outlines as implicit functions F(x, y; r) of a point and the radius r of the circle around them: inside where F < 0.

x, y, r broadcast; near the outline |F| is the distance to it in the unit of r, which the soft edge of a picture relies on.
"""

import math

import torch
from torch import Tensor

STAR = 0.4  # inner over outer radius
RING = 0.5  # inner over outer radius
ARM = 0.28  # width over length of the arms of a cross


def circle(x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    """Return |p| - r."""
    return torch.hypot(x, y) - r


def square(x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    """Return max(|x|, |y|) - r / sqrt 2."""
    return torch.maximum(x.abs(), y.abs()) - r / math.sqrt(2)


def triangle(x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    """Return the largest of the three sides' distances, each r / 2 from the centre; one corner points to -y."""
    return torch.maximum(y, math.sqrt(0.75) * x.abs() - 0.5 * y) - 0.5 * r


def star(x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    """Return the distance to an edge of a star of five tips, the plane folded into a tenth; one tip points to -y."""
    tenth = math.pi / 5
    angle = torch.atan2(x, -y).abs() % (2 * tenth)
    angle = torch.minimum(angle, 2 * tenth - angle)
    away = torch.hypot(x, y)
    wide, high = 1 - STAR * math.cos(tenth), STAR * math.sin(tenth)  # of the edge from the tip to the inner corner
    length = math.hypot(wide, high)
    return (high * (away * angle.cos() - r) + wide * away * angle.sin()) / length


def ring(x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    """Return ||p| - (1 + q) r / 2| - (1 - q) r / 2 with q = 1 / 2."""
    return (torch.hypot(x, y) - (1 + RING) / 2 * r).abs() - (1 - RING) / 2 * r


def cross(x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    """Return the union of two bars of half length r / sqrt(1 + q^2) and q times that half width."""
    long = r / math.hypot(1, ARM)
    x, y = x.abs(), y.abs()
    return torch.maximum(torch.minimum(x, y) - ARM * long, torch.maximum(x, y) - long)


OUTLINES = (circle, square, triangle, star, ring, cross)  # in the order of the attribute


def outline(shape: Tensor, x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    """Return F of each row's own shape; shape: (m,), x, y: (m, h, w), r: (m, 1, 1) -> (m, h, w)."""
    found = torch.empty_like(x)
    for number in shape.unique().tolist():
        rows = (shape == number).nonzero().squeeze(1)
        found[rows] = OUTLINES[number](x[rows], y[rows], r[rows])
    return found
