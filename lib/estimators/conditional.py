r"""Dependence of two variables given a third: CS-QMI within each value of the condition.

With kernel weights W_jk = M_jk / sum_k M_jk over the conditions y, sum_k W_jk kernel(x - x_k) kernel(t - t_k) estimates
p(x, t | y_j). The Cauchy-Schwarz divergence of p(x, t | y) from p(x | y) p(t | y), integrals over x and t averaged over the
y_j, is

I_CS(x; t | y) = log J + log P - 2 log C,
J = <(W (K.Q) W')_jj>, P = <(W K W')_jj (W Q W')_jj>, C = <sum_k W_jk (WK)_jk (WQ)_jk>,

K and Q the Gram matrices of x and t. Sums over triples (j, k, l): three matrix products, O(n^3) time (about 6 n^3 flops), in
panels of about kernels.MEMORY_BUDGET bytes, which are formed again for the gradient.
"""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from lib.core import checks
from lib.estimators.cs import over_selves, rounding
from lib.pairwise import sums as kernels

PANELS = 32  # n x e blocks that a panel and its gradient hold at a time; the allocator may add half as much again


def cs_qmi_conditional(
    x: Tensor, t: Tensor, y: Tensor, *, width_x: float = 1.0, width_t: float = 1.0, width_y: float = 1.0
) -> Tensor:
    r"""Return I_CS(x; t | y), the formula above.

    x: (..., n, dx), t: (..., n, dt), y: (..., n, dy), paired -> (...) float64, nats, >= 0, zero where x and t are independent
    within each smoothed value of y; cs_qmi(x, t) where y is constant. For jointly normal variables it tends to the CS-QMI of
    a normal pair whose covariance is S_xt - S_xt,y (S_y + width_y^2 I)^-1 S_y,xt. Few rows share a condition, so the bias is
    upward, falls as 1/n and grows as width_y falls: of independent standard normals, n = 500, unit widths, +0.0014; with
    width_y = 0.1, +0.014.
    Source: [yu2024csib] for the quantity; this plug-in is derived here.
    """
    return conditional(*scaled(x, t, y, width_x, width_t, width_y))


def cs_qmi_conditional_normalised(
    x: Tensor, t: Tensor, y: Tensor, *, width_x: float = 1.0, width_t: float = 1.0, width_y: float = 1.0
) -> Tensor:
    r"""Return I_CS(x; t | y) / sqrt(I_CS(x; x | y) I_CS(t; t | y)): 1 for x = t, 0 by definition where one of them is constant.

    Shapes, cost (three times) and source as for `cs_qmi_conditional`.
    """
    u, v, s = scaled(x, t, y, width_x, width_t, width_y)
    return over_selves(conditional(u, v, s), conditional(u, u, s), conditional(v, v, s), least=rounding(u.dtype))


def scaled(x: Tensor, t: Tensor, y: Tensor, width_x: float, width_t: float, width_y: float) -> tuple[Tensor, Tensor, Tensor]:
    """Check three paired samples of one precision and divide each by its width."""
    checks.paired(x, t), checks.paired(x, y)
    widths = (checks.positive(w, name) for w, name in ((width_x, "width_x"), (width_t, "width_t"), (width_y, "width_y")))
    dtype = torch.promote_types(torch.promote_types(x.dtype, t.dtype), y.dtype)
    return tuple(z.to(dtype) / w for z, w in zip((x, t, y), widths, strict=True))


def conditional(u: Tensor, v: Tensor, s: Tensor) -> Tensor:
    """Return log J + log P - 2 log C of samples in units of their widths, walking conditions j and columns l in blocks."""
    n, size = u.shape[-2], s.numel() // s.shape[-1] * s.element_size()
    edge = max(1, kernels.MEMORY_BUDGET // (PANELS * size))
    totals = kernels.row_sums(s)
    blocks = [slice(i, i + edge) for i in range(0, n, edge)]
    sums = []
    for rows in blocks:
        parts = [Panel.apply(u, v, s, totals, rows, columns) for columns in blocks]
        joint, own_x, own_t, cross = torch.stack(parts).sum(0)  # each (..., rows), for every condition of the block
        sums.append(torch.stack([joint, own_x * own_t, cross]).sum(-1))
    joint, product, cross = torch.stack(sums).sum(0).log()  # sums for means: n cancels
    return (joint + product - 2 * cross).clamp_min(0)


def panel(u: Tensor, v: Tensor, s: Tensor, totals: Tensor, rows: slice, columns: slice) -> Tensor:
    """Return the share of some columns in J_j, (W K W')_jj, (W Q W')_jj and C_j for some rows j, (4, ..., rows) float64."""
    weights = gram(s[..., rows, :], s) / totals[..., rows, None]
    k, q = gram(u, u[..., columns, :]), gram(v, v[..., columns, :])
    here = weights[..., columns]
    wk, wq = weights @ k, weights @ q
    terms = here * (weights @ (k * q)), here * wk, here * wq, here * wk * wq
    return torch.stack([z.sum(-1, dtype=torch.float64) for z in terms])


class Panel(torch.autograd.Function):
    """A panel that keeps nothing between forward and backward but its inputs."""

    @staticmethod
    def forward(ctx: FunctionCtx, u: Tensor, v: Tensor, s: Tensor, totals: Tensor, rows: slice, columns: slice) -> Tensor:
        """Sum, and forget the kernels."""
        ctx.save_for_backward(u, v, s, totals)
        ctx.place = rows, columns
        return panel(u, v, s, totals, rows, columns)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Form the panel again, this time with its graph."""
        leaves = [z.detach().requires_grad_() for z in ctx.saved_tensors]
        with torch.enable_grad():
            return *torch.autograd.grad(panel(*leaves, *ctx.place), leaves, grad), None, None


def gram(a: Tensor, b: Tensor) -> Tensor:
    """Return exp(-|a_i - b_j|^2 / 2)."""
    return (-0.5 * kernels.squared_distances(a, b)).exp()
