"""A chaotic map with noise on the circle, whose transfer operator has finitely many eigenvalues."""

from math import comb

import numpy as np
import torch
from torch import Tensor

from lib.core import checks
from lib.core.types import Trajectories
from lib.data.dynamics.integrate import asked


def noisy_logistic(*, trajectories: int, steps: int, seed: int, power: int = 10) -> Trajectories:
    r"""Return x' = 4 x (1 - x) + e mod 1, e of density ~ cos^(2 power)(pi e) on [-1/2, 1/2]; starts after 100 steps.

    The sum is wrapped; clipped to [0, 1], as is also seen, it would have another spectrum than the one stated. The map is
    chaotic, so that a last bit decides after fifty steps: what is done to x is + - * and remainder, which every processor
    rounds alike.
    x: (B, steps + 1, 1), dt = 1. truth: "spectrum" (2 power + 1,) complex by falling modulus. Source: [ostruszka2000dynamical].
    """
    asked(trajectories, steps, 1.0), checks.counted(power, "power")
    rng, out = np.random.default_rng(seed), []
    x, noise = rng.random(trajectories), bells((101 + steps) * trajectories, rng, power).reshape(-1, trajectories)
    for e in noise:
        out.append(x)
        x = (4 * x * (1 - x) + e) % 1.0
    return Trajectories(torch.from_numpy(np.stack(out[100:], 1)[..., None]), 1.0, {"spectrum": logistic_spectrum(power)})


def bells(count: int, rng: np.random.Generator, power: int) -> np.ndarray:
    r"""Return draws (count,) of density ~ cos^(2 power)(pi e) on [-1/2, 1/2], by rejection.

    The bits of a draw are the generator's. Cosines may differ in their last bit from one processor to another, and a draw
    is accepted on one and not on the other if a uniform number falls into that gap: once in 10^16.
    """
    found, lacking = [], count
    while lacking > 0:
        e = rng.random(4 * lacking + 100) - 0.5
        found.append(e[rng.random(len(e)) < np.cos(np.pi * e) ** (2 * power)])
        lacking -= len(found[-1])
    return np.concatenate(found)[:count]


def logistic_spectrum(power: int) -> Tensor:
    r"""Return the eigenvalues (2 power + 1,) of g -> E[g(x') | x] for the noisy logistic map, complex, by falling modulus.

    The noise has 2 power + 1 Fourier coefficients c_j, so the waves e^(2 pi i k f(x)), |k| <= power, f(x) = 4 x (1 - x), span
    all that the operator returns, and there its matrix is c_j times the integral of e^(2 pi i (k f(y) - j y)).
    Source: [ostruszka2000dynamical].
    """
    nodes, weights = np.polynomial.legendre.leggauss(64 + 16 * power)
    y, waves = (nodes + 1) / 2, np.arange(-power, power + 1)
    c = np.array([comb(2 * power, power + int(j)) / comb(2 * power, power) for j in waves])
    to, back = np.exp(2j * np.pi * waves[:, None] * 4 * y * (1 - y)), np.exp(-2j * np.pi * waves[:, None] * y)
    values = np.linalg.eigvals(c[:, None] * (back * weights / 2) @ to.T)
    return torch.from_numpy(values[np.lexsort((-values.imag, -np.abs(values).round(12)))])
