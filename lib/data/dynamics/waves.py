"""Waves on a periodic line, by Fourier modes and exponential Runge-Kutta steps."""

import math

import torch
from torch import Tensor

from lib.core import checks
from lib.core.types import Trajectories
from lib.data.dynamics.integrate import Field, asked, etdrk4, finite, parts, uniform

LONGEST = {"kuramoto_sivashinsky": 0.05, "burgers": 0.002}  # time of one step


def transport(points: int, length: float) -> Field:
    r"""Return v -> the Fourier coefficients of -u u_x = -(u^2)_x / 2, aliases cut by the two-thirds rule."""
    k = 2 * math.pi / length * torch.arange(points // 2 + 1, dtype=torch.float64)
    kept = torch.arange(points // 2 + 1) < points / 3
    slope = -0.5j * k * kept

    def nonlinear(v: Tensor) -> Tensor:
        return slope * torch.fft.rfft(torch.fft.irfft(v * kept, n=points).square())

    return nonlinear


def evolved(step: Field, u: Tensor, *, steps: int, inner: int, dt: float) -> Tensor:
    """Return snapshots (B, steps + 1, points) of a step in Fourier space, `inner` steps apart."""
    v, out = torch.fft.rfft(u), [u]
    for _ in range(steps):
        for _ in range(inner):
            v = step(v)
        out.append(torch.fft.irfft(v, n=u.shape[-1]))
    return finite(torch.stack(out, 1), dt)


def kuramoto_sivashinsky(
    *, trajectories: int, steps: int, dt: float, seed: int, length: float = 22.0, points: int = 64
) -> Trajectories:
    r"""Return u_t = -u u_x - u_xx - u_xxxx on a periodic line, chaotic, after 100 units of time from low random modes.

    x: (B, steps + 1, points). The mean of u is conserved, and is 0. truth: "mean"; at length 22 also, in nats per unit of time,
    "lyapunov" 0.0446 +- 0.0026, and "kaplan_yorke" 5.2 and "rms" 1.18, as computed with this method.
    Errors: fewer than 1.5 points a unit of length, which alias what grows. Source: [kassam2005fourth], [edson2019lyapunov].
    """
    asked(trajectories, steps, dt), checks.positive(length, "length"), checks.counted(points, "points", least=8)
    if points < 1.5 * length:
        raise ValueError(f"{points} points do not resolve a length of {length}; give at least {math.ceil(1.5 * length)}")
    generator = torch.Generator().manual_seed(seed)
    modes = torch.zeros(trajectories, points // 2 + 1, dtype=torch.complex128)
    modes[:, 1:4] = points / 4 * torch.randn(trajectories, 3, generator=generator, dtype=torch.complex128)
    start = torch.fft.irfft(modes, n=points)
    longest = LONGEST["kuramoto_sivashinsky"]
    settled = evolved(ks_step(length, points, longest), start, steps=1, inner=round(100 / longest), dt=dt)[:, -1]
    inner = parts(dt, longest)
    x = evolved(ks_step(length, points, dt / inner), settled, steps=steps, inner=inner, dt=dt)
    known = {"lyapunov": 0.0446, "kaplan_yorke": 5.2, "rms": 1.18} if length == 22 else {}
    return Trajectories(x, dt, {"mean": 0.0} | known)


def ks_step(length: float, points: int, h: float) -> Field:
    """Return one step h of Kuramoto and Sivashinsky's equation for Fourier coefficients (..., points // 2 + 1)."""
    k = 2 * math.pi / length * torch.arange(points // 2 + 1, dtype=torch.float64)
    return etdrk4(k**2 - k**4, transport(points, length), h)


def burgers(*, trajectories: int, steps: int, dt: float, seed: int, viscosity: float = 0.02, points: int = 128) -> Trajectories:
    r"""Return u_t = -u u_x + viscosity u_xx on [0, 2), from states of the family of `burgers_exact`.

    x: (B, steps + 1, points). truth: "steepness" (B,) uniform in [1.05, 2], "shift" (B,), with which `burgers_exact` gives u;
    "rates" -viscosity (pi n)^2, n = 0..4, of the heat equation beneath, and "spectrum" e^(rate dt) of its amplitudes.
    Source: [hopf1950partial], [cole1951quasi].
    """
    asked(trajectories, steps, dt), checks.positive(viscosity, "viscosity"), checks.counted(points, "points", least=8)
    generator = torch.Generator().manual_seed(seed)
    steepness = uniform(trajectories, low=1.05, high=2, generator=generator)
    shift = uniform(trajectories, low=0, high=2, generator=generator)
    start = burgers_exact(0.0, points, viscosity=viscosity, steepness=steepness, shift=shift)
    inner = parts(dt, LONGEST["burgers"])
    k = math.pi * torch.arange(points // 2 + 1, dtype=torch.float64)
    step = etdrk4(-viscosity * k**2, transport(points, 2.0), dt / inner)
    rates = -viscosity * (math.pi * torch.arange(5, dtype=torch.float64)) ** 2
    truth = {"steepness": steepness, "shift": shift, "rates": rates, "spectrum": (rates * dt).exp().to(torch.complex128)}
    return Trajectories(evolved(step, start, steps=steps, inner=inner, dt=dt), dt, truth)


def burgers_exact(t: float, points: int, *, viscosity: float, steepness: Tensor, shift: Tensor) -> Tensor:
    r"""Return Burgers' exact solution (B, points) at time t on [0, 2): u = -2 viscosity (log heat)_x.

    heat = a + e^(-pi^2 viscosity t) cos(pi (x - shift)), a = steepness (B,) > 1, which solves the heat equation.
    Errors: steepness <= 1, where the heat has a zero and u a pole. Source: [hopf1950partial], [cole1951quasi].
    """
    if not (steepness > 1).all():
        raise ValueError(f"steepness must be > 1, got {float(steepness.min())}; at 1 the solution has a pole")
    x = math.pi * (2 / points * torch.arange(points, dtype=torch.float64) - shift[:, None])
    wave = math.exp(-(math.pi**2) * viscosity * t)
    return 2 * viscosity * math.pi * wave * x.sin() / (steepness[:, None] + wave * x.cos())
