"""Oscillators with friction or a limit cycle, whose local spectra are roots of small polynomials."""

import math

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from lib.core.types import Trajectories
from lib.data.dynamics.integrate import Field, asked, rk4, rk4_step, uniform

LONGEST = 0.01  # time of one Runge-Kutta step


def duffing(*, trajectories: int, steps: int, dt: float, seed: int, damping: float = 0.5) -> Trajectories:
    r"""Return q'' = q - q^3 - damping q', two wells; starts in [-2, 2]^2. x: (B, steps + 1, 2), q and q'.

    truth: "at_wells" and "at_saddle", eigenvalues (2,) of the Jacobian at q = +-1 and q = 0, in 1 / time; "basin" (B,), the
    sign of the well where each one ends, which no trajectory ever changes. Source: [williams2015data].
    Errors: damping < 0.01, with which it takes too long to see where a trajectory ends.
    """
    asked(trajectories, steps, dt)
    if not damping >= 0.01:
        raise ValueError(
            f"damping must be at least 0.01, got {damping}; with less no trajectory settles in a well in good time"
        )
    start = uniform(trajectories, 2, low=-2, high=2, generator=torch.Generator().manual_seed(seed))

    def field(x: Tensor) -> Tensor:
        q, v = x.unbind(-1)
        return torch.stack([v, q - q**3 - damping * v], -1)

    x = rk4(field, start, steps=steps, dt=dt, longest=LONGEST)
    truth = {"at_wells": roots(1, damping, 2), "at_saddle": roots(1, damping, -1), "basin": basin(field, x[:, -1])}
    return Trajectories(x, dt, truth)


def roots(*coefficients: float) -> Tensor:
    """Return the complex roots of a polynomial, highest power first."""
    return torch.from_numpy(np.roots(coefficients).astype(complex))


def basin(field: Field, x: Tensor) -> Tensor:
    """Return the sign (B,) of the well in which states end: once below the saddle's energy, 0, none can leave its well."""
    while (x[:, 1] ** 2 / 2 - x[:, 0] ** 2 / 2 + x[:, 0] ** 4 / 4 >= 0).any():
        x = rk4_step(field, x, LONGEST)
    return x[:, 0].sign()


def van_der_pol(*, trajectories: int, steps: int, dt: float, seed: int, mu: float = 1.0) -> Trajectories:
    r"""Return q'' = mu (1 - q^2) q' - q, which one limit cycle attracts; starts in [-3, 3]^2. x: (B, steps + 1, 2), q and q'.

    truth: "period" and "floquet", the rate (1 / time) at which distances from the cycle shrink; with them the eigenvalues near
    the cycle are the lattice e^((2 pi i k / period + floquet j) dt), of which "spectrum" holds k = 0, 1, -1, j = 0 and k = 0,
    j = 1. Errors: mu outside (0, 5], as the steps of the integrator would be too long beyond.
    """
    asked(trajectories, steps, dt)
    if not 0 < mu <= 5:
        raise ValueError(f"mu must lie in (0, 5], got {mu}; at 0 every orbit is closed, above 5 the cycle is stiff")
    start = uniform(trajectories, 2, low=-3, high=3, generator=torch.Generator().manual_seed(seed))

    def field(x: Tensor) -> Tensor:
        q, v = x.unbind(-1)
        return torch.stack([v, mu * (1 - q**2) * v - q], -1)

    period, floquet = limit_cycle(mu)
    turn = torch.tensor([0, 2j * math.pi / period, -2j * math.pi / period, floquet], dtype=torch.complex128)
    truth = {"period": period, "floquet": floquet, "spectrum": (turn * dt).exp()}
    return Trajectories(rk4(field, start, steps=steps, dt=dt, longest=LONGEST), dt, truth)


def limit_cycle(mu: float) -> tuple[float, float]:
    r"""Return period and Floquet exponent of van der Pol's limit cycle, to about ten digits.

    The cycle is where an orbit is after ten turns; the exponent is the mean of the divergence mu (1 - q^2) along one turn
    (Liouville's formula), as the other exponent is zero.
    """

    def field(t: float, x: np.ndarray) -> list[float]:
        slope = mu * (1 - x[0] ** 2)
        return [x[1], slope * x[1] - x[0], slope]

    def upwards(t: float, x: np.ndarray) -> float:
        return x[0]

    upwards.direction = 1
    solved = solve_ivp(field, (0, 14 * (7 + 2 * mu)), [2.0, 0.0, 0.0], events=upwards, rtol=1e-12, atol=1e-12, method="DOP853")
    (before, after), (left, right) = solved.t_events[0][-2:], solved.y_events[0][-2:, 2]
    return float(after - before), float((right - left) / (after - before))


def mean_field(*, trajectories: int, steps: int, dt: float, seed: int, mu: float = 0.1) -> Trajectories:
    r"""Return x' = mu x - y - mu x z, y' = x + mu y - mu y z, z' = -10 (z - x^2 - y^2).

    A model of a cylinder's wake in three numbers. The limit cycle is the unit circle at z = 1, turned once in 2 pi.
    Starts: x, y in [-1, 1], z in [0, 2]. x: (B, steps + 1, 3). truth: "radius" 1, "period" 2 pi, "floquet", the roots (2,)
    of s^2 + 10 s + 20 mu, and "spectrum" e^(s dt) of 0, +-i and these. Errors: mu <= 0, where there is no cycle.
    Source: [noack2003hierarchy], [lusch2018deep].
    """
    asked(trajectories, steps, dt)
    if not mu > 0:
        raise ValueError(f"mu must be > 0, got {mu}; below it the wake is steady and has no cycle")
    start = uniform(trajectories, 3, low=-1, high=1, generator=torch.Generator().manual_seed(seed))
    start[:, 2] += 1

    def field(state: Tensor) -> Tensor:
        x, y, z = state.unbind(-1)
        growth = mu * (1 - z)
        return torch.stack([growth * x - y, x + growth * y, -10 * (z - x**2 - y**2)], -1)

    floquet = roots(1, 10, 20 * mu)
    rates = torch.cat([torch.tensor([0, 1j, -1j], dtype=torch.complex128), floquet])
    truth = {"radius": 1.0, "period": 2 * math.pi, "floquet": floquet, "spectrum": (rates * dt).exp()}
    return Trajectories(rk4(field, start, steps=steps, dt=dt, longest=LONGEST), dt, truth)
