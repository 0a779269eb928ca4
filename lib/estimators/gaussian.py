"""Mutual information of jointly normal variables."""

import torch
from torch import Tensor

from lib.core import checks


def mi_gaussian(x: Tensor, y: Tensor, *, shrinkage: float = 0.0) -> Tensor:
    r"""Return I(X;Y) = (log|S_x| + log|S_y| - log|S|) / 2 of the sample covariance, exact for normal data.

    x: (n, dx), y: (n, dy), paired -> 0-dim float64, nats. Biased up by about dx dy / 2n, which `mi_gaussian_unbiased` takes
    off. `shrinkage` in [0, 1) pulls S towards its diagonal when n is small, and the estimate towards 0. Errors: singular
    covariance, as of constant columns. Source: [cover2006elements], ch. 8.
    """
    checks.paired(x, y), checks.single(x, "x")
    if not 0 <= shrinkage < 1:
        raise ValueError(f"shrinkage must lie in [0, 1), got {shrinkage}; 0 uses the sample covariance as it is")
    s = torch.cov(torch.cat([x, y], 1).double().T)
    s = (1 - shrinkage) * s + shrinkage * s.diag().diag()
    d = x.shape[1]
    signs, logs = zip(*(torch.linalg.slogdet(block) for block in (s[:d, :d], s[d:, d:], s)), strict=True)
    if min(signs) <= 0 or not all(map(torch.isfinite, logs)):
        raise ValueError(
            f"the covariance of {len(x)} rows in {len(s)} columns is singular; drop dependent columns or use shrinkage"
        )
    return (logs[0] + logs[1] - logs[2]) / 2


def mi_gaussian_unbiased(x: Tensor, y: Tensor) -> Tensor:
    r"""Return mi_gaussian less its mean error for normal data, b(dx) + b(dy) - b(dx + dy).

    b(d) = sum_i psi((n - i) / 2) / 2 over i = 1..d. The log determinant of a sample covariance exceeds the true one by 2 b(d)
    - d log((n - 1) / 2) on average, whatever the covariance is, and the second term cancels. x: (n, dx), y: (n, dy), paired,
    n > dx + dy -> 0-dim float64, nats; may be negative.
    Errors: as `mi_gaussian`. Source: [anderson2003introduction], ch. 7.
    """
    checks.paired(x, y)
    dx, d = x.shape[-1], x.shape[-1] + y.shape[-1]
    raw = mi_gaussian(checks.enough(x, "x", d + 1), y)
    half = torch.digamma((len(x) - torch.arange(1, d + 1, dtype=torch.float64)) / 2).to(x.device) / 2
    # b(dx) + b(dy) - b(d): the first dx terms cancel.
    return raw - half[: d - dx].sum() + half[dx:].sum()
