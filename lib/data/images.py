r"""Images whose mutual information is known: a few numbers with known information, each set drawn as a picture.

Drawing is one-to-one and piecewise smooth, so a pair of images shares exactly what its parameters share. Pixels are numbers in
[0, 1], row by row: x, y (n, size * size). truth: "mi" in nats, "x_parameters", "y_parameters" (n, d) float64 in [0, 1].
Source: [butakov2024information].
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lib.core import checks
from lib.core.precision import usual
from lib.core.types import Paired

SHARPNESS = 10.0  # of a bump, in units of the image's side
LEAST = 2.0  # pixels a rectangle is wide and high at least


def uniform_pair(n: int, *, mi: float, d: int, seed: int) -> Paired:
    r"""Return two sets of d numbers, uniform on [0, 1] each, which share `mi` nats; x, y: (n, d) float64.

    Normals correlated column by column with rho^2 = 1 - exp(-2 mi / d), each side turned by a random rotation of its own, then
    taken through the normal CDF; none of it but the correlation touches the information.
    """
    checks.counted(n, "n"), checks.counted(d, "d")
    if not 0 <= mi < math.inf:
        raise ValueError(f"mi must be finite and >= 0, got {mi}; it is the information of the pair in nats")
    generator = torch.Generator().manual_seed(seed)
    x, other = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(2))
    square = -math.expm1(-2 * mi / d)
    y = math.sqrt(square) * x + math.sqrt(1 - square) * other
    return Paired(*(torch.special.ndtr(z @ rotation(d, generator)) for z in (x, y)), {"mi": mi})


def rotation(d: int, generator: torch.Generator) -> Tensor:
    """Return a random orthogonal matrix, each as likely as any other, (d, d) float64."""
    q, r = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64))
    return q * r.diagonal().sign()


def bumps(u: Tensor, *, size: int = 32) -> Tensor:
    r"""Draw exp(-10 [(gx - u1)^2 + (gy - u2)^2]) on a grid of [0, 1]^2, u: (n, 2) -> (n, size, size), gy down the rows."""
    dx, dy = offsets(u, size)
    return torch.exp(-SHARPNESS * (dx.square() + dy.square()))


def slanted_bumps(u: Tensor, *, size: int = 32) -> Tensor:
    r"""Draw exp(-10 [a^2 + b^2 + (2 u5 - 1) a b]), a = (1 + u3)(gx - u1), b = (1 + u4)(gy - u2).

    u: (n, 5) -> (n, size, size), gy down the rows.
    """
    dx, dy = offsets(u, size)
    wide, high, slant = (u[:, i, None, None] for i in (2, 3, 4))
    a, b = (1 + wide) * dx, (1 + high) * dy
    return torch.exp(-SHARPNESS * (a.square() + b.square() + (2 * slant - 1) * a * b))


def offsets(u: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return gx - u1 (n, 1, size) and gy - u2 (n, size, 1)."""
    grid = torch.linspace(0, 1, checks.counted(size, "size", least=2), dtype=u.dtype, device=u.device)
    return (grid - u[:, :1])[:, None, :], (grid - u[:, 1:2])[:, :, None]


def rectangles(u: Tensor, *, size: int = 32) -> Tensor:
    """Draw a filled rectangle, each pixel the share of it that is covered; u: (n, 4) -> (n, size, size).

    u1, u2 place the sides in x and u3, u4 those in y, by `segment`.
    """
    edges = [segment(u[:, i], u[:, i + 1], size) for i in (0, 2)]
    across, down = (covered(low, high, size) for low, high in edges)
    return down[:, :, None] * across[:, None, :]


def segment(u: Tensor, v: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return ends (n,), (n,) in pixels, uniform on all segments of at least 2 pixels inside the image.

    a = (1 - m)(1 - sqrt(1 - u)), b = a + m + v (1 - a - m), m = 2 / size; then times size.
    """
    least = LEAST / checks.counted(size, "size", least=3)
    low = (1 - least) * (1 - (1 - u).sqrt())
    return size * low, size * (low + least + v * (1 - low - least))


def covered(low: Tensor, high: Tensor, size: int) -> Tensor:
    """Return the length of each unit cell that lies between low and high, (n,), (n,) -> (n, size)."""
    cell = torch.arange(size, dtype=low.dtype, device=low.device)
    return (torch.minimum(high[:, None], cell + 1) - torch.maximum(low[:, None], cell)).clamp_min(0)


def drawn(draw: Callable[..., Tensor], d: int, n: int, *, mi: float, size: int, seed: int) -> Paired:
    """Return a pair of d numbers a side, drawn."""
    u, v, truth = uniform_pair(n, mi=mi, d=d, seed=seed)
    x, y = (usual(draw(z, size=size).flatten(1)) for z in (u, v))
    return Paired(x, y, truth | {"x_parameters": u, "y_parameters": v})


def gaussian_images(n: int, *, mi: float, size: int = 32, seed: int) -> Paired:
    """Return pairs of round bumps, of two numbers each: their places."""
    return drawn(bumps, 2, n, mi=mi, size=size, seed=seed)


def slanted_gaussian_images(n: int, *, mi: float, size: int = 32, seed: int) -> Paired:
    """Return pairs of bumps of five numbers each: place, widths and slant."""
    return drawn(slanted_bumps, 5, n, mi=mi, size=size, seed=seed)


def rectangle_images(n: int, *, mi: float, size: int = 32, seed: int) -> Paired:
    """Return pairs of rectangles of four numbers each: their sides."""
    return drawn(rectangles, 4, n, mi=mi, size=size, seed=seed)


IMAGES = {"gaussian": gaussian_images, "rectangles": rectangle_images, "slanted_gaussian": slanted_gaussian_images}
