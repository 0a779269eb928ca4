"""A rope of balls on springs that hangs from a rail and is pushed: one object a ball, one spring a pair."""

from typing import NamedTuple

import torch
from torch import Tensor

from lib.core import checks
from lib.core.types import Trajectories
from lib.data.dynamics.integrate import asked, finite, parts, uniform

REST = 0.3 * 1.075  # length of a spring between neighbours
LONGEST = 0.001  # time of one step: damping of 300 / s allows twice as much


class Rope(NamedTuple):
    """What a batch of ropes of unit masses is made of; a spring to the ball after next has half the stiffness."""

    stiffness: Tensor  # (B,) of springs between neighbours
    damping: Tensor  # (B,) force over the speed at which a spring lengthens
    gravity: Tensor  # (B,) acceleration upwards: negative
    rail: bool  # whether the first ball only moves sideways


def rope(*, trajectories: int, steps: int, dt: float, seed: int, balls: int = 6) -> Trajectories:
    r"""Return ropes that hang from a ball on a rail, which every dt is hit sideways by an impulse from [-2, 2].

    Stiffness is uniform in [500, 1500], damping a twentieth of it, gravity in [-8, -2]. Each starts as a zigzag below the rail.
    x: (B, steps + 1, balls, 4), position and velocity, sideways and up. controls: (B, steps, 1), impulses.
    truth, each (B,): "stiffness", "damping", "gravity". Source: [li2020learning] for the task.
    """
    asked(trajectories, steps, dt), checks.counted(balls, "balls", least=3)
    generator = torch.Generator().manual_seed(seed)
    stiffness = uniform(trajectories, low=500, high=1500, generator=generator)
    made = Rope(stiffness, stiffness / 20, uniform(trajectories, low=-8, high=-2, generator=generator), rail=True)
    lean = uniform(trajectories, balls - 1, low=-0.6, high=0.6, generator=generator)
    links = REST * torch.stack([lean.sin(), -lean.cos()], 2)  # (B, balls - 1, 2)
    x = torch.cat([torch.zeros(trajectories, 1, 2, dtype=torch.float64), links.cumsum(1)], 1)
    pushes = uniform(trajectories, steps, 1, low=-2, high=2, generator=generator)
    out = swing(made, x, torch.zeros_like(x), pushes, dt=dt)
    truth = {"stiffness": made.stiffness, "damping": made.damping, "gravity": made.gravity}
    return Trajectories(out, dt, truth, pushes)


def swing(made: Rope, x: Tensor, v: Tensor, pushes: Tensor, *, dt: float) -> Tensor:
    r"""Return positions and velocities (B, T + 1, N, 4) from x, v (B, N, 2), the first ball hit by pushes (B, T, 1).

    Velocity Verlet in steps of at most 1 ms, half a kick, a drift, half a kick, of second order, and symplectic where nothing
    damps. The last kick's damping should be at the velocity after it; one iteration guesses that well enough for the order.
    Errors: a solution that grows without bound.
    """
    inner, out = parts(dt, LONGEST), [torch.cat([x, v], 2)]
    h = dt / inner
    for t in range(pushes.shape[1]):
        v = v.clone()
        v[:, 0, :1] += pushes[:, t]
        a = acceleration(made, x, v)
        for _ in range(inner):
            half = v + h / 2 * a
            x = x + h * half
            a = acceleration(made, x, half + h / 2 * acceleration(made, x, half))
            v = half + h / 2 * a
        out.append(torch.cat([x, v], 2))
    return finite(torch.stack(out, 1), dt)


def acceleration(made: Rope, x: Tensor, v: Tensor) -> Tensor:
    """Return the accelerations (B, N, 2) of unit masses: gravity, springs to both neighbours and to those after them."""
    a = torch.zeros_like(x)
    a[..., 1] = made.gravity[:, None]
    for hop, share in ((1, 1.0), (2, 0.5)):
        apart, drift = x[:, hop:] - x[:, :-hop], v[:, hop:] - v[:, :-hop]
        length = apart.norm(dim=2, keepdim=True)
        along = apart / length
        stretch = share * made.stiffness[:, None, None] * (length - hop * REST)
        drag = share * made.damping[:, None, None] * (drift * along).sum(2, keepdim=True)
        pull = (stretch + drag) * along
        a[:, :-hop] += pull
        a[:, hop:] -= pull
    if made.rail:
        a[:, 0, 1] = 0
    return a
