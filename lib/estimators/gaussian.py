"""Mutual information of jointly normal variables."""

import torch
from torch import Tensor

from lib import checks


def mi_gaussian(x: Tensor, y: Tensor, *, shrinkage: float = 0.0) -> Tensor:
    r"""Return I(X;Y) = (log|S_x| + log|S_y| - log|S|) / 2 of the sample covariance, exact for normal data.

    x: (n, dx), y: (n, dy), paired -> 0-dim float64, nats. Biased up by about dx dy / 2n. `shrinkage` in [0, 1) pulls S
    towards its diagonal when n is small. Errors: singular covariance. Source: [cover2006elements], ch. 8.
    """
    checks.paired(x, y)
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
