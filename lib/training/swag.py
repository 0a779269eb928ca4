r"""SWAG: a normal distribution over weights from the path of their training.

The weights at late epochs have a running mean and variance, and the last K of them differ from the mean so far by rows of D.
The one distribution that is sampled and evaluated here is N(mean, diag(v) + D'D / (K - 1)), v = variance + floor.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lib.core import checks

BLOCK = 2**19  # numbers handled at once, so that a core's cache holds them


class Posterior(NamedTuple):
    """Normal distributions over m weights, one for each of R members; covariance diag(variance) + D'D / (K - 1)."""

    mean: Tensor  # (R, m)
    variance: Tensor  # (R, m), > 0
    deviations: Tensor  # (R, K, m), the rows of D

    def of(self, member: int, most: int | None = None) -> "Posterior":
        """Return one member's distribution, or the marginal of its first `most` weights."""
        return Posterior(*(part[member, ..., :most] for part in self))


class Path:
    """What a training path leaves of itself: running mean, sum of squares about it, and the last deviations from it."""

    def __init__(self, *, rank: int) -> None:
        self.rank, self.count = checks.counted(rank, "rank", least=2), 0
        self.last: list[Tensor] = []

    def add(self, weights: Tensor) -> None:
        """Take the weights (R, m) of one epoch in, by Welford's update, which does not cancel as a mean of squares would."""
        if not self.count:
            self.mean, self.squares = torch.zeros_like(weights), torch.zeros_like(weights)
        self.count += 1
        before = weights - self.mean
        self.mean.add_(before, alpha=1 / self.count)
        after = weights - self.mean
        self.squares.addcmul_(before, after)
        self.last = [*self.last[1 - self.rank :], after]

    def posterior(self, *, floor: float = 1e-6) -> Posterior:
        """Return the distribution; the floor on variances lets weights that never moved have a density.

        The variance counts the path's spread once and D a second time, as the published sampler does; [maddox2019simple]
        halve both. Errors: fewer weights than the rank asks for.
        """
        checks.positive(floor, "floor")
        if self.count < self.rank:
            raise ValueError(f"the path has {self.count} points, rank {self.rank} needs as many; keep more epochs")
        return Posterior(self.mean.clone(), self.squares / self.count + floor, torch.stack(self.last, -2))


def sample(posterior: Posterior, draws: int, generator: torch.Generator) -> Tensor:
    """Return mean + sqrt(v) e + D'e' / sqrt(K - 1) with standard normal e and e', (draws, m), of one member's distribution.

    Source: [maddox2019simple].
    """
    mean, variance, deviations = posterior
    wide, few = (torch.randn(draws, d, generator=generator, dtype=mean.dtype) for d in (mean.numel(), len(deviations)))
    return torch.addmm(mean + variance.sqrt() * wide, few, deviations, alpha=1 / math.sqrt(len(deviations) - 1))


def log_density(posterior: Posterior, weights: Tensor) -> Tensor:
    r"""Return the log density of weights (b, m) under one member's distribution, (b,), without any m x m matrix.

    With U = D / sqrt(K - 1), A = U diag(v)^{-1/2}, w = diag(v)^{-1/2} (weights - mean) and C = I + A A' (K x K):
    log|Sigma| = sum log v + log|C| (matrix determinant lemma), and the quadratic form is w'w - (A w)' C^{-1} (A w) (Woodbury).
    """
    mean, variance, deviations = posterior
    precision = variance.rsqrt()
    a = deviations * precision / math.sqrt(len(deviations) - 1)
    capacitance = torch.eye(len(a), dtype=a.dtype, device=a.device) + a @ a.mT
    root = torch.linalg.cholesky_ex(capacitance).L  # positive definite by form; NaN weights give NaN, not an error
    quadratic = []
    for block in weights.split(max(1, BLOCK // mean.numel())):
        w = (block - mean) * precision
        solved = torch.linalg.solve_triangular(root, a @ w.mT, upper=False)  # (K, rows of the block)
        quadratic.append(w.square().sum(-1) - solved.square().sum(0))
    log_det = variance.log().sum() + 2 * root.diagonal().log().sum()
    return -0.5 * (torch.cat(quadratic) + log_det + mean.numel() * math.log(2 * math.pi))
