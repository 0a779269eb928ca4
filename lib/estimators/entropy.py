"""Differential entropy from distances to nearest neighbours."""

import numpy as np
import torch
from scipy.special import digamma, gammaln
from torch import Tensor

from lib.core import checks
from lib.pairwise import neighbours


def entropy_kl(x: Tensor, *, k: int = 3) -> Tensor:
    r"""Estimate H(X) = psi(n) - psi(k) + log V_d + d <log r_k>, r_k the Euclidean distance to the k-th neighbour.

    x: (n, d), n > k -> 0-dim float64, nats; V_d is the volume of the unit ball. Assumes a smooth density; the bias grows with d
    and with sharp edges. Errors: a constant column; points that coincide with their k-th neighbour.
    Source: [kozachenko1987sample].
    """
    weights = np.zeros(checks.counted(k, "k"))
    weights[-1] = 1.0
    return weighted(x, weights)


def entropy_wkl(x: Tensor, *, k: int = 5, whiten: bool = False) -> Tensor:
    r"""Estimate H(X) = - <sum_j w_j log f_ij> over neighbours j = 1..k, log f_ij = psi(j) - log V_d - d log r_ij - psi(n).

    The weights sum to 1 and cancel the leading bias terms above 4 dimensions, at the price of variance; then k must be at
    least d. Up to 4 dimensions it is the estimate of the first neighbour. x: (n, d), n > k -> 0-dim float64, nats.
    `whiten` takes all correlation out first and adds log|Cov| / 2 back, as [butakov2024information] do: points near a line or a
    plane then have their neighbours on all sides. Errors: as `entropy_kl`; k < d above 4 dimensions; to whiten, columns that
    depend on each other. Source: [berrett2019efficient].
    """
    return weighted(x, bias_cancelling(checks.counted(k, "k"), checks.matrix(x, "x").shape[1]), whiten=whiten)


def mi_kl(x: Tensor, y: Tensor, *, k: int = 3) -> Tensor:
    """Return I(X;Y) = H(X) + H(Y) - H(X, Y) by `entropy_kl`; the three errors do not cancel, so it may be negative.

    x: (n, dx), y: (n, dy), paired -> 0-dim float64, nats. Source: [kozachenko1987sample].
    """
    checks.paired(x, y, least=checks.counted(k, "k") + 1)
    return entropy_kl(x, k=k) + entropy_kl(y, k=k) - entropy_kl(torch.cat([x, y], 1), k=k)


def mi_wkl(x: Tensor, y: Tensor, *, k: int = 5, whiten: bool = False) -> Tensor:
    """Return I(X;Y) = H(X) + H(Y) - H(X, Y) by `entropy_wkl`; above 4 columns together k must be at least their number.

    x: (n, dx), y: (n, dy), paired -> 0-dim float64, nats; may be negative. Source: [berrett2019efficient].
    """
    checks.paired(x, y, least=checks.counted(k, "k") + 1)
    h_x, h_y, h_xy = (entropy_wkl(z, k=k, whiten=whiten) for z in (x, y, torch.cat([x, y], 1)))
    return h_x + h_y - h_xy


def mi_wkl_labels(x: Tensor, y: Tensor, *, k: int = 5, whiten: bool = False) -> Tensor:
    """Return I(X;Y) = H(X) - sum_c p(c) H(X | c) by `entropy_wkl` for class labels; may be negative.

    x: (n, d), y: (n,) integer labels, each class more than k rows -> 0-dim float64, nats. Source: [butakov2024information].
    """
    y = checks.labels(y, len(checks.single(x, "x")))
    classes, counts = y.unique(return_counts=True)
    if (few := int(counts.min())) <= checks.counted(k, "k"):
        raise ValueError(f"class {int(classes[counts.argmin()])} has {few} rows, more than k = {k} are needed; drop it")
    parts = zip(classes, counts.tolist(), strict=True)
    return entropy_wkl(x, k=k, whiten=whiten) - sum(n / len(y) * entropy_wkl(x[y == c], k=k, whiten=whiten) for c, n in parts)


def weighted(x: Tensor, weights: np.ndarray, *, whiten: bool = False) -> Tensor:
    """Return the weighted estimate over neighbours 1..k, in columns of spread 1 with their logarithms added back."""
    checks.enough(checks.matrix(x, "x"), "x", len(weights) + 1)
    weights = np.trim_zeros(weights, "b")  # neighbours that no weight asks for need no search
    k = len(weights)
    z = x.detach().double().cpu().numpy()
    spread = z.std(0)
    if (flat := np.flatnonzero(np.ptp(z, axis=0) == 0)).size:  # rounding can give equal values a spread
        raise ValueError(f"column {flat[0]} is constant, so x has no density; drop it")
    z, (n, d) = z / spread, z.shape
    shear = cholesky(np.atleast_2d(np.cov(z.T, ddof=0))) if whiten else np.eye(d)
    z = np.linalg.solve(shear, z.T).T if whiten else z
    reach = neighbours.nearest(z, k, euclidean=True)[:, 1:]
    used = weights != 0
    if (ties := int((reach[:, used] == 0).any(1).sum())) > 0:
        raise ValueError(f"{ties} points coincide with a neighbour that is needed; drop repeated rows")
    volume = d / 2 * np.log(np.pi) - gammaln(d / 2 + 1)
    log_density = digamma(np.arange(1, k + 1))[used] - volume - d * np.log(reach[:, used]) - digamma(n)
    return torch.tensor(np.log(spread * shear.diagonal()).sum() - (log_density @ weights[used]).mean(), dtype=torch.float64)


def cholesky(covariance: np.ndarray) -> np.ndarray:
    """Return the lower factor of a covariance matrix of columns of spread 1, (d, d) -> (d, d)."""
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        factor = np.zeros_like(covariance)
    if factor.diagonal().min() < 1e-7:
        raise ValueError("columns depend linearly on each other, so x has no density; drop those that others give")
    return factor


def bias_cancelling(k: int, d: int) -> np.ndarray:
    """Return the weights (k,) of least norm with sum 1 and sum_j w_j G(j + 2l/d) / G(j) = 0 for l = 1..d/4."""
    if d <= 4:
        return np.eye(k)[0]
    if k < d:
        raise ValueError(f"k is {k}, but {d} dimensions want at least k = {d}; fewer neighbours give weights that explode")
    allowed = np.unique([i * k // d for i in range(1, d + 1)])
    rows = [np.ones(len(allowed))]
    for order in range(1, d // 4 + 1):
        row = np.exp(gammaln(allowed + 2 * order / d) - gammaln(allowed))
        rows.append(row / np.linalg.norm(row))
    solution = np.linalg.lstsq(np.array(rows), np.eye(len(rows))[0], rcond=1e-6)[0]
    weights = np.zeros(k)
    weights[allowed - 1] = solution
    return weights
