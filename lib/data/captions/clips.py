"""Clips: one object that crosses the picture, frame by frame, before a background that stands still."""

from typing import NamedTuple

import torch
from torch import Tensor

from lib.core import checks
from lib.data.captions.attributes import COLUMN, NOWHERE, draw, stream
from lib.data.captions.scenes import SIDE, layout, paint

MOVES = ("left", "right", "up", "down")
STEPS = torch.tensor([[0, -1], [0, 1], [-1, 0], [1, 0]])  # down and right, for each move


class Clips(NamedTuple):
    """Frames and all that is known of them."""

    images: Tensor  # (n, frames, 3, size, size) uint8
    instances: Tensor  # (n, frames, size, size) uint8: 1 where the object shows, 0 elsewhere
    truth: Tensor  # (n, 7) int64 in the order of ATTRIBUTES; count is one, and the place -1, as it changes
    move: Tensor  # (n,) int64, a number of MOVES
    objects: Tensor  # (n, frames, 4) float32: row, column, radius (pixels), angle (radians)


def clips(n: int, *, frames: int = 8, rho: float = 0.0, part: str = "seen", size: int = 32, seed: int) -> Clips:
    """Film n scenes of one object that goes from one side of the picture to the other at constant speed.

    Each direction is as likely; across it, the object stays where it is. Noise stands still like the background, so between
    frames nothing changes but the object. See `attributes.draw` for rho and part.
    """
    checks.counted(frames, "frames", least=2)
    generator = stream(seed, "moves")
    truth = draw(n, rho=rho, part=part, seed=seed)
    truth[:, COLUMN["count"]], truth[:, COLUMN["place"]] = 0, len(STEPS)  # laid out in the middle, from which it is moved
    things, move = layout(truth, generator), torch.randint(len(MOVES), (n,), generator=generator)
    reach = SIDE / 2 - things[:, :1, 2] - 1.75  # (n, 1)
    truth[:, COLUMN["place"]] = NOWHERE
    along = torch.linspace(-1, 1, frames)
    step = STEPS[move].float()
    start = torch.where(step == 0, things[:, 0, :2], SIDE / 2)  # (n, 2)
    films = []
    for position in along:
        moved = things.clone()
        moved[:, 0, :2] = start + position * reach * step
        films.append(paint(truth, moved, size=size, generator=stream(seed, "pictures")))
    images, instances, objects = (
        torch.stack([getattr(film, name) for film in films], 1) for name in ("images", "instances", "objects")
    )
    return Clips(images, instances, truth, move, objects[:, :, 0])
