"""Lorenz's system, and the exponents at which neighbours part in any system that can be stepped."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from lib.core import checks
from lib.core.types import Trajectories
from lib.data.dynamics.integrate import asked, compiled, finite, parts, uniform

SIGMA, RHO, BETA = 10.0, 28.0, 8 / 3
LONGEST = 0.01  # time of one Runge-Kutta step
NEAR = 1e-6  # how far apart neighbours are set
LYAPUNOV = (0.9056, 0.0, -14.5723)  # per unit of time


def lorenz(*, trajectories: int, steps: int, dt: float, seed: int, burn_in: float = 10.0) -> Trajectories:
    r"""Return x' = 10 (y - x), y' = x (28 - z) - y, z' = x y - 8/3 z after `burn_in` units of time from a box on its wings.

    x: (B, steps + 1, 3) by Runge-Kutta of order 4 in steps of at most 0.01, compiled, a share of them on each thread of torch.
    truth, rates in nats per unit of time: "lyapunov" (3,), their exact "sum" -41/3 (the divergence), "kaplan_yorke" dimension,
    "lyapunov_time" 1 / 0.9056. Source: [lorenz1963deterministic], [viswanath1998lyapunov].
    """
    asked(trajectories, steps, dt)
    if not burn_in >= 0:
        raise ValueError(f"burn_in must be >= 0 units of time, got {burn_in}")
    start = uniform(trajectories, 3, low=-10, high=10, generator=torch.Generator().manual_seed(seed))
    start[:, 2] += 25
    if burn_in:
        start = torch.from_numpy(run(start.numpy(), 1, burn_in / parts(burn_in, LONGEST), parts(burn_in, LONGEST)))[:, -1]
    inner = parts(dt, LONGEST)
    x = finite(torch.from_numpy(run(start.numpy(), steps, dt / inner, inner)), dt)
    rates = torch.tensor(LYAPUNOV, dtype=torch.float64)
    truth = {"lyapunov": rates, "sum": -(SIGMA + 1 + BETA), "kaplan_yorke": kaplan_yorke(rates)}
    return Trajectories(x, dt, truth | {"lyapunov_time": 1 / LYAPUNOV[0]})


def field(x: Tensor) -> Tensor:
    """Return Lorenz's velocity at states (..., 3)."""
    a, b, c = x.unbind(-1)
    return torch.stack([SIGMA * (b - a), a * (RHO - c) - b, a * b - BETA * c], -1)


def stepped(start: np.ndarray, out: np.ndarray, h: float, inner: int) -> None:
    """Write snapshots, `inner` Runge-Kutta steps h apart, to out (B, T, 3); states stay in registers."""
    for b in range(len(start)):
        x, y, z = start[b]
        out[b, 0] = start[b]
        for t in range(1, out.shape[1]):
            for _ in range(inner):
                kx, ky, kz = SIGMA * (y - x), x * (RHO - z) - y, x * y - BETA * z
                sx, sy, sz = kx, ky, kz
                for stage in range(3):
                    g, weight = (h, 1.0) if stage == 2 else (0.5 * h, 2.0)
                    u, v, w = x + g * kx, y + g * ky, z + g * kz
                    kx, ky, kz = SIGMA * (v - u), u * (RHO - w) - v, u * v - BETA * w
                    sx, sy, sz = sx + weight * kx, sy + weight * ky, sz + weight * kz
                x, y, z = x + h / 6 * sx, y + h / 6 * sy, z + h / 6 * sz
            out[b, t, 0], out[b, t, 1], out[b, t, 2] = x, y, z
    return out


kernel = compiled(stepped)


def run(start: np.ndarray, steps: int, h: float, inner: int) -> np.ndarray:
    """Return (B, steps + 1, 3), every thread its share of the trajectories; numba's own threads would slow torch's down."""
    threads, out = min(len(start), torch.get_num_threads()), np.empty((len(start), steps + 1, 3))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda i: kernel(start[i::threads], out[i::threads], h, inner), range(threads)))
    return out


def lyapunov_spectrum(
    step: Callable[[Tensor], Tensor], x0: Tensor, *, count: int, rounds: int, every: int, burn_in: int
) -> Tensor:
    r"""Return the `count` largest Lyapunov exponents (B, count) of the map `step` from states x0 (B, n), in nats per step.

    Tangents are pushed `every` steps, made orthonormal by QR and their growth logged, for `rounds` rounds after `burn_in`
    rounds, in which the basis turns to the directions of growth. A step's derivative is its central difference over 2e-6, so
    states must be of order one; what that adds is far below the spread over the B trajectories, which says how exact the mean
    is. step: takes and returns (..., n). Errors: more exponents than columns. Source: [benettin1980lyapunov].
    """
    for value, name in ((count, "count"), (rounds, "rounds"), (every, "every")):
        checks.counted(value, name)
    checks.counted(burn_in, "burn_in", least=0), checks.single(x0, "x0")
    if count > x0.shape[1]:
        raise ValueError(f"count is {count}, but states have {x0.shape[1]} columns; ask for at most as many exponents")
    x, total = x0, torch.zeros(len(x0), count, dtype=x0.dtype)
    basis = torch.eye(x0.shape[1], dtype=x0.dtype)[:, :count].expand(len(x0), -1, -1)
    for turn in range(burn_in + rounds):
        tangents = basis.permute(2, 0, 1).contiguous()  # (count, B, n): each beside its own copy of the states
        for _ in range(every):
            moved = step(torch.cat([x[None], x + NEAR * tangents, x - NEAR * tangents]))
            x, tangents = moved[0], (moved[1 : count + 1] - moved[count + 1 :]) / (2 * NEAR)
        basis, growth = torch.linalg.qr(tangents.permute(1, 2, 0))
        if turn >= burn_in:
            total += growth.diagonal(dim1=1, dim2=2).abs().log()
    return total / (rounds * every)


def kaplan_yorke(exponents: Tensor) -> float:
    r"""Return the Kaplan-Yorke dimension j + (l_1 + .. + l_j) / |l_(j+1)| of exponents (n,), j the last sum that is >= 0.

    Errors: sums that never fall below zero, with which the dimension is at least n. Source: [kaplan1979chaotic].
    """
    falling = exponents.sort(descending=True).values
    sums = falling.cumsum(0)
    j = int((sums >= 0).sum())
    if j == len(falling):
        raise ValueError(f"the {j} exponents sum to {float(sums[-1]):.3g} >= 0; give more of them, until their sum is negative")
    return j + (float(sums[j - 1] / falling[j].abs()) if j else 0.0)
