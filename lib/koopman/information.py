r"""Information between near frames of a code: by contrast, as printed, as coded and as it is bounded, and in closed form.

z: (R, B, T, d), B windows of T frames of R members -> (R,), nats. An anchor's positives are the 2 k frames around it.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from lib.core import checks
from lib.estimators.variational import infonce


def framed(z: Tensor, reach: int) -> Tensor:
    """Refuse windows too short for an anchor with all its neighbours, where the public code would return zero."""
    if z.ndim != 4:
        raise ValueError(f"z must be (R, B, T, d), got {tuple(z.shape)}; stack windows of every member")
    if z.shape[2] <= 2 * checks.counted(reach, "reach"):
        raise ValueError(f"windows of {z.shape[2]} frames have no anchor with {reach} neighbours on both sides; take T > 2 k")
    return z


def infonce_batch(z: Tensor, *, reach: int = 3, temperature: float = 0.1) -> Tensor:
    r"""Return mean over i <= k of mean log [ e^s(z_t, z_{t+i}) / mean_j e^s(z_t, z^j_{t+i}) ], s = cosine / temperature.

    Others are the same frame of the other windows, so that it is a lower bound on I(z_t; z_{t+i}), at most log B. Both
    directions of time are taken. Source: [oord2018representation], for [cheng2026information].
    """
    unit = F.normalize(framed(z, reach), dim=-1).transpose(1, 2)  # (R, T, B, d)
    found = []
    for i in range(1, reach + 1):
        scores = unit[:, :-i] @ unit[:, i:].mT / temperature  # (R, T - i, B, B)
        found += [infonce(scores).mean(1), infonce(scores.mT).mean(1)]
    return torch.stack(found).mean(0)


def infonce_printed(z: Tensor, *, reach: int = 3, temperature: float = 0.1) -> Tensor:
    r"""Return mean_p log [ e^(z_n.z_p / temperature) / sum_j e^(z_n.z_j / temperature) ], j over the batch, as printed.

    Raw products, anchors with all 2 k neighbours. The sum holds z_n itself and not the positive, so that no bound holds: a
    longer neighbour in the same direction scores without limit. Source: [cheng2026information], Alg. 1.
    """
    frames = framed(z, reach).transpose(1, 2)  # (R, T, B, d)
    anchor = frames[:, reach : frames.shape[1] - reach]
    others = (anchor @ anchor.mT / temperature).logsumexp(-1)  # (R, anchors, B)
    shifts = [i for i in range(-reach, reach + 1) if i]
    near = [frames[:, reach + i : frames.shape[1] - reach + i] for i in shifts]
    return torch.stack([((anchor * p).sum(-1) / temperature - others).mean((1, 2)) for p in near]).mean(0)


def infonce_window(z: Tensor, *, reach: int = 3, temperature: float = 0.1) -> Tensor:
    r"""Return mean log [ sum_p e^s / (sum_p e^s + sum_q e^s) ], q the other frames of the same window, as coded; at most 0.

    s = cosine / temperature. It pushes recurrent states of one window apart, and saturates once neighbours stand out.
    Source: [cheng2026information], its code.
    """
    unit = F.normalize(framed(z, reach), dim=-1)
    t = torch.arange(z.shape[2], device=z.device)
    anchors = t[reach : len(t) - reach]
    gap = (anchors[:, None] - t).abs()
    scores = (unit[:, :, anchors] @ unit.mT / temperature).masked_fill(gap == 0, -math.inf)  # (R, B, anchors, T)
    near = scores.masked_fill(gap > reach, -math.inf)
    return (near.logsumexp(-1) - scores.logsumexp(-1)).mean((1, 2))


def gaussian_information(z: Tensor, *, reach: int = 1, load: float = 1e-4) -> Tensor:
    r"""Return [log|C_1| - log|C_1 - C_10 C_0^-1 C_01|] / 2 of z_t and z_{t+k}, k = `reach`, as if they were normal.

    `load` times its mean is added to the diagonal of each covariance. A function of the canonical correlations alone, as a
    VAMP score is. Source: [cheng2026information], eq. 7.
    """
    past, future = (w.flatten(1, 2) for w in (framed(z, reach)[:, :, :-reach], z[:, :, reach:]))
    past, future = (w - w.mean(1, keepdim=True) for w in (past, future))
    c00, c01, c11 = (loaded(past.mT @ past, load), past.mT @ future, loaded(future.mT @ future, load))
    left = c11 - c01.mT @ torch.linalg.solve(c00, c01)
    return (volume(c11) - volume((left + left.mT) / 2)) / 2


def loaded(c: Tensor, load: float) -> Tensor:
    """Return c + load * (mean of its diagonal) I."""
    mean = c.diagonal(dim1=-2, dim2=-1).mean(-1) + torch.finfo(c.dtype).tiny
    return c + load * mean[..., None, None] * torch.eye(c.shape[-1], dtype=c.dtype, device=c.device)


def volume(c: Tensor) -> Tensor:
    """Return log |c| of positive definite matrices (..., d, d)."""
    return 2 * torch.linalg.cholesky(c).diagonal(dim1=-2, dim2=-1).log().sum(-1)


INFORMATION = {
    "infonce_batch": infonce_batch,
    "infonce_printed": infonce_printed,
    "infonce_window": infonce_window,
    "gaussian": lambda z, *, reach, temperature: gaussian_information(z, reach=1),
}
