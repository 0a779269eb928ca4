"""Sums of Gaussian kernels over pairs of samples: the one place where N x N work is done.

A kernel of width w is exp(-|a - b|^2 / (2 w^2)), so dividing the samples by w leaves the unit kernel. A product of kernels
is the unit kernel of concatenated samples. Every estimator here is therefore a formula over `row_sums` and `log_row_sums`.

No N x N matrix larger than MEMORY_BUDGET bytes is ever held, forward or backward: above it, tiles are formed, summed and
dropped, and formed again for the gradient.
"""

import math

import torch
from torch import Tensor

MEMORY_BUDGET = 32 * 2**20  # bytes of pairwise values at any time
LOG2E = math.log2(math.e)
LEAST_EXPONENT = {torch.float32: -126.0, torch.float64: -1022.0}  # below it exp2 is denormal, and 34 times slower


def squared_distances(u: Tensor, v: Tensor) -> Tensor:
    """Return |u_i - v_j|^2, (..., n, d) and (..., m, d) -> (..., n, m), never negative."""
    centre = u.mean(-2, keepdim=True)
    u, v = u - centre, v - centre
    squares = u.square().sum(-1)[..., :, None] + v.square().sum(-1)[..., None, :]
    return (squares - 2 * u @ v.mT).clamp_min(0)


def median_distance(x: Tensor, *, most: int = 2000) -> float:
    """Return the median Euclidean distance between distinct rows of x (n, d), of the first `most` rows if there are more.

    Errors: ValueError if half of all pairs coincide, since a width of zero is no width.
    """
    x = x[:most]
    i, j = torch.triu_indices(len(x), len(x), 1)
    median = squared_distances(x, x)[i, j].median().sqrt().item()
    if not median > 0:
        raise ValueError(f"the median distance of {len(x)} rows is {median}; half of them coincide, so give a width yourself")
    return median


def row_sums(u: Tensor, v: Tensor | None = None) -> Tensor:
    """Return sum_j exp(-|u_i - v_j|^2 / 2), (..., n, d) and (..., m, d) -> (..., n).

    v=None means v=u, self pairs (value 1) included. Differentiable in both; sums of tiles run in float64.
    """
    return RowSums.apply(u, v)


def log_row_sums(u: Tensor, v: Tensor) -> Tensor:
    """Return log sum_j exp(-|u_i - v_j|^2 / 2) without underflow, (..., n, d) and (..., m, d) -> (..., n).

    Each row is shifted by its own largest exponent, found in a first pass that needs no gradient.
    """
    parts = [LogRows.apply(u[..., rows, :], v) for rows in tiles(u, v)]
    return torch.cat(parts, -1)


def tiles(u: Tensor, v: Tensor) -> list[slice]:
    """Return slices of u's rows such that one tile against all of v stays within the budget (a quarter, for temporaries)."""
    row = math.prod(u.shape[:-2]) * v.shape[-2] * u.element_size()
    step = max(1, MEMORY_BUDGET // (4 * row))
    return [slice(start, start + step) for start in range(0, u.shape[-2], step)]


def factors(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Return A (..., n, d+2), B (..., m, d+2) with A B^T = -log2(e) |u_i - v_j|^2 / 2: one product gives the exponent."""
    centre = v.mean(-2, keepdim=True)
    u, v = (u - centre) * math.sqrt(LOG2E), (v - centre) * math.sqrt(LOG2E)
    nu, nv = (-0.5 * z.square().sum(-1, keepdim=True) for z in (u, v))
    return torch.cat([u, nu, torch.ones_like(nu)], -1), torch.cat([v, torch.ones_like(nv), nv], -1)


def kernel(a: Tensor, b: Tensor) -> Tensor:
    """Return 2^(A B^T), exponents clamped to those of normal numbers; rounding may leave a self pair an ulp above 1."""
    return (a @ b.mT).clamp_(LEAST_EXPONENT[a.dtype], 0.0).exp2_()


class RowSums(torch.autograd.Function):
    """d/du_i sum_k g_k r_k = sum_j (g_i [+ g_j if v = u]) K_ij (v_j - u_i); tiles of K are formed again for it."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, u: Tensor, v: Tensor | None) -> Tensor:
        """Sum tiles row by row."""
        ctx.save_for_backward(u, v)
        a, b = factors(u, u if v is None else v)
        sums = [kernel(a[..., rows, :], b).sum(-1) for rows in tiles(u, b)]
        return sums[0] if len(sums) == 1 else torch.cat(sums, -1)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Recompute the tiles, weigh them, and let the weights ride on one matrix product each."""
        u, v = ctx.saved_tensors
        other = u if v is None else v
        a, b = factors(u, other)
        right = torch.cat([other, torch.ones_like(other[..., :1])], -1)  # (..., m, d+1): sum_j K_ij v_j and sum_j K_ij
        grad_u = torch.empty_like(u) if ctx.needs_input_grad[0] else None
        grad_v = torch.zeros_like(right) if v is not None and ctx.needs_input_grad[1] else None
        for rows in tiles(u, b):
            k = kernel(a[..., rows, :], b)
            own = grad[..., rows, None]
            if grad_u is not None:
                moment = own * (k @ right)
                if v is None:
                    moment = moment + k @ (grad[..., None] * right)
                grad_u[..., rows, :] = moment[..., :-1] - u[..., rows, :] * moment[..., -1:]
            if grad_v is not None:
                grad_v += k.mT @ (own * torch.cat([u[..., rows, :], torch.ones_like(own)], -1))
        if grad_v is not None:
            grad_v = grad_v[..., :-1] - v * grad_v[..., -1:]
        return grad_u, grad_v


class LogRows(torch.autograd.Function):
    """One tile of log row sums; the softmax of the exponents, formed again, carries the gradient."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, u: Tensor, v: Tensor) -> Tensor:
        """Return logsumexp of the exponents."""
        ctx.save_for_backward(u, v)
        return (squared_distances(u, v) / -2).logsumexp(-1)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, Tensor]:
        """d/du_i = g_i (sum_j w_ij v_j - u_i), d/dv_j = sum_i g_i w_ij (u_i - v_j)."""
        u, v = ctx.saved_tensors
        weights = (squared_distances(u, v) / -2).softmax(-1) * grad[..., None]
        return weights @ v - grad[..., None] * u, weights.mT @ u - weights.sum(-2)[..., None] * v
