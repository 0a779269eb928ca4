"""The frictionless pendulum by elliptic functions: as states, in many dimensions, and as pictures."""

import math

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.special import ellipj, ellipk
from torch import Tensor

from lib.core import checks
from lib.core.types import Trajectories
from lib.data.dynamics.integrate import asked, uniform

GRAVITY = 9.81  # over a length of 1 m
SIDE, ARM, WIDTH = 48, 22, 4  # pixels


def pendulum(
    *, trajectories: int, steps: int, dt: float, seed: int, amplitudes: tuple[float, float] = (0.8, 0.8)
) -> Trajectories:
    r"""Return angle and angular velocity of q'' = -9.81 sin q, exact at any dt, from random phases.

    q = 2 arcsin(k sn(w t + phase, k^2)), k = sin(amplitude / 2), w = sqrt(9.81); amplitudes are uniform between their limits,
    in radians, in (0, pi). x: (B, steps + 1, 2). truth, each (B,): "amplitude", "period" = 4 K(k^2) / w, "angle" of one step
    = 2 pi dt / period, "energy" = q'^2 / 2 - 9.81 cos q. With one amplitude also
    "spectrum" e^(+-i angle), the fundamental pair.
    Errors: amplitudes outside (0, pi). Source: [whittaker1937treatise].
    """
    asked(trajectories, steps, dt)
    low, high = amplitudes
    if not 0 < low <= high < math.pi:
        raise ValueError(f"amplitudes must lie in (0, pi) and be in order, got {tuple(amplitudes)}; at pi it never swings back")
    generator = torch.Generator().manual_seed(seed)
    amplitude = uniform(trajectories, low=low, high=high, generator=generator)
    k, w = (amplitude / 2).sin(), math.sqrt(GRAVITY)
    quarter = torch.from_numpy(ellipk(k.numpy() ** 2))
    phase = 4 * quarter * uniform(trajectories, low=0, high=1, generator=generator)
    time = dt * torch.arange(steps + 1, dtype=torch.float64)
    sn, cn, _, _ = ellipj((w * time + phase[:, None]).numpy(), k[:, None].numpy() ** 2)
    x = torch.stack([2 * (k[:, None] * torch.from_numpy(sn)).asin(), 2 * w * k[:, None] * torch.from_numpy(cn)], 2)
    period = 4 * quarter / w
    truth = {"amplitude": amplitude, "period": period, "angle": 2 * math.pi * dt / period}
    truth["energy"] = -GRAVITY * amplitude.cos()
    if low == high:
        turn = torch.exp(1j * truth["angle"][0])
        truth["spectrum"] = torch.stack([turn, turn.conj()])
    return Trajectories(x, dt, truth)


def pendulum_embedded(
    *,
    trajectories: int,
    steps: int,
    dt: float,
    seed: int,
    amplitudes: tuple[float, float] = (0.8, 0.8),
    columns: int = 64,
) -> Trajectories:
    """Return the pendulum's states in a random plane of many dimensions: x (B, steps + 1, columns) = states @ "frame".

    truth as of `pendulum`, and "frame" (2, columns) of orthonormal rows. Source: [azencot2020forecasting].
    """
    checks.counted(columns, "columns", least=2)
    flat = pendulum(trajectories=trajectories, steps=steps, dt=dt, seed=seed, amplitudes=amplitudes)
    draws = torch.randn(columns, 2, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    frame = torch.linalg.qr(draws).Q.T.contiguous()
    return flat._replace(x=flat.x @ frame, truth=flat.truth | {"frame": frame})


def pendulum_pixels(
    *, trajectories: int, steps: int, dt: float, seed: int, amplitudes: tuple[float, float] = (0.3, 2.4)
) -> Trajectories:
    """Return pictures of the pendulum, 48 x 48 in [0, 1], the frame before and the frame now as two channels.

    One frame shows no velocity; two do. x: (B, steps + 1, 2, 48, 48). truth as of `pendulum`, and "states" (B, steps + 1, 2).
    Source: [watter2015embed] for the task.
    """
    asked(trajectories, steps, dt)
    flat = pendulum(trajectories=trajectories, steps=steps + 1, dt=dt, seed=seed, amplitudes=amplitudes)
    drawn = torch.stack([torch.stack([picture(float(q)) for q in path]) for path in flat.x[..., 0]])
    x = torch.stack([drawn[:, :-1], drawn[:, 1:]], 2)
    return flat._replace(x=x, truth=flat.truth | {"states": flat.x[:, 1:]})


def picture(angle: float) -> Tensor:
    """Return one frame (48, 48) in [0, 1]: an arm of 22 pixels from the middle, straight down at angle 0.

    Drawn four times as large and shrunk, so that a small change of the angle is a small change of the picture.
    """
    scale, middle = 4, SIDE * 2
    image = Image.new("L", (SIDE * scale, SIDE * scale))
    end = (middle + scale * ARM * math.sin(angle), middle + scale * ARM * math.cos(angle))
    ImageDraw.Draw(image).line([(middle, middle), end], fill=255, width=WIDTH * scale)
    small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(small, dtype=np.float64) / 255)
