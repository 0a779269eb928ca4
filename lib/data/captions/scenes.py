r"""Pictures of attributes, with what each pixel shows.

Lengths are in pixels of a picture of 32; other sizes scale them. An object covers the pixel centres where its F < 0, and is
mixed into the background by clip(1/2 - F, 0, 1). The objects of one scene share all attributes.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lib.core import checks
from lib.data.captions.attributes import COLUMN, attributes, draw, stream
from lib.data.captions.shapes import outline

SIDE = 32.0
BLOCK = 256  # scenes drawn at once
MOST = 3  # objects in a scene
RADII = ((4.8, 5.6), (7.8, 9.5), (7.2, 7.8))  # small; large and alone; large among several
TURN = 0.25  # an object is turned by at most this, radians
PERIOD = 4.0  # of stripes and dots
DARK = 0.5  # of a stripe or dot, times the colour
NOISE = 0.02
PALETTE = torch.tensor([
    [0.85, 0.10, 0.10], [0.10, 0.65, 0.15], [0.10, 0.20, 0.90], [0.95, 0.85, 0.10], [0.55, 0.10, 0.65], [0.95, 0.95, 0.95],
])  # fmt: skip
SIDES = torch.tensor([[0, -1], [0, 1], [-1, 0], [1, 0], [0, 0]])  # down and right, for each place


class Scenes(NamedTuple):
    """Pictures and all that is known of them."""

    images: Tensor  # (n, 3, size, size) uint8, red, green, blue
    instances: Tensor  # (n, size, size) uint8: 0 where the background shows, k where the k-th object does
    truth: Tensor  # (n, 7) int64, in the order of ATTRIBUTES
    objects: Tensor  # (n, 3, 4) float32: row, column, radius (pixels), angle (radians); NaN where there is no object


def scenes(n: int, *, rho: float = 0.0, part: str = "seen", size: int = 32, seed: int) -> Scenes:
    """Draw n scenes and paint them; see `attributes.draw` for rho and part. The same seed gives the same bytes."""
    return render(draw(n, rho=rho, part=part, seed=seed), size=size, seed=seed)


def render(truth: Tensor, *, size: int = 32, seed: int) -> Scenes:
    """Paint scenes of given attributes (n, 7); the seed draws where exactly things lie, their colours' jitter and noise."""
    generator = stream(seed, "pictures")
    return paint(attributes(truth), layout(truth, generator), size=size, generator=generator)


