r"""Von Neumann entropy of a code, S(rho) = -tr rho log rho of rho = C / tr C, in the forms that training can use.

z: (..., n, d), leading axes are stacked members -> (...), nats. exp S is the effective dimension, between 1 and min(n - 1, d).
C and the centred linear Gram matrix share their spectrum, so S is the matrix entropy of a linear kernel as its order goes to 1.
"""

import math

import torch
from torch import Tensor

from lib.core import checks
from lib.estimators.renyi import renyi_entropy


def spectrum(z: Tensor) -> Tensor:
    """Return the eigenvalues of C / tr C, rising, (..., min(n, d)): of the smaller of covariance and Gram matrix.

    The others are zero. Their gradient is finite where eigenvalues coincide. A code without variance has only zeros.
    """
    z = checks.matrix(z, "z") - z.mean(-2, keepdim=True)
    gram = z.mT @ z if z.shape[-1] <= z.shape[-2] else z @ z.mT
    return torch.linalg.eigvalsh(gram / trace(gram)[..., None, None])


def trace(c: Tensor) -> Tensor:
    """Return the trace (...) of matrices (..., d, d), and at least the smallest number."""
    return c.diagonal(dim1=-2, dim2=-1).sum(-1).clamp_min(torch.finfo(c.dtype).tiny)


def entropy_mixed(z: Tensor, *, mix: float = 1e-4) -> Tensor:
    r"""Return S((1 - e) rho + e I / d), e = `mix`: weak directions still feel a gradient.

    Source: [cheng2026information] for S.
    """
    weights = spectrum(z).clamp_min(0)
    d = z.shape[-1]
    mixed = (1 - mix) * weights + mix / d
    dead = (d - weights.shape[-1]) * (mix / d) * math.log(d / mix) if mix else 0.0
    return dead - torch.xlogy(mixed, mixed).sum(-1)


def entropy_order2(z: Tensor) -> Tensor:
    r"""Return S_2(rho) = -log tr rho^2 = 2 log tr C - log |C|_F^2 <= S: no eigenvalues, and exp S_2 is the participation ratio.

    Source: [sanchez2015measures] for the order.
    """
    z = checks.matrix(z, "z") - z.mean(-2, keepdim=True)
    gram = z.mT @ z if z.shape[-1] <= z.shape[-2] else z @ z.mT
    return -(gram / trace(gram)[..., None, None]).square().sum((-2, -1)).clamp_min(torch.finfo(z.dtype).tiny).log()


def entropy_clamped(z: Tensor, *, floor: float = 1e-8) -> Tensor:
    r"""Return -sum_i l_i log l_i, l_i = max(eigenvalue, floor), as in the public code.

    A direction below the floor feels no more than its share of the trace: log(d / mix) times less than by `entropy_mixed`.

    Source: [cheng2026information], its code.
    """
    weights = spectrum(z).clamp_min(floor)
    dead = (z.shape[-1] - weights.shape[-1]) * floor * math.log(1 / floor)
    return dead - torch.xlogy(weights, weights).sum(-1)


def entropy_kernel(z: Tensor, *, width: float = 1.0, alpha: float = 2) -> Tensor:
    r"""Return the matrix entropy of order alpha of the Gaussian Gram matrix, at most log n, member by member.

    Source: [sanchez2015measures].
    """
    members = checks.matrix(z, "z").reshape(-1, *z.shape[-2:])
    found = torch.stack([renyi_entropy(member, width=width, alpha=alpha) for member in members])
    return found.reshape(z.shape[:-2]).to(z.dtype)


@torch.no_grad()
def portrait(z: Tensor) -> dict[str, Tensor]:
    """Return what a code's spectrum looks like: exp S, S / log d and the share of the strongest mode, each (...)."""
    weights = spectrum(z).clamp_min(0)
    s = -torch.xlogy(weights, weights).sum(-1)
    fill = s / math.log(z.shape[-1]) if z.shape[-1] > 1 else torch.ones_like(s)
    return {"effective_dimension": s.exp(), "fill": fill, "top_share": weights[..., -1]}


ENTROPIES = {"mixed": entropy_mixed, "order2": entropy_order2, "clamped": entropy_clamped, "kernel": entropy_kernel}
