"""The wake of a cylinder in a channel, by a lattice Boltzmann method: its vortices come off at a rhythm that is known."""

import math

import numpy as np
import torch
from torch import Tensor

from lib.core import checks
from lib.core.types import Trajectories
from lib.data.dynamics.integrate import asked, uniform
from lib.data.dynamics.lattice import Channel, march, still

LENGTH, HEIGHT, CENTRE = 22.0, 4.1, 2.0  # of the channel, and the cylinder's middle from inlet and floor, in diameters
FASTEST = 0.07  # mean inflow in cells a step: the sound travels at 0.577
SHORTEST = 0.002  # time between snapshots: one step of an inflow of 0.02 cells
RAMP, SETTLE = 30.0, 100.0  # times, in diameters over mean inflow, of the start and until shedding is regular
VIEW = (1.0, 9.2)  # the part of the channel that is returned, in diameters from the inlet
PROBE = (5.0, 2.0)  # where the cross-flow is recorded


def wake(
    *, trajectories: int, steps: int, dt: float, seed: int, reynolds: tuple[float, float] = (100.0, 100.0), size: int = 64
) -> Trajectories:
    r"""Return the flow behind a cylinder in a channel of 22 x 4.1 diameters, from a random moment of its regular shedding.

    D2Q9 lattice with regularised collisions, ten cells a diameter, a parabolic inflow of mean U; Reynolds numbers U D / nu are
    drawn from `reynolds`. Times are in D / U, velocities in U. x: (B, steps + 1, 2, size, size) float64 of float32 sums:
    velocity along (channel 0) and across, rows across and columns along, on 8.2 x 4.1 diameters about the cylinder and behind.
    truth, each (B,): "reynolds", "strouhal" = D / (U period) as counted in this run, 0 where nothing is shed, "angle"
    = 2 pi strouhal dt of one step; at Re 100 benchmarks put it in [0.295, 0.305]. Forces are not to be had from this lattice.
    Errors: Reynolds numbers out of order or outside (0, 250], above which ten cells are too few; dt < 0.002.
    Source: [schafer1996benchmark], [latt2006lattice].
    """
    asked(trajectories, steps, dt), checks.counted(size, "size", least=2)
    if not 0 < reynolds[0] <= reynolds[1] <= 250:
        raise ValueError(f"reynolds must be in order and lie in (0, 250], got {tuple(reynolds)}; the lattice resolves no more")
    if dt < SHORTEST:
        raise ValueError(
            f"dt must be at least {SHORTEST} for the wake, got {dt}; less would be many steps of a lattice too slow"
        )
    generator = torch.Generator().manual_seed(seed)
    numbers = uniform(trajectories, low=reynolds[0], high=reynolds[1], generator=generator)
    waits = uniform(trajectories, low=0, high=5, generator=generator)
    runs = [shed(float(r), steps, dt, wait=float(w), size=size) for r, w in zip(numbers, waits, strict=True)]
    rhythm = torch.tensor([strouhal for _, strouhal in runs], dtype=torch.float64)
    truth = {"reynolds": numbers, "strouhal": rhythm, "angle": 2 * math.pi * rhythm * dt}
    return Trajectories(torch.stack([x for x, _ in runs]), dt, truth)


def shed(reynolds: float, steps: int, dt: float, *, wait: float, size: int, cells: int = 10) -> tuple[Tensor, float]:
    """Return one run's snapshots (steps + 1, 2, size, size) and its Strouhal number; `cells` a diameter."""
    stride = math.ceil(dt * cells / FASTEST - 1e-9)
    speed = dt * cells / stride  # so that dt is a whole number of steps
    per_time, omega = cells / speed, 1 / (0.5 + 3 * speed * cells / reynolds)
    channel = cylinder(cells, speed)
    probe = [advanced(channel, round((SETTLE + wait) * per_time), omega, ramp=round(RAMP * per_time), cells=cells)]
    out = [seen(channel, speed, size, cells)]
    for _ in range(steps):
        probe.append(advanced(channel, stride, omega, ramp=0, cells=cells))
        out.append(seen(channel, speed, size, cells))
    record = np.concatenate(probe)[round(0.5 * SETTLE * per_time) :] / speed
    return torch.stack(out), strouhal(torch.from_numpy(record).double(), 1 / per_time)


def strouhal(probe: Tensor, dt: float) -> float:
    """Return the frequency of a signal (T,) by its upward crossings of its mean, in turns per unit of dt; 0 if still."""
    signal = probe - probe.mean()
    up = ((signal[:-1] < 0) & (signal[1:] >= 0)).nonzero()[:, 0]
    if signal.abs().max() < 0.05 or len(up) < 2:
        return 0.0
    at = up + signal[up] / (signal[up] - signal[up + 1])
    return float((len(at) - 1) / (at[-1] - at[0]) / dt)


def cylinder(cells: int, speed: float) -> Channel:
    """Return the channel with its cylinder and parabolic inflow of mean `speed`, at rest."""
    width, height = round(LENGTH * cells), round(HEIGHT * cells)
    x, y = np.arange(width)[:, None] + 0.5, np.arange(height) + 0.5
    solid = (x - CENTRE * cells) ** 2 + (y - CENTRE * cells) ** 2 <= (cells / 2) ** 2
    return still(solid, 6 * speed * y * (height - y) / height**2)


def advanced(channel: Channel, steps: int, omega: float, *, ramp: int, cells: int) -> np.ndarray:
    """Advance a channel in place and return the cross-flow at the probe (steps,); the inflow rises over `ramp` steps."""
    start, record = np.ones(steps, np.float32), np.empty(steps, np.float32)
    start[:ramp] = (0.5 - 0.5 * np.cos(np.pi * np.arange(ramp) / max(ramp, 1)))[:steps]
    march(channel, start, omega, (round(PROBE[0] * cells), round(PROBE[1] * cells)), record)
    return record


def seen(channel: Channel, speed: float, size: int, cells: int) -> Tensor:
    """Return the view's velocities (2, size, size) in units of the mean inflow, linear between the lattice's cells."""
    along = np.linspace(*VIEW, size) * cells - 0.5
    across = (np.arange(size) + 0.5) / size * HEIGHT * cells + 0.5
    i, j = along.astype(int), across.astype(int)
    a, b = (along - i)[:, None], (across - j)[None]
    u = (channel.moments[1:3] / channel.moments[0]).astype(np.float64) / speed
    low = u[:, i][:, :, j] * (1 - b) + u[:, i][:, :, j + 1] * b
    high = u[:, i + 1][:, :, j] * (1 - b) + u[:, i + 1][:, :, j + 1] * b
    return torch.from_numpy((low * (1 - a) + high * a).transpose(0, 2, 1).copy())