def layout(truth: Tensor, generator: torch.Generator) -> Tensor:
    """Return row, column, radius and angle of each object, (n, 3, 4), NaN where there is none; units of a 32-pixel picture.

    One object lies at its place, a pixel or two from the border; several lie in different quarters of the picture.
    """
    n, alone, large = len(truth), truth[:, COLUMN["count"]] == 0, truth[:, COLUMN["size"]] == 1
    u = torch.rand(n, MOST, 4, generator=generator)
    low, high = torch.tensor(RADII)[torch.where(large, torch.where(alone, 1, 2), 0)].T
    radius = low[:, None] + (high - low)[:, None] * u[:, :, 2]  # (n, 3)
    sides = SIDES[truth[:, COLUMN["place"]].clamp_min(0)].float()[:, None]  # (n, 1, 2)
    edge = (SIDE / 2 - radius - 1.75).unsqueeze(2)
    single = SIDE / 2 + sides * edge + (u[:, :, :2] - 0.5) * torch.where(sides == 0, 3.0, 1.5)
    quarter = torch.rand(n, 4, generator=generator).argsort(1)[:, :MOST]
    corner = SIDE / 4 * (1 + 2 * torch.stack([quarter // 2, quarter % 2], 2))
    several = corner + (2 * u[:, :, :2] - 1) * (SIDE / 4 - radius).unsqueeze(2)
    centre = torch.where(alone[:, None, None], single, several)
    angle = TURN * (2 * u[:, :, 3] - 1)
    there = torch.arange(MOST) <= truth[:, COLUMN["count"], None]
    found = torch.cat([centre, radius.unsqueeze(2), angle.unsqueeze(2)], 2)
    return torch.where(there.unsqueeze(2), found, torch.nan)


def paint(truth: Tensor, objects: Tensor, *, size: int, generator: torch.Generator) -> Scenes:
    """Paint objects (n, 3, 4), given in units of a 32-pixel picture, onto their backgrounds."""
    scale = checks.counted(size, "size", least=16) / SIDE
    images = torch.empty(len(truth), 3, size, size, dtype=torch.uint8)
    instances = torch.zeros(len(truth), size, size, dtype=torch.uint8)
    for rows in torch.arange(len(truth)).split(BLOCK):
        picture = backgrounds(truth[rows, COLUMN["background"]], size, generator)
        jitter = 0.1 * (torch.rand(len(rows), 3, generator=generator) - 0.5)
        colour = (PALETTE[truth[rows, COLUMN["colour"]]] + jitter).clamp(0, 1)
        for k in range(MOST):
            some = (truth[rows, COLUMN["count"]] >= k).nonzero().squeeze(1)
            f, x, y = placed(truth[rows[some], COLUMN["shape"]], objects[rows[some], k], size)
            shade = (f.neg() + 0.5 / scale).mul(scale).clamp(0, 1)  # the soft edge is one pixel wide at any size
            fill = textured(truth[rows[some], COLUMN["texture"]], x, y)[:, None] * colour[some][:, :, None, None]
            picture[some] = picture[some].lerp(fill, shade[:, None])
            instances[rows[some]] += (f < 0).to(torch.uint8) * (k + 1)
        picture += NOISE * torch.randn(picture.shape, generator=generator)
        images[rows] = picture.clamp(0, 1).mul(255).round().to(torch.uint8)
    pixels = torch.cat([objects[..., :3] * scale, objects[..., 3:]], 2)
    return Scenes(images, instances, truth, pixels)


def placed(shape: Tensor, thing: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return F and the objects' own coordinates at every pixel centre, (m, size, size) each, in units of a 32-pixel picture.

    shape: (m,); thing: (m, 4) of row, column, radius and angle.
    """
    row, column, radius, angle = (z[:, None, None] for z in thing.unbind(1))
    grid = (torch.arange(size) + 0.5) * (SIDE / size)
    down, right = grid[:, None] - row, grid - column
    x, y = angle.cos() * right + angle.sin() * down, angle.cos() * down - angle.sin() * right
    return outline(shape, x, y, radius), x, y


def textured(texture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return how bright each point is: 1, or DARK in stripes or dots; texture: (m,), x, y: (m, h, w) -> (m, h, w)."""
    light = torch.ones_like(x)
    striped, dotted = ((texture == number).nonzero().squeeze(1) for number in (1, 2))
    wave = 2 * math.pi / PERIOD
    light[striped] = (0.5 + 2 * (wave * y[striped]).cos()).clamp(0, 1)
    light[dotted] = (1.5 - 2 * ((wave * x[dotted]).cos() + (wave * y[dotted]).cos())).clamp(0, 1)
    return DARK + (1 - DARK) * light


def backgrounds(kind: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Return a plain grey, grass of random blades, waves, or a board of cells of four, (n, 3, size, size) in [0, 1]."""
    n, grid = len(kind), (torch.arange(size) + 0.5) * (SIDE / size)
    u = torch.rand(4, n, 1, 1, 1, generator=generator)
    tint = torch.tensor([[1.0, 1.0, 1.0], [0.45, 0.8, 0.3], [0.4, 0.65, 0.9], [1.0, 1.0, 1.0]])[kind][:, :, None, None]
    level = (0.4 + 0.2 * u[0]).expand(n, 1, size, size).clone()
    grass, water, board = ((kind == number).nonzero().squeeze(1) for number in (1, 2, 3))
    level[grass] += 0.5 * (torch.rand(len(grass), 1, size, size, generator=generator) - 0.5)
    ripple = (2 * math.pi * (grid[:, None] / (4 + 2 * u[1]) + grid / (12 + 6 * u[2]) + u[3]))[water]
    level[water] += 0.2 * ripple.sin()
    cells = ((grid[:, None] + SIDE * u[1]) // 4 + (grid + SIDE * u[2]) // 4) % 2
    level[board] += 0.3 * (cells[board] - 0.5)
    return level * tint
