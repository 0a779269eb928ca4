"""Sums of Gaussian kernels over pairs of samples: the one place where N x N work is done.

A kernel of width w is exp(-|a - b|^2 / (2 w^2)), so dividing the samples by w leaves the unit kernel, and a product of
kernels is the unit kernel of concatenated samples. Every kernel estimator is therefore a formula over `row_sums`.

Three engines give the same sums: `Whole` holds all pairs while they are few; `Tiled` walks them in tiles, in a fixed order,
with row totals in float64; lib/pairwise/triton.py takes float32 on a GPU. All exponents are of base 2, which is the faster;
self pairs are counted apart, as exactly 1 in a sum and nothing in a gradient.
"""

import math
from collections.abc import Iterator
from types import ModuleType

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

MEMORY_BUDGET = 32 * 2**20  # bytes of pairwise values one call may hold, forward and backward
WHOLE_BYTES = MEMORY_BUDGET // 8  # of all pairs at once; beyond, gradients were measured faster in tiles that a cache holds
CACHE_TILE = 2**20  # bytes of a tile on a CPU, so that a core's cache holds it; other devices take a quarter of the budget
LOG2E = math.log2(math.e)
SCALE = math.sqrt(LOG2E)  # |SCALE a - SCALE b|^2 / 2 is the exponent to base 2

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
    return shifted_sums(u, v, None)


def log_row_sums(u: Tensor, v: Tensor) -> Tensor:
    """Return log sum_j exp(-|u_i - v_j|^2 / 2) without underflow, (..., n, d) and (..., m, d) -> (..., n).

    A first pass finds each row's largest exponent, a second sums what is left relative to it; differentiable once in both.
    """
    top = largest_exponents(u.detach(), v.detach())
    return shifted_sums(u, v, top).log() + top / LOG2E


def few(u: Tensor, v: Tensor | None) -> bool:
    """Say whether all pairs may be held at once."""
    return u.numel() // u.shape[-1] * (u if v is None else v).shape[-2] * u.element_size() <= WHOLE_BYTES


def fused(u: Tensor) -> ModuleType | None:
    """Return lib/pairwise/triton.py where it serves; imported here, as machines without a GPU need no Triton."""
    if not u.is_cuda or u.dtype != torch.float32:
        return None
    from lib.pairwise import triton as module

    return module if u.shape[-1] <= module.MOST_FEATURES else None


def shifted_sums(u: Tensor, v: Tensor | None, shift: Tensor | None) -> Tensor:
    """Return sum_j 2^(e_ij - shift_i), chosen by device, precision and number of pairs."""
    if gpu := fused(u):
        a, b = centred(u, v)
        return gpu.Fused.apply(a, None if v is None else b, shift)
    if not few(u, v):
        return Tiled.apply(u, v, shift)
    # Recording a small sum that no gradient will need would take a quarter of its time.
    wanted = torch.is_grad_enabled() and (u.requires_grad or (v is not None and v.requires_grad))
    return Whole.apply(u, v, shift) if wanted else whole(u, v, shift)[0]


def largest_exponents(u: Tensor, v: Tensor) -> Tensor:
    """Return max_j of the exponents, (..., n)."""
    if gpu := fused(u):
        return gpu.largest_exponents(*centred(u, v))
    if few(u, v):
        return whole_exponents(u, v)[2].amax(-1)
    a, b, _ = lifted(u, v)
    top = a.new_full((len(a), a.shape[-1]), -math.inf)
    for tile in tiles(a, b, half=False):
        rows = top[tile[:2]]
        torch.maximum(rows, exponents(a, b, tile).amax(-1), out=rows)
    return top.reshape(u.shape[:-1])


