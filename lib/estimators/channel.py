r"""Information that passes a known channel: a code drawn from q(z|x), whose density can be evaluated.

Everything follows from the table L_ij = log q(z_i | x_j) of one code for each input, so the same formulas serve inputs and
their codes, or data sets and the weights that were learnt from them. Given labels, inputs are compared within a class only.
"""

import math

import torch
from torch import Tensor

from lib.core import checks


def log_densities(z: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    r"""Return log N(z_i; mean_j, diag(deviation_j^2)) for every pair, as one matrix product.

    z, mean, deviation: (..., n, k) -> (..., n, n), nats. The squares are expanded, so the absolute error is about the largest
    (z - centre)^2 / deviation^2 times the precision of the dtype: narrow channels want double.
    Errors: shapes that differ; deviations that are not positive.
    """
    checks.matrix(z, "z"), checks.matrix(mean, "mean"), checks.matrix(deviation, "deviation")
    if not z.shape == mean.shape == deviation.shape:
        shapes = ", ".join(str(tuple(t.shape)) for t in (z, mean, deviation))
        raise ValueError(f"z, mean and deviation must have one shape, got {shapes}; give one code for each input")
    if not (deviation > 0).all():
        raise ValueError(f"deviation must be > 0, got {deviation.min().item()}; a channel without noise has no density")
    return pair_densities(z, mean, deviation)


def pair_densities(z: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Return `log_densities` of arguments that are known to be right; what is not finite stays so."""
    centre = mean.detach().mean(-2, keepdim=True)
    z, mean, precision = z - centre, mean - centre, deviation.pow(-2)
    constant = (mean.square() * precision + 2 * deviation.log()).sum(-1) + z.shape[-1] * math.log(2 * math.pi)
    pairs = torch.cat([z.square(), -2 * z], -1) @ torch.cat([precision, mean * precision], -1).mT
    return -0.5 * (pairs + constant[..., None, :])


def mi_channel(logs: Tensor, y: Tensor | None = None) -> Tensor:
    r"""Return mean_i [L_ii - log mean_j exp L_ij]: I(X;Z), or I(X;Z|Y) with j among the inputs of i's class.

    logs: (..., n, n) of log q(z_i|x_j), y: (..., n) labels -> (...), nats. An unbiased estimate, over draws of z, of the
    information on which of these n inputs was sent, so its mean is at most log n, and so is every draw: L_ii is in the mean.
    Source: [kawaguchi2023how].
    """
    same = classes(logs, y)
    mixture = logs.masked_fill(~same, -math.inf).logsumexp(-1) - same.sum(-1).to(logs.dtype).log()
    return (logs.diagonal(dim1=-2, dim2=-1) - mixture).mean(-1)


def mi_channel_jensen(logs: Tensor, y: Tensor | None = None) -> Tensor:
    r"""Return mean_i [L_ii - mean_j L_ij], the bound on `mi_channel` that Jensen's inequality gives; it has no ceiling.

    logs: (..., n, n) of log q(z_i|x_j), y: (..., n) labels -> (...), nats; over draws of z the mean divergence
    KL(q(z|x_i) || q(z|x_j)) of a pair of inputs, i = j included. Source: [kawaguchi2023how].
    """
    same = classes(logs, y)
    mean = logs.where(same, torch.zeros_like(logs)).sum(-1) / same.sum(-1)
    return (logs.diagonal(dim1=-2, dim2=-1) - mean).mean(-1)


def classes(logs: Tensor, y: Tensor | None) -> Tensor:
    """Return who is compared with whom, (..., n, n) or broadcast to it."""
    if logs.ndim < 2 or logs.shape[-1] != logs.shape[-2]:
        raise ValueError(f"logs must have shape (..., n, n), got {tuple(logs.shape)}; give log q(z_i|x_j) for every pair")
    if y is None:
        return torch.ones(logs.shape[-2:], dtype=torch.bool, device=logs.device)
    if y.is_floating_point() or y.shape[-1:] != logs.shape[-1:]:
        raise ValueError(f"y must hold {logs.shape[-1]} integer labels, got {y.dtype} of shape {tuple(y.shape)}; one a code")
    return y[..., :, None] == y[..., None, :]
