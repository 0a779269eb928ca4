"""Dams that break: the shallow-water equations by a shock-capturing scheme of second order, and Stoker's exact solution."""

import math

import torch
from scipy.optimize import brentq
from torch import Tensor

from lib.core import checks
from lib.core.types import Trajectories
from lib.data.dynamics.integrate import asked, finite, uniform

GRAVITY = 9.81
COURANT = 0.4  # share of a cell that the fastest wave may cross in one step
SIDE = 10.0  # of the line and of the square


def dam_break(*, trajectories: int, steps: int, dt: float, seed: int, points: int = 200) -> Trajectories:
    r"""Return water on a line of length 10 between walls after a dam in its middle is gone: h_t + (h u)_x = 0 and
    (h u)_t + (h u^2 + g h^2 / 2)_x = 0, g = 9.81.

    Depths are uniform in [0.8, 1.2] on the left and in [0.1, 0.4] on the right. x: (B, steps + 1, 2, points), depth h and
    velocity u, means over cells. truth, each (B,): "left", "right", of Stoker's solution "middle" depth, "velocity" there and
    "shock" speed, until a wave meets a wall; "volume", conserved. Source: [stoker1957water], [toro2001shock].
    """
    asked(trajectories, steps, dt), checks.counted(points, "points", least=4)
    generator = torch.Generator().manual_seed(seed)
    left = uniform(trajectories, low=0.8, high=1.2, generator=generator)
    right = uniform(trajectories, low=0.1, high=0.4, generator=generator)
    h = torch.where(torch.arange(points) < points // 2, left[:, None], right[:, None])
    q = torch.stack([h, torch.zeros_like(h)], 1)[..., None, :]  # (B, 2, 1, points)
    x = evolved(q, steps=steps, dt=dt, cell=SIDE / points)[..., 0, :]
    behind = torch.tensor([middle(a, b) for a, b in zip(left.tolist(), right.tolist(), strict=True)], dtype=torch.float64)
    truth = {"left": left, "right": right, "middle": behind[:, 0], "velocity": behind[:, 1], "shock": behind[:, 2]}
    return Trajectories(x, dt, truth | {"volume": h.sum(1) * SIDE / points})


def dam_break_square(*, trajectories: int, steps: int, dt: float, seed: int, points: int = 64) -> Trajectories:
    r"""Return water in a square basin of side 10 after a round dam is gone, its centre, radius and depth drawn.

    Depth is 0.3 outside and uniform in [0.8, 1.2] inside a radius in [1, 2], at least 3 from each wall.
    x: (B, steps + 1, 3, points, points), depth and velocities along the last axis and the one before; truth: "volume" (B,),
    conserved, "inside", "radius" (B,) and "centre" (B, 2). This is water over a flat floor; data sets of flow over a step
    also go by the name of dam. Source: [toro2001shock].
    """
    asked(trajectories, steps, dt), checks.counted(points, "points", least=4)
    generator = torch.Generator().manual_seed(seed)
    inside = uniform(trajectories, low=0.8, high=1.2, generator=generator)
    radius = uniform(trajectories, low=1, high=2, generator=generator)
    centre = uniform(trajectories, 2, low=3, high=SIDE - 3, generator=generator)
    at = (torch.arange(points, dtype=torch.float64) + 0.5) * SIDE / points
    across = (at[None, None, :] - centre[:, 0, None, None]) ** 2 + (at[None, :, None] - centre[:, 1, None, None]) ** 2
    h = torch.where(across < radius[:, None, None] ** 2, inside[:, None, None], 0.3)
    q = torch.stack([h, torch.zeros_like(h), torch.zeros_like(h)], 1)
    truth = {"volume": h.sum((1, 2)) * (SIDE / points) ** 2, "inside": inside, "radius": radius, "centre": centre}
    return Trajectories(evolved(q, steps=steps, dt=dt, cell=SIDE / points), dt, truth)


def evolved(q: Tensor, *, steps: int, dt: float, cell: float) -> Tensor:
    """Return depth and velocities (B, steps + 1, channels, Y, X) from depth and discharges q, in the largest steps allowed.

    Second order in time by Heun's method, which keeps what is non-negative so (strong stability).
    """
    out = [q]
    for _ in range(steps):
        left = dt
        while left > 1e-12 * dt:
            fastest = (q[:, 1:].abs().amax(1) / q[:, 0] + (GRAVITY * q[:, 0]).sqrt()).max().item()
            h = min(left, COURANT * cell / fastest)
            once = q + h * rates(q, cell)
            q, left = (q + once + h * rates(once, cell)) / 2, left - h
        out.append(q)
    whole = finite(torch.stack(out, 1), dt)
    return torch.cat([whole[:, :, :1], whole[:, :, 1:] / whole[:, :, :1]], 2)


def rates(q: Tensor, cell: float) -> Tensor:
    """Return the time derivative of q (B, 2, 1, X) on a line or (B, 3, Y, X) in a plane, walls all around."""
    along = differences(q) / cell
    if q.shape[1] == 2:
        return along
    turned = differences(q[:, [0, 2, 1]].transpose(2, 3)).transpose(2, 3)[:, [0, 2, 1]]
    return along + turned / cell


def differences(q: Tensor) -> Tensor:
    """Return what flows in less what flows out of each cell along the last axis; channel 1 is the discharge along it.

    Slopes by minmod, fluxes by Harten, Lax and van Leer; a wall is a mirror that turns the discharge back.
    """
    mirror = torch.ones(q.shape[1], 1, 1, dtype=q.dtype)
    mirror[1] = -1
    padded = torch.cat([q[..., :2].flip(-1) * mirror, q, q[..., -2:].flip(-1) * mirror], -1)
    step = padded.diff(dim=-1)
    before, after = step[..., :-1], step[..., 1:]
    slope = torch.where(before * after > 0, before.sign() * torch.minimum(before.abs(), after.abs()), 0.0) / 2
    inner = padded[..., 1:-1]
    flow = hll((inner + slope)[..., :-1], (inner - slope)[..., 1:])
    return flow[..., :-1] - flow[..., 1:]


def hll(left: Tensor, right: Tensor) -> Tensor:
    """Return the flux between two states by two waves that bound all others. Source: [toro2001shock]."""
    slow = torch.minimum(velocity(left) - celerity(left), velocity(right) - celerity(right))[:, None].clamp(max=0)
    fast = torch.maximum(velocity(left) + celerity(left), velocity(right) + celerity(right))[:, None].clamp(min=0)
    return (fast * flux(left) - slow * flux(right) + fast * slow * (right - left)) / (fast - slow)


def velocity(q: Tensor) -> Tensor:
    """Return the velocity along the axis."""
    return q[:, 1] / q[:, 0]


def celerity(q: Tensor) -> Tensor:
    """Return the speed of small waves, sqrt(g h)."""
    return (GRAVITY * q[:, 0]).sqrt()


def flux(q: Tensor) -> Tensor:
    """Return what q carries along the axis: (h u, h u^2 + g h^2 / 2, h u v)."""
    carried = q * velocity(q)[:, None]
    carried[:, 1] += GRAVITY / 2 * q[:, 0] ** 2
    return carried


def middle(left: float, right: float) -> tuple[float, float, float]:
    r"""Return depth and velocity between the waves of a broken dam, and the shock's speed; depths left > right > 0.

    A rarefaction, u = 2 (sqrt(g left) - sqrt(g h)), meets a shock, u = (h - right) sqrt(g (h + right) / (2 h right)).
    Errors: depths out of order. Source: [stoker1957water].
    """
    if not left > right > 0:
        raise ValueError(f"depths must be left > right > 0, got {left} and {right}; mirror the dam, or wet the dry bed")

    def gap(h: float) -> float:
        return (h - right) * math.sqrt(GRAVITY * (h + right) / (2 * h * right)) - 2 * (
            math.sqrt(GRAVITY * left) - math.sqrt(GRAVITY * h)
        )

    h = brentq(gap, right, left, xtol=1e-14)
    u = 2 * (math.sqrt(GRAVITY * left) - math.sqrt(GRAVITY * h))
    return h, u, h * u / (h - right)


def stoker(x: Tensor, t: float, *, left: float, right: float) -> tuple[Tensor, Tensor]:
    r"""Return Stoker's exact depth and velocity, each as x, at time t > 0 after a dam at x = 0 is gone.

    From the left: still water, a rarefaction in which 3 sqrt(g h) = 2 sqrt(g left) - x / t, the middle state, a shock, still
    water. Errors: depths out of order; t <= 0. Source: [stoker1957water].
    """
    checks.positive(t, "t")
    h, u, shock = middle(left, right)
    c, slope = math.sqrt(GRAVITY * left), x / t
    fan = (2 * c - slope) / 3
    in_fan, between = (slope > -c) & (slope < u - math.sqrt(GRAVITY * h)), slope >= u - math.sqrt(GRAVITY * h)
    ahead = slope > shock
    depth = torch.where(in_fan, fan**2 / GRAVITY, torch.where(between, h, left))
    speed = torch.where(in_fan, 2 * (c - fan), torch.where(between, u, 0.0))
    return torch.where(ahead, right, depth), torch.where(ahead, 0.0, speed)