def centred(u: Tensor, v: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return both samples around their common centre, times SCALE."""
    centre = u.mean(-2, keepdim=True) if v is None else 0.5 * (u.mean(-2, keepdim=True) + v.mean(-2, keepdim=True))
    a = (u - centre).mul_(SCALE)
    return a, a if v is None else (v - centre).mul_(SCALE)


def lowest(dtype: torch.dtype) -> float:
    """Return the exponent below which 2^e is denormal, many times slower."""
    return math.log2(torch.finfo(dtype).tiny)


def whole_exponents(u: Tensor, v: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return a and b, centred, and -|a_i - b_j|^2 / 2, (..., n, m)."""
    a, b = centred(u, v)
    left = a.square().sum(-1, keepdim=True)
    right = left if v is None else b.square().sum(-1, keepdim=True)
    return a, b, (a @ b.mT).add_(left, alpha=-0.5).add_(right.mT, alpha=-0.5)


def whole(u: Tensor, v: Tensor | None, shift: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the row sums of all kernels 2^(e_ij - shift_i), and a, b, kernels."""
    a, b, k = whole_exponents(u, v)
    if shift is not None:
        k -= shift[..., None]
    k.clamp_(lowest(k.dtype), 0.0).exp2_()
    if v is None:
        k.diagonal(dim1=-2, dim2=-1).zero_()
    return k.sum(-1).add_(float(v is None)), a, b, k


class Whole(torch.autograd.Function):
    """Row sums from one matrix of all kernels, kept for the gradient, which is that of Tiled."""

    @staticmethod
    def forward(ctx: FunctionCtx, u: Tensor, v: Tensor | None, shift: Tensor | None) -> Tensor:
        """Sum, and keep the kernels."""
        sums, *kept = whole(u, v, shift)
        ctx.save_for_backward(*kept)
        ctx.half = v is None
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Weigh the kernels and take their first moments towards each side."""
        a, b, k = ctx.saved_tensors
        w = (grad[..., :, None] + grad[..., None, :]).mul_(k) if ctx.half else grad[..., :, None] * k
        to_u = pull(w, a, b) if ctx.needs_input_grad[0] else None
        return to_u, pull(w.mT, b, a) if ctx.needs_input_grad[1] else None, None


def pull(w: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return sum_j W_ij (b_j - a_i) in units of u; features lead in the product, which is four times faster so."""
    return (b.mT @ w.mT).mT.sub_(w.sum(-1, keepdim=True) * a).div_(SCALE)


def lifted(u: Tensor, v: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return A (r, d+2, n), B (r, d+2, m) with A'B = -log2(e) |u_i - v_j|^2 / 2, and v's own A; features before rows."""
    pairs = []
    for z in centred(u, v)[: 1 if v is None else 2]:
        z = z.reshape(-1, *z.shape[-2:]).mT
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


def floor(a: Tensor, other: Tensor, *, power: int = 1) -> float | None:
    """Return the exponent to clamp at, that kernels to a power be no denormal numbers; None if no argument gets there."""
    # |a - b|^2 <= 4 max |z|^2, so that no exponent is less than 4 min(-|z|^2 / 2).
    least = 4 * min(a[:, 0].min().item(), other[:, 0].min().item())
    return lowest(a.dtype) if power * least < lowest(a.dtype) else None


def kernel(a: Tensor, b: Tensor, tile: Tile, *, same: bool, least: float | None) -> Tensor:
    """Return one tile of 2^(A'B), exponents clamped from below; 0 for self pairs."""
    k = exponents(a, b, tile)
    if least is not None:
        k.clamp_(least, 0.0)
    k.exp2_()
    if same and tile[1] == tile[2]:
        k.diagonal(dim1=-2, dim2=-1).zero_()
    return k


def add_sums(sums: Tensor, k: Tensor, tile: Tile, half: bool) -> None:
    """Add a tile to the totals; one below the diagonal of v=u serves both of its sides."""
    c, i, j = tile
    sums[c, i].add_(k.sum(-1))
    if half and i != j:
        sums[c, j].add_(k.sum(-2))


class Tiled(torch.autograd.Function):
    """Row sums of 2^(A'B - shift_i); d/du_i = sum_j W_ij (v_j - u_i), where W_ij = g_i K_ij, or (g_i + g_j) K_ij if v is u."""

    @staticmethod
    def forward(ctx: FunctionCtx, u: Tensor, v: Tensor | None, shift: Tensor | None) -> Tensor:
        """Sum tile by tile."""
        half = v is None
        a, b, other = lifted(u, v)
        least = floor(a, other)
        if shift is not None:
            a[:, 0] -= shift.reshape(len(a), -1)
        sums = a.new_full((len(a), a.shape[-1]), float(half), dtype=torch.float64)
        for tile in tiles(a, b, half):
            add_sums(sums, kernel(a, b, tile, same=half, least=least), tile, half)
        ctx.save_for_backward(a, b, other)
        ctx.shapes, ctx.half, ctx.least = (u.shape, u.shape if half else v.shape), half, least
        return sums.to(u.dtype).reshape(u.shape[:-1])

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Form each tile again, weigh it and take its first moments: W [v, 1] towards u, W' [u, 1] towards v."""
        a, b, other = ctx.saved_tensors
        half, g = ctx.half, grad.reshape(len(a), -1)
        to_u = torch.zeros_like(a[:, 1:])
        to_v = to_u if half else torch.zeros_like(other[:, 1:])
        for tile in tiles(a, b, half):
            (c, i, j), k = tile, kernel(a, b, tile, same=half, least=ctx.least)
            w = (g[c, i, None] + g[c, None, j]).mul_(k) if half else g[c, i, None] * k
            if ctx.needs_input_grad[0]:
                to_u[c, :, i] += torch.bmm(other[c, 1:, j], w.mT)
            if i != j if half else ctx.needs_input_grad[1]:
                to_v[c, :, j] += torch.bmm(a[c, 1:, i], w)
        return pulled(a, to_u, ctx.shapes[0]), None if half else pulled(other, to_v, ctx.shapes[1]), None


def pulled(own: Tensor, moments: Tensor, shape: torch.Size) -> Tensor:
    """Return sum_j W_ij (v_j - u_i) from the moments W [v, 1]."""
    return ((moments[:, :-1] - own[:, 1:-1] * moments[:, -1:]) / SCALE).mT.reshape(shape)
