"""Steps in time that many systems share: Runge-Kutta for states, exponential Runge-Kutta for waves, compiled loops."""

import math
from collections.abc import Callable

import numba
import torch
from torch import Tensor

from lib.core import checks

Field = Callable[[Tensor], Tensor]


def compiled(f: Callable) -> Callable:
    """Compile a function of arrays; keep its code on disk unless no folder may be written."""
    options = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    try:
        return numba.njit(f, cache=True, **options)
    except RuntimeError:
        return numba.njit(f, **options)


def asked(trajectories: int, steps: int, dt: float) -> None:
    """Refuse fewer than one trajectory or step, and a time between snapshots that is not positive."""
    checks.counted(trajectories, "trajectories"), checks.counted(steps, "steps"), checks.positive(dt, "dt")


def uniform(*shape: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Return float64 draws from [low, high). Errors: limits in the wrong order."""
    if not low <= high:
        raise ValueError(f"limits must be in order, got ({low}, {high}); give the lower one first")
    return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)


def parts(dt: float, longest: float) -> int:
    """Return into how many equal steps, none longer than `longest`, a time splits."""
    return max(1, math.ceil(dt / longest - 1e-9))


def finite(x: Tensor, dt: float) -> Tensor:
    """Refuse a solution that has left the numbers."""
    if not torch.isfinite(x).all():
        raise ValueError(f"the solution grew without bound at dt = {dt}; give a smaller dt, or a start nearer the attractor")
    return x


def rk4_step(field: Field, x: Tensor, h: float) -> Tensor:
    """Return x after one step h of the classical Runge-Kutta method of order 4, x' = field(x); any shape."""
    a = field(x)
    b = field(x + h / 2 * a)
    c = field(x + h / 2 * b)
    return x + h / 6 * (a + 2 * (b + c) + field(x + h * c))


def rk4(field: Field, x0: Tensor, *, steps: int, dt: float, longest: float) -> Tensor:
    """Return snapshots (B, steps + 1, ...) of x' = field(x) from x0 (B, ...), each dt in equal steps of at most `longest`.

    The error over a fixed time falls as the fourth power of the step. Errors: a solution that grows without bound.
    """
    asked(len(x0), steps, dt)
    inner, out = parts(dt, longest), [x0]
    for _ in range(steps):
        x = out[-1]
        for _ in range(inner):
            x = rk4_step(field, x, dt / inner)
        out.append(x)
    return finite(torch.stack(out, 1), dt)


def etdrk4(linear: Tensor, nonlinear: Field, h: float) -> Field:
    r"""Return one step h of v' = linear v + nonlinear(v) for Fourier coefficients v (..., modes), exact in its linear part.

    The weights are phi functions of h linear, (e^z - 1) / z and kin, which lose all digits near z = 0; each is a mean over 32
    points of a circle about its z, eqs. (2.5) and (2.6). linear: (modes,) real. Order 4. Source: [kassam2005fourth].
    """
    turns = torch.exp(1j * math.pi * (torch.arange(1, 33, dtype=torch.float64) - 0.5) / 32)
    z = h * linear[:, None] + turns  # (modes, 32), the upper half of a circle: the lower half is its conjugate
    half = h * (((z / 2).exp() - 1) / z).mean(1).real
    first = h * ((-4 - z + z.exp() * (4 - 3 * z + z**2)) / z**3).mean(1).real
    middle = h * ((2 + z + z.exp() * (z - 2)) / z**3).mean(1).real
    last = h * ((-4 - 3 * z - z**2 + z.exp() * (4 - z)) / z**3).mean(1).real
    whole, root = (h * linear).exp(), (h * linear / 2).exp()

    def step(v: Tensor) -> Tensor:
        here = nonlinear(v)
        a = root * v + half * here
        at_a = nonlinear(a)
        at_b = nonlinear(root * v + half * at_a)
        at_c = nonlinear(root * a + half * (2 * at_b - here))
        return whole * v + first * here + 2 * middle * (at_a + at_b) + last * at_c

    return step
