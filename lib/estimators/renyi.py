"""Entropy of a kernel matrix's spectrum."""

import torch
from torch import Tensor

from lib import checks
from lib.kernels import squared_distances


def renyi_entropy(x: Tensor, *, alpha: float = 1.01, width: float = 1.0) -> Tensor:
    r"""Return S_a(A) = log(tr A^a) / (1 - a) of A = K / n, K the Gaussian Gram matrix.

    x: (n, d) -> 0-dim, nats, between 0 (all rows equal) and log n (all far apart). An eigendecomposition: O(n^3) time, O(n^2)
    memory. Source: [sanchez2015measures].
    """
    return spectral(gram(x, width), alpha)


def mi_renyi(x: Tensor, y: Tensor, *, alpha: float = 1.01, width_x: float = 1.0, width_y: float = 1.0) -> Tensor:
    r"""Return S_a(A) + S_a(B) - S_a(A.B / tr(A.B)): an index of dependence in nats, not an estimate of the information.

    x: (n, dx), y: (n, dy), paired -> 0-dim, >= 0, at most log n. Source: [sanchez2015measures].
    """
    checks.paired(x, y)
    a, b = gram(x, width_x), gram(y, width_y)
    return spectral(a, alpha) + spectral(b, alpha) - spectral(a * b, alpha)


def gram(x: Tensor, width: float) -> Tensor:
    """Return the Gaussian Gram matrix in float64."""
    z = checks.matrix(x, "x").double() / checks.positive(width, "width")
    return torch.exp(-squared_distances(z, z) / 2)


def spectral(k: Tensor, alpha: float) -> Tensor:
    """Return the entropy of order alpha of k's spectrum, scaled to sum 1."""
    if not alpha > 0 or alpha == 1:
        raise ValueError(f"alpha must be positive and not 1, got {alpha}; 1.01 comes close to Shannon's")
    spectrum = torch.linalg.eigvalsh(k / k.trace())
    spectrum = spectrum[spectrum > 1e-12]  # rounding leaves tiny negative values, whose powers are not numbers
    return spectrum.pow(alpha).sum().log() / (1 - alpha)
