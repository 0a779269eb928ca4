"""Dependence as the Hilbert-Schmidt norm of a cross-covariance operator."""

import torch
from torch import Tensor

from lib.core import checks
from lib.estimators.cs import TINY, over_selves, rounding, scaled
from lib.pairwise.sums import row_sums


def hsic(x: Tensor, y: Tensor, *, width_x: float = 1.0, width_y: float = 1.0) -> Tensor:
    r"""Return the biased HSIC = tr(K H L H) / (n - 1)^2, H = I - 11'/n.

    tr(KHLH) = sum K.L - (2/n) (K1).(L1) + sum K sum L / n^2. x: (..., n, dx), y: (..., n, dy), paired -> (...), no unit, >= 0
    up to rounding; 0 where one of them is constant. For standard normal pairs with correlation rho and width w, a = 2 + w^2,
    the population value is w^2 [(a^2 - 4 rho^2)^-1/2 + 1/a - 2 (a^2 - rho^2)^-1/2]. Source: [gretton2005measuring].
    """
    u, v = scaled(x, y, width_x, width_y)
    return centred(row_sums(torch.cat([u, v], -1)), row_sums(u), row_sums(v)) / (x.shape[-2] - 1) ** 2


def hsic_normalised(x: Tensor, y: Tensor, *, width_x: float = 1.0, width_y: float = 1.0) -> Tensor:
    r"""Return HSIC(x, y) / sqrt(HSIC(x, x) HSIC(y, y)), in [0, 1]: centred kernel alignment; 0 where one of them is constant.

    x: (..., n, dx), y: (..., n, dy), paired -> (...). Source: [kornblith2019similarity].
    """
    u, v = scaled(x, y, width_x, width_y)
    ku, kv = row_sums(u), row_sums(v)
    self_x, self_y = centred(row_sums(u * 2**0.5), ku, ku), centred(row_sums(v * 2**0.5), kv, kv)
    cross = centred(row_sums(torch.cat([u, v], -1)), ku, kv)
    return over_selves(cross, self_x, self_y, least=rounding(u.dtype) * x.shape[-2] ** 2)


def hsic_unbiased(x: Tensor, y: Tensor, *, width_x: float = 1.0, width_y: float = 1.0) -> Tensor:
    r"""Return [tr(KL) + 1'K1 1'L1 / ((n-1)(n-2)) - 2 1'KL1 / (n-2)] / (n (n-3)), K and L with zeros on their diagonals.

    x: (..., n, dx), y: (..., n, dy), paired, n >= 4 -> (...), no unit; its mean is the population value, so it may be negative.
    Source: [song2012feature].
    """
    checks.enough(checks.paired(x, y)[0], "x", 4)
    u, v = scaled(x, y, width_x, width_y)
    n = x.shape[-2]
    j, k, q = (z.double() - 1 for z in (row_sums(torch.cat([u, v], -1)), row_sums(u), row_sums(v)))
    joint, cross = j.sum(-1), (k * q).sum(-1)
    return (joint + k.sum(-1) * q.sum(-1) / ((n - 1) * (n - 2)) - 2 * cross / (n - 2)) / (n * (n - 3))


def cka(x: Tensor, y: Tensor) -> Tensor:
    r"""Return linear CKA |X'Y|^2 / (|X'X| |Y'Y|) of centred columns (Frobenius norms), in [0, 1]; 0 where one is constant.

    x: (..., n, dx), y: (..., n, dy), paired -> (...). Blind to rotation and scale. Source: [kornblith2019similarity].
    """
    checks.paired(x, y)
    a, b = (z.double() - z.double().mean(-2, keepdim=True) for z in (x, y))
    own = (a.mT @ a).square().sum((-2, -1)) * (b.mT @ b).square().sum((-2, -1))
    return (a.mT @ b).square().sum((-2, -1)) / own.sqrt().clamp_min(TINY)


def centred(joint: Tensor, kx: Tensor, ky: Tensor) -> Tensor:
    """Return tr(KHLH) from the row sums of K.L, K and L."""
    n = joint.shape[-1]
    j, sx, sy, c = (z.sum(-1, dtype=torch.float64) for z in (joint, kx, ky, kx * ky))
    return j - 2 / n * c + sx * sy / n**2
