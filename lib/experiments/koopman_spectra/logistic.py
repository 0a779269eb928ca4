"""The noisy logistic map, wrapped and clipped: how near fits of many kinds come to the spectra that are known."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from lib.core.types import Trajectories
from lib.data.dynamics import DYNAMICS
from lib.data.dynamics.maps import bells, logistic_spectrum
from lib.experiments.koopman_spectra.systems import both, eigenpairs
from lib.koopman.dictionaries import monomials, trigonometric
from lib.koopman.edmd import edmd
from lib.koopman.kernel import drawn_centres, kernel_edmd
from lib.koopman.linear import LinearKoopman
from lib.koopman.metrics import hausdorff


def distances(seed: int, *, sizes: Sequence[int]) -> pd.DataFrame:
    """Return how far the three leading eigenvalues of the noisy logistic map are from an estimate, by method and pairs.

    Columns kind ("wrapped", "clipped"), method, n, error, and other = the distance from the other map's three.
    """
    known = truths()
    samples = {"wrapped": DYNAMICS["noisy_logistic"](trajectories=1, steps=max(sizes), seed=seed)}
    samples["clipped"], rows = clipped_logistic(steps=max(sizes), seed=seed), []
    for (name, data), other in zip(samples.items(), ("clipped", "wrapped"), strict=True):
        for n in sizes:
            for method, fit in (WRAPPED if name == "wrapped" else CLIPPED).items():
                values = fit(data._replace(x=data.x[:, : n + 1]), seed).eigenvalues
                error, off = (float(hausdorff(values, known[which][:3])[0]) for which in (name, other))
                rows.append({"seed": seed, "kind": name, "method": method, "n": n, "error": error, "other": off})
    return pd.DataFrame(rows)


def truths() -> dict[str, Tensor]:
    """Return the leading eigenvalues of both maps."""
    return {"wrapped": logistic_spectrum(10), "clipped": clipped_spectrum()}


def hat(x: Tensor) -> Tensor:
    """Return 4 x (1 - x)."""
    return 4 * x * (1 - x)


def regression(method: str, width: float) -> Callable[[Trajectories, int], LinearKoopman]:
    """Return a kernel fit of rank 6 as a function of data and seed."""
    return lambda data, seed: kernel_edmd(data, rank=6, width=width, method=method)


def nystroem(data: Trajectories, seed: int) -> LinearKoopman:
    """Return reduced-rank regression on 100 snapshots as centres."""
    return kernel_edmd(data, rank=6, width=0.1, centres=drawn_centres(data, count=100, seed=seed))


def polynomials(x: Tensor) -> Tensor:
    """Return the monomials up to degree ten of 2 x - 1: they span what those of x do, and are not nearly dependent."""
    return monomials(1, degree=10)(2 * x - 1)


CLIPPED = {
    "Fourier": lambda data, seed: edmd(data, lift=trigonometric(12)),
    "monomials": lambda data, seed: edmd(data, lift=polynomials),
}
WRAPPED = (
    {"invariant": lambda data, seed: edmd(data, lift=trigonometric(10, inner=hat))}
    | CLIPPED
    | {f"{method} {width}": regression(method.lower(), width) for method in ("PCR", "RRR") for width in (0.05, 0.1)}
    | {"Nystroem 0.1": nystroem}
)


def clipped_logistic(*, steps: int, seed: int, power: int = 10) -> Trajectories:
    """Return one trajectory of the noisy logistic map whose values are clipped to [0, 1] and not wrapped, after 100 steps."""
    rng = np.random.default_rng(seed)
    x, noise = rng.random(), bells(101 + steps, rng, power)
    out = np.empty(len(noise))
    for step, e in enumerate(noise):
        out[step] = x
        x = min(max(4 * x * (1 - x) + e, 0.0), 1.0)
    return Trajectories(torch.from_numpy(out[100:, None])[None], 1.0, {"spectrum": clipped_spectrum(power)})


def clipped_spectrum(power: int = 10, *, nodes: int = 200) -> Tensor:
    r"""Return the ten leading eigenvalues of g -> E[g(clip(f(x) + e, 0, 1))], complex, by falling modulus.

    The mean is the integral of g(y) p(y - f(x)) over [0, 1], p the density of e, with g(0) P(e <= -f(x)) and
    g(1) P(e >= 1 - f(x)); Gauss and Legendre's rule with both ends makes it a matrix. Source: [atkinson1997numerical].
    """
    points, weights = np.polynomial.legendre.leggauss(nodes)
    y, w = np.r_[(points + 1) / 2, 0, 1], np.r_[weights / 2, 0, 0]
    gap, law = y - 4 * (y * (1 - y))[:, None], stats.t(2 * power + 1)
    density = (
        np.where(np.abs(gap) < 0.5, np.cos(np.pi * gap) ** (2 * power), 0) * 2 ** (2 * power) / math.comb(2 * power, power)
    )
    matrix = density * w
    to_t = math.sqrt(2 * power + 1) * np.tan(np.pi * np.clip(gap[:, -2:], -0.5 + 1e-12, 0.5 - 1e-12))
    matrix[:, -2] += law.cdf(to_t[:, 0])
    matrix[:, -1] += law.sf(to_t[:, 1])
    values = np.linalg.eigvals(matrix)
    return torch.from_numpy(values[np.lexsort((-values.imag, -np.abs(values).round(12)))][:10].astype(complex))


def pairs(seed: int, *, steps: int) -> pd.DataFrame:
    """Return the eigenpairs of the invariant dictionary and of reduced-rank regression, of one trajectory: column method."""
    data, fresh = both("noisy_logistic", seed, trajectories=1, steps=steps)
    found = [eigenpairs(WRAPPED[name](data, seed), fresh).assign(method=name) for name in ("invariant", "RRR 0.1")]
    return pd.concat(found, ignore_index=True).assign(seed=seed)


def slopes(table: pd.DataFrame) -> pd.Series:
    """Return, for each seed, the slope of log error against log pairs: -1/2 where an error is one of sampling.

    table: rows of `distances`, of one map and method.
    """
    return pd.Series({seed: np.polyfit(np.log(g.n), np.log(g.error), 1)[0] for seed, g in table.groupby("seed")})
