r"""Scores of features by how well their span predicts itself: (R, n, d) now and one step later -> (R,), no decoder needed."""

import torch
from torch import Tensor

from lib.core import checks
from lib.core.types import Terms
from lib.koopman.information import loaded
from lib.nets.stacked import Bottleneck


def vamp2(past: Tensor, future: Tensor, *, load: float = 1e-6) -> Tensor:
    r"""Return |C_00^-1/2 C_01 C_11^-1/2|_F^2 = sum_i r_i^2, the squared canonical correlations, in [0, d].

    `load` times its mean is added to each covariance's diagonal. For normal features the information is
    -sum_i log(1 - r_i^2) / 2 of the same correlations. Source: [wu2020variational].
    """
    checks.paired(past, future)
    past, future = (z - z.mean(-2, keepdim=True) for z in (past, future))
    c01 = past.mT @ future
    onward = torch.linalg.solve(loaded(past.mT @ past, load), c01)
    back = torch.linalg.solve(loaded(future.mT @ future, load), c01.mT)
    return (onward * back.mT).sum((-2, -1))


def spectral_contrastive(past: Tensor, future: Tensor) -> Tensor:
    r"""Return mean_{i != j} <x_i, y_j>^2 - 2 mean_i <x_i, y_i>, least where x and y span the leading singular functions.

    No inverse; its least value is -sum_i s_i^2 over the d leading singular values, the constant function among them.
    Source: [haochen2021provable].
    """
    checks.paired(past, future)
    n, scores = past.shape[-2], past @ future.mT
    pairs = scores.diagonal(dim1=-2, dim2=-1)
    return (scores.square().sum((-2, -1)) - pairs.square().sum(-1)) / (n * (n - 1)) - 2 * pairs.mean(-1)


def vamp_terms(model: Bottleneck, x: Tensor, y: Tensor, noise: Tensor, *, score: str = "vamp2") -> Terms:
    """Return -VAMP-2, or the spectral contrastive loss, of the codes of windows x (R, B, T, n), and a price of 0.

    Nothing is decoded; `y` and `noise` are not used. Source: [wu2020variational].
    """
    z = model.mean(x.flatten(1, 2)).unflatten(1, x.shape[1:3])
    now, later = z[:, :, :-1].flatten(1, 2), z[:, :, 1:].flatten(1, 2)
    loss = checks.known(score, SCORES, "score")(now, later)
    return Terms(loss, torch.zeros_like(loss), {score: loss.detach(), "code": z.detach()})


SCORES = {"vamp2": lambda past, future: -vamp2(past, future), "spectral_contrastive": spectral_contrastive}
