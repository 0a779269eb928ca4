"""Systems with known answers, small networks and windows, which the tests of several Koopman modules share."""

import math

import numpy as np
import torch
from scipy.special import ellipj

from lib.core.plan import Plan
from lib.core.types import Rows, Trajectories
from lib.koopman.chain import stationary
from tests.samples import normal

MU, LAMBDA, DT = -0.05, -1.0, 0.02


def slow_manifold(size, steps, *, seed):
    """The exact flow of x1' = mu x1, x2' = lambda (x2 - x1^2), from the square of half-width 1/2."""
    start = torch.rand(size, 2, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.5
    t, c = torch.arange(steps, dtype=torch.float64) * DT, LAMBDA / (2 * MU - LAMBDA)
    x1, x2 = start[:, 0], start[:, 1]
    fast = (x2 + c * x1**2) * torch.exp(LAMBDA * t) - c * x1**2 * torch.exp(2 * MU * t)
    return Trajectories(torch.stack([x1 * torch.exp(MU * t), fast], -1), DT, {})


def quadratic(x):
    return torch.stack([x[..., 0], x[..., 1], x[..., 0] ** 2], -1)


SPECTRUM = np.exp(DT * np.array([MU, 2 * MU, LAMBDA]))


def rotated(*, seed=0):
    """A map of four dimensions with eigenvalues .99 e^(+-.3 i), .9 and .5, in a random basis."""
    turn = 0.99 * torch.tensor([[math.cos(0.3), math.sin(0.3)], [-math.sin(0.3), math.cos(0.3)]], dtype=torch.float64)
    basis = normal(4, 4, seed=seed)
    return torch.linalg.solve(basis, torch.block_diag(turn, torch.diag(torch.tensor([0.9, 0.5], dtype=torch.float64))) @ basis)


LINEAR_SPECTRUM = torch.tensor([0.99 * np.exp(0.3j), 0.99 * np.exp(-0.3j), 0.9, 0.5], dtype=torch.complex128)


def orbit(operator, size, steps, *, noise=0.0, seed=0):
    x = [normal(size, len(operator), seed=seed)]
    for _ in range(steps - 1):
        x.append(x[-1] @ operator)
    x = torch.stack(x, 1)
    return Trajectories(x + noise * normal(*x.shape, seed=seed + 1), 1.0, {})


def lorenz(steps, *, size=1, dt=0.01):
    """Standardised Lorenz trajectories by Runge-Kutta steps of order 4, ten time units after nearby starts."""

    def rate(s):
        x, y, z = s.unbind(-1)
        return torch.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], -1)

    s, found = torch.ones(size, 3, dtype=torch.float64) + normal(size, 3, seed=0), []
    for _ in range(steps + 1000):
        found.append(s)
        k1 = rate(s)
        k2 = rate(s + dt / 2 * k1)
        k3 = rate(s + dt / 2 * k2)
        s = s + dt / 6 * (k1 + 2 * k2 + 2 * k3 + rate(s + dt * k3))
    x = torch.stack(found, 1)[:, 1000:]
    return (x - x.mean((0, 1))) / x.std((0, 1))


def good():
    return slow_manifold(3, 4, seed=0)


def broken():
    data = good()
    data.x[1, 2, 0] = math.nan
    return data


def kernel(x, y, width):
    return torch.exp(-torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square() / (2 * width**2))


GAINS = torch.tensor([100.0, 1.0, 0.01])


def chain(d=4, seed=0, radius=0.95):
    k = normal(d, d, seed=seed)
    root = normal(d, d, seed=seed + 1)
    return stationary(radius * k / torch.linalg.eigvals(k).abs().max(), root @ root.T + torch.eye(d, dtype=torch.float64))


SHAPE = {"hidden": [7], "code": 4, "decoder": [7], "activation": "tanh"}


def generators(*seeds):
    return [torch.Generator().manual_seed(s) for s in seeds]


def pendulum(amplitudes, steps, dt=0.1):
    """Angle and velocity of swings that start at rest, exactly, (B, T, 2): a = 2 asin(k cd(w t)), w = sqrt(9.81)."""
    k = torch.sin(torch.as_tensor(amplitudes).double() / 2)[:, None].numpy()
    w = math.sqrt(9.81)
    sn, cn, dn, _ = ellipj(w * dt * torch.arange(steps).double().numpy(), k**2)
    cd = cn / dn
    speed = -2 * k * w * (1 - k**2) * sn / dn**2 / (1 - (k * cd) ** 2) ** 0.5
    return torch.stack([2 * torch.asin(torch.from_numpy(k * cd)), torch.from_numpy(speed)], -1)


def embedded(members=1, trajectories=64, frames=16, wide=64):
    """Pendulum swings of many energies as wide rows (S, B, T, wide) float32, a linear image of cos, sin and velocity."""
    found = []
    for seed in range(members):
        g = torch.Generator().manual_seed(seed)
        a = 0.3 + 2.5 * torch.rand(trajectories, generator=g).double()
        x = pendulum(a, 40 + frames)
        start = torch.randint(0, 40, (trajectories, 1), generator=g) + torch.arange(frames)
        x = x[torch.arange(trajectories)[:, None], start]
        seen = torch.stack([x[..., 0].cos(), x[..., 0].sin(), x[..., 1] / 4], -1)
        found.append(seen @ torch.linalg.qr(normal(wide, 3, seed=99)).Q.T * math.sqrt(wide / 3))
    return torch.stack(found).float()


def task(members=3, b=5, t=4, n=3, m=0):
    return normal(members, b, t, n, seed=0), normal(members, b, t - 1, m, seed=1), normal(members, b, t, 4, seed=2)


PLAN = Plan(epochs=3, batch=8, lr=2e-3, select="last", clip=1.0)


def part(x):
    return Rows(x, x[:, :, 1:, :0])
