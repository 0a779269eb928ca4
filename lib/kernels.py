"""Sums of Gaussian kernels over pairs of samples: the one place where N x N work is done.

A kernel of width w is exp(-|a - b|^2 / (2 w^2)), so dividing the samples by w leaves the unit kernel, and a product of
kernels is the unit kernel of concatenated samples. Every kernel estimator is therefore a formula over `row_sums`.

The pairs are walked in tiles, in a fixed order: one matrix product gives a tile's exponents, and row totals run in float64.
Kernels are kept for the gradient only while they fit KEPT_BYTES; otherwise their tiles are formed again.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

MEMORY_BUDGET = 32 * 2**20  # bytes of pairwise values one call may hold, forward and backward
KEPT_BYTES = MEMORY_BUDGET // 4  # of kernels between forward and backward
CACHE_TILE = 2**20  # bytes of a tile on a CPU, so that a core's cache holds it; other devices take a quarter of the budget
LOG2E = math.log2(math.e)

Tile = tuple[slice, slice, slice]  # members, rows, columns


def squared_distances(u: Tensor, v: Tensor) -> Tensor:
    """Return |u_i - v_j|^2, (..., n, d) and (..., m, d) -> (..., n, m), never negative; holds all pairs."""
    centre = 0.5 * (u.mean(-2, keepdim=True) + v.mean(-2, keepdim=True))
    u, v = u - centre, v - centre
    squares = u.square().sum(-1)[..., :, None] + v.square().sum(-1)[..., None, :]
    return (squares - 2 * u @ v.mT).clamp_min(0)


def median_distance(x: Tensor, *, most: int = 2000) -> float:
    """Return the (lower) median Euclidean distance over pairs of rows of x (n, d); of `most` rows drawn once if there are more.

    Errors: ValueError where the median is no width, as for one row or when half of all pairs coincide.
    """
    if len(x) > most:
        x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:most].to(x.device)]
    median = torch.pdist(x.detach()).median().item() if len(x) > 1 else 0.0
    if not 0 < median < math.inf:
        raise ValueError(f"the median distance of {len(x)} rows is {median}, which is no width; give a positive width yourself")
    return median


def row_sums(u: Tensor, v: Tensor | None = None) -> Tensor:
    """Return sum_j exp(-|u_i - v_j|^2 / 2), (..., n, d) and (..., m, d) -> (..., n), differentiable once in both.

    v=None means v=u, self pairs included as exactly 1. The error of an exponent is about the square of the largest centred
    |u_i|, times the precision of the dtype: narrow kernels on float32 data may want u.double().
    """
    return RowSums.apply(u, v, None)


def log_row_sums(u: Tensor, v: Tensor) -> Tensor:
    """Return log sum_j exp(-|u_i - v_j|^2 / 2) without underflow, (..., n, d) and (..., m, d) -> (..., n).

    A first pass finds each row's largest exponent, a second sums what is left relative to it; differentiable once in both.
    """
    top = largest_exponents(u.detach(), v.detach())
    return RowSums.apply(u, v, top).log() + top / LOG2E


def lifted(u: Tensor, v: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return A (r, d+2, n), B (r, d+2, m) with A'B = -log2(e) |u_i - v_j|^2 / 2, and v's own A; features before rows."""
    both = u.mean(-2, keepdim=True) if v is None else 0.5 * (u.mean(-2, keepdim=True) + v.mean(-2, keepdim=True))
    pairs = []
    for z in (u,) if v is None else (u, v):
        z = ((z - both) * math.sqrt(LOG2E)).reshape(-1, *z.shape[-2:]).mT
        norm = -0.5 * z.square().sum(-2, keepdim=True)
        one = torch.ones_like(norm)
        pairs.append((torch.cat([norm, z, one], -2), torch.cat([one, z, norm], -2)))
    return pairs[0][0], pairs[-1][1], pairs[-1][0]


