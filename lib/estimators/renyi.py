"""Entropy of a kernel matrix's spectrum."""

import math

import torch
from torch import Tensor

from lib.core import checks
from lib.estimators.cs import scaled
from lib.pairwise.sums import row_sums, squared_distances

CONSTANT = 1e-9  # nats; entropies of equal rows round to about 1e-12


def renyi_entropy(x: Tensor, *, alpha: float = 1.01, width: float = 1.0) -> Tensor:
    r"""Return S_a(A) = log(tr A^a) / (1 - a) of A = K / n, K the Gaussian Gram matrix.

    x: (n, d) -> 0-dim float64, nats, between 0 (all rows equal) and log n (all far apart). An eigendecomposition, O(n^3) time
    and O(n^2) memory; but order 2 is a sum over pairs, O(n^2) and O(n). Source: [sanchez2015measures].
    """
    return of_unit_kernel(checks.single(x, "x") / checks.positive(width, "width"), alpha)


def mi_renyi(x: Tensor, y: Tensor, *, alpha: float = 1.01, width_x: float = 1.0, width_y: float = 1.0) -> Tensor:
    r"""Return S_a(A) + S_a(B) - S_a(A.B / tr(A.B)): an index of dependence in nats, not an estimate of the information.

    x: (n, dx), y: (n, dy), paired -> 0-dim float64, >= 0, at most log n; 0 where one of them is constant.
    Source: [sanchez2015measures].
    """
    return sum(parts(x, y, alpha, width_x, width_y))


def mi_renyi_normalised(x: Tensor, y: Tensor, *, alpha: float = 1.01, width_x: float = 1.0, width_y: float = 1.0) -> Tensor:
    r"""Return [S_a(A) + S_a(B) - S_a(A.B / tr(A.B))] / min(S_a(A), S_a(B)), in [0, 1]; 0 where one of them is constant.

    x: (n, dx), y: (n, dy), paired -> 0-dim float64. Equal clusters that lie far apart give 1; other equal samples give less,
    as A.A is not A. Source: [yu2021measuring].
    """
    own_x, own_y, both = parts(x, y, alpha, width_x, width_y)
    least = torch.minimum(own_x, own_y)
    return torch.where(least > CONSTANT, (own_x + own_y + both) / least.clamp_min(CONSTANT), 0.0)


def mi_renyi_conditional(x: Tensor, y: Tensor, z: Tensor, *, alpha: float = 1.01, width: float = 1.0) -> Tensor:
    r"""Return S_a(A.C) + S_a(B.C) - S_a(A.B.C) - S_a(C), products scaled to trace 1: dependence of x and y given z, nats.

    x: (n, dx), y: (n, dy), z: (n, dz), paired, one width for all -> 0-dim float64; 0 where x or y is constant, mi_renyi(x, y)
    where z is. Source: [yu2020multivariate].
    """
    u, w = scaled(x, z, width, width)
    v = scaled(y, z, width, width)[0]
    kept = [torch.cat(group, 1) for group in ((u, w), (v, w), (u, v, w), (w,))]
    a, b, both, own = (of_unit_kernel(group, alpha) for group in kept)
    return a + b - both - own


def parts(x: Tensor, y: Tensor, alpha: float, width_x: float, width_y: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return S_a(A), S_a(B) and -S_a(A.B / tr(A.B)); the product is the kernel of concatenated samples."""
    u, v = scaled(x, y, width_x, width_y)
    checks.single(x, "x")
    return of_unit_kernel(u, alpha), of_unit_kernel(v, alpha), -of_unit_kernel(torch.cat([u, v], 1), alpha)


def of_unit_kernel(u: Tensor, alpha: float) -> Tensor:
    """Return the entropy of order alpha of the unit kernel of u, in float64."""
    if not 0 < alpha < math.inf or alpha == 1:
        raise ValueError(f"alpha must be positive and not 1, got {alpha}; 1.01 comes close to Shannon's")
    u = u.double()
    if alpha == 2:
        return 2 * math.log(len(u)) - row_sums(math.sqrt(2) * u).sum().log()  # tr A^2 = sum K.K / n^2
    return spectral(torch.exp(-squared_distances(u, u) / 2), alpha)


def spectral(k: Tensor, alpha: float) -> Tensor:
    """Return log(tr A^alpha) / (1 - alpha) of A = k / tr k."""
    spectrum = torch.linalg.eigvalsh(k / k.trace())
    spectrum = spectrum[spectrum > 1e-12]  # rounding leaves tiny negative values, whose powers are not numbers
    return spectrum.pow(alpha).sum().log() / (1 - alpha)
