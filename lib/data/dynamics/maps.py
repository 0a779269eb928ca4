"""A chaotic map with noise on the circle, whose transfer operator has finitely many eigenvalues."""

from math import comb

import numpy as np
import torch
from torch import Tensor

from lib import checks
from lib.data.dynamics.integrate import asked
from lib.types import Trajectories


def noisy_logistic(*, trajectories: int, steps: int, seed: int, power: int = 10) -> Trajectories:
    r"""Return x' = 4 x (1 - x) + e mod 1, e of density ~ cos^(2 power)(pi e) on [-1/2, 1/2]; starts after 100 steps.

    tan(pi e) is a Student variable of 2 power + 1 degrees of freedom over the root of these, so draws are exact. The sum is
    wrapped; clipped to [0, 1], as is also seen, it would have another spectrum than the one stated.
    x: (B, steps + 1, 1), dt = 1. truth: "spectrum" (2 power + 1,) complex by falling modulus. Source: [ostruszka2000dynamical].
    """
    asked(trajectories, steps, 1.0), checks.counted(power, "power")
    rng, freedom, out = np.random.default_rng(seed), 2 * power + 1, []
    x = rng.random(trajectories)
    for step in range(101 + steps):
        if step >= 100:
            out.append(x)
        noise = np.arctan(rng.standard_t(freedom, trajectories) / np.sqrt(freedom)) / np.pi
        x = (4 * x * (1 - x) + noise) % 1.0
    return Trajectories(torch.from_numpy(np.stack(out, 1)[..., None]), 1.0, {"spectrum": logistic_spectrum(power)})


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