def tiles(a: Tensor, b: Tensor, half: bool) -> Iterator[Tile]:
    """Walk all pairs in tiles of bounded size; several small members share one; `half` leaves out tiles above the diagonal."""
    room = (CACHE_TILE if a.device.type == "cpu" else MEMORY_BUDGET // 4) // a.element_size()
    members, n, m, edge = len(a), a.shape[-1], b.shape[-1], math.isqrt(room)
    group = max(1, room // (min(n, edge) * min(m, edge)))
    for c in range(0, members, group):
        for i in range(0, n, edge):
            for j in range(0, i + 1 if half else m, edge):
                yield slice(c, min(c + group, members)), slice(i, min(i + edge, n)), slice(j, min(j + edge, m))


def exponents(a: Tensor, b: Tensor, tile: Tile) -> Tensor:
    """Return one tile of A'B."""
    c, i, j = tile
    return torch.bmm(a[c, :, i].mT, b[c, :, j])


def kernel(a: Tensor, b: Tensor, tile: Tile, same: bool) -> Tensor:
    """Return one tile of 2^(A'B). The clamp keeps exp2 from denormal numbers, which are many times slower."""
    k = exponents(a, b, tile).clamp_(math.log2(torch.finfo(a.dtype).tiny), 0.0).exp2_()
    if same and tile[1] == tile[2]:
        k.diagonal(dim1=-2, dim2=-1).fill_(1.0)
    return k


def largest_exponents(u: Tensor, v: Tensor) -> Tensor:
    """Return max_j of the base-2 exponents, (..., n)."""
    a, b, _ = lifted(u, v)
    top = a.new_full((len(a), a.shape[-1]), -math.inf)
    for tile in tiles(a, b, half=False):
        c, i, _ = tile
        top[c, i] = torch.maximum(top[c, i], exponents(a, b, tile).amax(-1))
    return top.reshape(u.shape[:-1])


class RowSums(torch.autograd.Function):
    """Row sums of 2^(A'B - shift_i); d/du_i = sum_j W_ij (v_j - u_i), where W_ij = g_i K_ij, or (g_i + g_j) K_ij if v is u."""

    @staticmethod
    def forward(ctx: FunctionCtx, u: Tensor, v: Tensor | None, shift: Tensor | None) -> Tensor:
        """Sum tile by tile; a tile below the diagonal of v=u serves both of its sides."""
        half = v is None
        a, b, other = lifted(u, v)
        if shift is not None:
            a[:, 0] -= shift.reshape(len(a), -1)
        sums = a.new_zeros(len(a), a.shape[-1], dtype=torch.float64)
        keep = any(ctx.needs_input_grad) and len(a) * a.shape[-1] * b.shape[-1] * a.element_size() <= KEPT_BYTES
        kept = []
        for tile in tiles(a, b, half):
            (c, i, j), k = tile, kernel(a, b, tile, half)
            sums[c, i] += k.sum(-1)
            if half and i != j:
                sums[c, j] += k.sum(-2)
            if keep:
                kept.append(k)
        ctx.save_for_backward(a, b, other, *kept)
        ctx.shapes = u.shape, u.shape if half else v.shape, half
        return sums.to(u.dtype).reshape(u.shape[:-1])

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Weigh each tile and take its first moments: W [v, 1] towards u, W' [u, 1] towards v."""
        a, b, other, *kept = ctx.saved_tensors
        shape_u, shape_v, half = ctx.shapes
        g = grad.reshape(len(a), -1)
        to_u = torch.zeros_like(a[:, 1:])
        to_v = to_u if half else torch.zeros_like(other[:, 1:])
        for index, tile in enumerate(tiles(a, b, half)):
            c, i, j = tile
            k = kept[index] if kept else kernel(a, b, tile, half)
            w = (g[c, i, None] + g[c, None, j]).mul_(k) if half else g[c, i, None] * k
            if ctx.needs_input_grad[0]:
                to_u[c, :, i] += torch.bmm(other[c, 1:, j], w.mT)
            if i != j if half else ctx.needs_input_grad[1]:
                to_v[c, :, j] += torch.bmm(a[c, 1:, i], w)
        return pulled(a, to_u, shape_u), None if half else pulled(other, to_v, shape_v), None


def pulled(own: Tensor, moments: Tensor, shape: torch.Size) -> Tensor:
    """Return sum_j W_ij (v_j - u_i) from the moments W [v, 1]."""
    pull = moments[:, :-1] - own[:, 1:-1] * moments[:, -1:]
    return (pull / math.sqrt(LOG2E)).mT.reshape(shape)
