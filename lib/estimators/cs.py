r"""Cauchy-Schwarz divergences from sums of Gaussian kernels.

D_CS(p; q) = log [ int p^2 int q^2 / (int p q)^2 ]. Estimates refer to densities smoothed by the kernel: a width w adds w^2
to the covariance of each difference, so values shrink as widths grow.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lib.core import checks
from lib.pairwise.sums import log_row_sums, row_sums

TINY = 1e-12


def cs_divergence(x: Tensor, y: Tensor, *, width: float) -> Tensor:
    r"""Return log mean K_xx + log mean K_yy - 2 log mean K_xy between two samples.

    x: (..., n, d), y: (..., m, d), not paired -> (...), nats, >= 0, 0 for equal samples; equals -2 log of the cosine
    between the kernel mean embeddings. Source: [yu2024csib].
    """
    u, v = (z / checks.positive(width, "width") for z in checks.comparable(x, y))
    return row_sums(u).sum(-1).log() + row_sums(v).sum(-1).log() - 2 * log_row_sums(u, v).logsumexp(-1)


def conditional_cs_divergence(x: Tensor, y: Tensor, y_hat: Tensor, *, width_x: float, width_y: float) -> Tensor:
    r"""Return D_CS(p(y|x); p(y_hat|x)) = log sum_j [KL1]_j / K_j^2 + log sum_j [KL2]_j / K_j^2 - 2 log sum_j [KL21]_j / K_j^2,
    with K_j = sum_i K_ji, [KL]_j = sum_i K_ji L_ji; L1 among y, L2 among y_hat, L21 from y_hat_j to y_i.

    x: (..., n, dx); y, y_hat: (..., n, dy) -> (...), nats; 0 for y_hat = y. A vector y of shape (n,) is refused: kernels would
    take it for one point. Source: [yu2024csib], Proposition 1.
    """
    return weighed_cs_divergence(x, y, y_hat, width_x, width_y, lambda u: 2 * row_sums(u).log())


def misplaced_cs_divergence(x: Tensor, y: Tensor, y_hat: Tensor, *, width_x: float, width_y: float) -> Tensor:
    r"""Return `conditional_cs_divergence` with sum_i K_ji^2 in the denominators in place of (sum_i K_ji)^2.

    What the public code of [yu2024csib] divides by: kept so that it can be compared, and no estimate of a divergence of
    conditional densities unless the kernel in x is so narrow that K is the identity, where both agree.
    """
    return weighed_cs_divergence(x, y, y_hat, width_x, width_y, lambda u: row_sums(u * 2**0.5).log())


def weighed_cs_divergence(
    x: Tensor, y: Tensor, y_hat: Tensor, width_x: float, width_y: float, log_denominator: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return the three logs of a conditional divergence, row j divided by its denominator, made of x / width_x."""
    checks.paired(x, y), checks.paired(x, y_hat), checks.comparable(y, y_hat, names=("y", "y_hat"))
    checks.positive(width_x, "width_x"), checks.positive(width_y, "width_y")
    u, a, b = x / width_x, y / width_y, y_hat / width_y
    ua, ub = torch.cat([u, a], -1), torch.cat([u, b], -1)
    weight = -log_denominator(u)
    own = [(row_sums(z).log() + weight).logsumexp(-1) for z in (ua, ub)]
    return own[0] + own[1] - 2 * (log_row_sums(ub, ua) + weight).logsumexp(-1)


def cs_qmi(x: Tensor, y: Tensor, *, width_x: float = 1.0, width_y: float = 1.0) -> Tensor:
    r"""Return I_CS = log J + log S_x + log S_y - 2 log C: the Cauchy-Schwarz divergence of p(x, y) from p(x) p(y).

    J = sum K.L, S_x = sum K, S_y = sum L, C = sum_i (K1)_i (L1)_i; all powers of n cancel.
    x: (..., n, dx), y: (..., n, dy), paired -> (...), nats, >= 0, zero for independent smoothed densities and
    for a constant variable. An index of dependence: monotone in the mutual information of normal pairs but far below it.
    Source: [yu2024csib], Proposition 2.
    """
    u, v = scaled(x, y, width_x, width_y)
    return qmi(row_sums(torch.cat([u, v], -1)), row_sums(u), row_sums(v))


def cs_qmi_normalised(x: Tensor, y: Tensor, *, width_x: float = 1.0, width_y: float = 1.0) -> Tensor:
    r"""Return I_CS(x; y) / sqrt(I_CS(x; x) I_CS(y; y)), in [0, 1]; 0 by definition where one of them is constant.

    x: (..., n, dx), y: (..., n, dy), paired -> (...). Source: [yu2024csib], the form its training uses.
    """
    u, v = scaled(x, y, width_x, width_y)
    ku, kv, joint = row_sums(u), row_sums(v), row_sums(torch.cat([u, v], -1))
    # K.K is the kernel at width / sqrt(2), that is the unit kernel of sqrt(2) u.
    self_x, self_y = qmi(row_sums(u * 2**0.5), ku, ku), qmi(row_sums(v * 2**0.5), kv, kv)
    return over_selves(qmi(joint, ku, kv), self_x, self_y, least=rounding(u.dtype))


def scaled(x: Tensor, y: Tensor, width_x: float, width_y: float) -> tuple[Tensor, Tensor]:
    """Check a pair of samples and divide each by its width."""
    checks.paired(x, y)
    return x / checks.positive(width_x, "width_x"), y / checks.positive(width_y, "width_y")


def qmi(joint: Tensor, kx: Tensor, ky: Tensor) -> Tensor:
    """Return the divergence from the row sums of K.L, K and L in float64, as four nearly equal logs cancel."""
    j, sx, sy, c = (z.sum(-1, dtype=torch.float64).log() for z in (joint, kx, ky, kx * ky))
    return (j + sx + sy - 2 * c).clamp_min(0)


def over_selves(cross: Tensor, self_x: Tensor, self_y: Tensor, *, least: float) -> Tensor:
    """Return cross / sqrt(self_x self_y), and 0 where a self value is at most `least`, for then the cross value is rounding."""
    ratio = cross / (self_x.clamp_min(TINY) * self_y.clamp_min(TINY)).sqrt()
    return torch.where(torch.minimum(self_x, self_y) > least, ratio, torch.zeros_like(ratio))


def rounding(dtype: torch.dtype) -> float:
    """Return the self value, as a mean over pairs, of samples so near to constant that kernels of this dtype do not show it.

    A spread of r widths gives a self value of about r^4 and a cross value of about r^2, which 10 units in the last place hide.
    Far above that, float32 still rounds: it wants spreads of more than a fiftieth of the width, or x.double().
    """
    return (10 * torch.finfo(dtype).eps) ** 2
