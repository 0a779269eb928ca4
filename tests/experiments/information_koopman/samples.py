"""A wave that travels along a square, and a small budget to learn it with."""

import math

import torch

from lib.core.types import Trajectories
from lib.experiments.information_koopman import flows as fields

TURN = 0.37  # angle of one step
SMALL = fields.Budget(epochs=1, batch=4, code=4, channels=(3, 4), rank=2, windows=8)


def waves(trajectories=4, frames=30, side=16):
    """A plane wave that travels along a square, each trajectory from a phase of its own, in two channels."""
    at, t = torch.arange(side).double() * 2 * math.pi / side, torch.arange(frames).double()
    phase = torch.arange(trajectories).double()
    angle = (at + TURN * t[:, None])[None] + phase[:, None, None]  # (B, T, side)
    x = torch.stack([angle.cos(), (angle + 1).cos()], 2)[:, :, :, None].expand(-1, -1, -1, side, -1)
    return Trajectories(x, 1.0, {"angle": torch.full((trajectories,), TURN, dtype=torch.float64)})
