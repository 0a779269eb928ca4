"""Lorenz's system for ten thousand starts, against a time that was set, a loop in torch and scipy's integrator."""

import time

import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from lib.data.dynamics import lorenz
from lib.data.dynamics.integrate import rk4
from tests.bench.harness import compare, row

MANY = {"trajectories": 10_000, "steps": 1000, "dt": 0.01, "seed": 0, "burn_in": 0.0}
FEW = MANY | {"trajectories": 50, "steps": 100}


def wall_seconds(repeats: int = 5) -> float:
    """Return the least time by the clock that the many take, once compiled."""
    lorenz.lorenz(**FEW)
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        lorenz.lorenz(**MANY)
        taken.append(time.perf_counter() - begin)
    return min(taken)


def adaptive(starts: Tensor, *, method: str, rtol: float) -> Tensor:
    """Return the few's snapshots by scipy, one trajectory after another."""
    grid = [0.01 * t for t in range(101)]
    step = lambda t, s: (10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2])  # noqa: E731
    options = {"t_eval": grid, "method": method, "rtol": rtol, "atol": rtol}
    return torch.stack([torch.from_numpy(solve_ivp(step, (0, 1), s, **options).y.T) for s in starts.numpy()])


def growth() -> list[dict]:
    """Return nothing: the cost of steps grows with their number."""
    return []


def rows() -> list[dict]:
    """Compare with two seconds, with Runge-Kutta steps of the same length in torch, and with scipy at no smaller an error."""
    size, starts = "Lorenz, 10 000 trajectories, 1000 steps", lorenz.lorenz(**FEW).x[:, 0]
    exact = adaptive(starts, method="DOP853", rtol=1e-12)
    ours, theirs = lorenz.lorenz(**FEW).x, adaptive(starts, method="RK45", rtol=4e-6)
    assert (ours - exact).abs().max() <= (theirs - exact).abs().max(), "scipy is the more exact: compare at a lower tolerance"
    many = lorenz.lorenz(**MANY).x[:, 0]
    return [
        row("lorenz", size, "two seconds by the clock", 1.0, 2 / wall_seconds()),
        compare(
            "lorenz-torch", size, "the same steps in torch, all trajectories at once", 2.0,
            lambda: lorenz.lorenz(**MANY).x[:, 100], lambda: rk4(lorenz.field, many, steps=1000, dt=0.01, longest=0.01)[:, 100],
            tolerance=1e-8, repeats=3,
        ),
        compare(
            "lorenz-scipy", "Lorenz, 50 trajectories, 100 snapshots", "solve_ivp, RK45 at rtol 4e-6: no smaller an error", 20.0,
            lambda: lorenz.lorenz(**FEW).x[:, -1], lambda: adaptive(starts, method="RK45", rtol=4e-6)[:, -1], tolerance=1e-3,
        ),
    ]  # fmt: skip
