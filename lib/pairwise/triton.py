"""Sums of Gaussian kernels over pairs on a GPU, in the manner of flash attention: exponents never leave the multiprocessor.

Rows are a_i, columns b_j, both centred and scaled so that a kernel is 2^(e_ij), e_ij = -|a_i - b_j|^2 / 2. Tensor cores take
11 bits of a factor (TF32), which is too few for an exponent, so each number is split once, before the walk, into a high and
a low part. Of few features, e_ij is one product of concatenated parts, norms included; of many, three products are added.
Either has the error of float32.

A program owns a tile of rows, walks the columns in a fixed order and adds float32 sums of some tiles of columns to float64
totals; no two programs write to one place, so repeats are bit-identical. Memory is O(n d).

On an H200 the sums reach two thirds of the rate of the special units alone (reports/benchmarks_gpu.md). Taking one power in
four by a polynomial on the multiply-add units, to relieve them, was a quarter slower.
"""

import math
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

MOST_FEATURES = 64  # whose parts a multiprocessor's shared memory holds
MOST_JOINED = 20  # features whose concatenated parts are at most 64; beyond, three products were measured faster
PROGRAMS = 1024  # below this many, columns are split between programs too, to keep every multiprocessor busy


class Tile(NamedTuple):
    """How much a program takes at a time."""

    rows: int
    columns: int
    blocks: int  # of columns, whose sums stay in float32
    warps: int


def tile(d: int, *, gradient: bool) -> Tile:
    """Return the tile for d features."""
    if gradient:
        return Tile(64, 64, 1, 4) if d <= MOST_JOINED else Tile(64, 32, 1, 4)
    return Tile(128, 64, 4, 8) if d <= MOST_JOINED else Tile(64, 64, 1, 4)


@triton.jit
def high(x):  # noqa: ANN201
    """Return x rounded to the 11 bits of TF32."""
    return ((x.to(tl.int32, bitcast=True) + 4096) & -8192).to(tl.float32, bitcast=True)


@triton.jit
def block(z, first, size, COUNT: tl.constexpr, WIDE: tl.constexpr, EDGE: tl.constexpr):  # noqa: ANN201
    """Load COUNT samples from `first` on; on an edge, absent ones are zero."""
    index = first + tl.arange(0, COUNT)
    place = z + index[:, None] * WIDE + tl.arange(0, WIDE)[None, :]
    return tl.load(place, index[:, None] < size, 0.0) if EDGE else tl.load(place)


@triton.jit
def exponent(  # noqa: ANN201
    a, low, norms, b, b_low, b_norms, first, m,
    COLUMNS: tl.constexpr, WIDE: tl.constexpr, JOINED: tl.constexpr, EDGE: tl.constexpr,
):  # fmt: skip
    """Return -|a_i - b_j|^2 / 2 of a tile of rows and the columns from `first` on."""
    columns = tl.trans(block(b, first, m, COLUMNS, WIDE, EDGE))
    e = tl.dot(a, columns, input_precision="tf32")
    if not JOINED:
        j = first + tl.arange(0, COLUMNS)
        e = tl.dot(low, columns, e, input_precision="tf32")
        e = tl.dot(a, tl.trans(block(b_low, first, m, COLUMNS, WIDE, EDGE)), e, input_precision="tf32")
        e += norms[:, None] + (tl.load(b_norms + j, j < m, 0.0) if EDGE else tl.load(b_norms + j))[None, :]
    return e


@triton.jit
def kernel(e, i, j, m, SAME: tl.constexpr, EDGE: tl.constexpr):  # noqa: ANN201
    """Return 2^e; on an edge, 0 for absent columns and for self pairs, which are counted apart."""
    k = tl.exp2(tl.minimum(e, 0.0))
    if EDGE:
        present = (j[None, :] < m) & (i[:, None] != j[None, :]) if SAME else (j[None, :] < m)
        k = tl.where(present, k, 0.0)
    return k


@triton.jit
def span_sums(  # noqa: ANN201
    a, low, norms, i, b, b_low, b_norms, start, m,
    WIDE: tl.constexpr, JOINED: tl.constexpr, SAME: tl.constexpr, LARGEST: tl.constexpr, ROWS: tl.constexpr,
    COLUMNS: tl.constexpr, BLOCKS: tl.constexpr, EDGE: tl.constexpr,
):  # fmt: skip
    """Sum the kernels of a tile of rows over one span of columns, or find the largest exponents."""
    span = tl.full((ROWS,), float("-inf") if LARGEST else 0.0, tl.float32)
    for s in tl.static_range(BLOCKS):
        first = start + s * COLUMNS
        j = first + tl.arange(0, COLUMNS)
        e = exponent(a, low, norms, b, b_low, b_norms, first, m, COLUMNS, WIDE, JOINED, EDGE)
        if LARGEST:
            span = tl.maximum(span, tl.max(tl.where(j[None, :] < m, e, float("-inf")) if EDGE else e, 1))
        else:
            span += tl.sum(kernel(e, i, j, m, SAME, EDGE), 1)
    return span


@triton.jit
def reduce_rows(  # noqa: ANN201
    a, low, norms, b, b_low, b_norms, out, n, m, each,
    WIDE: tl.constexpr, JOINED: tl.constexpr, SAME: tl.constexpr, LARGEST: tl.constexpr, ROWS: tl.constexpr,
    COLUMNS: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    """Sum the kernels of a tile of rows, or find its largest exponents, over one part of `each` columns."""
    top, part, member = tl.program_id(0) * ROWS, tl.program_id(1), tl.program_id(2).to(tl.int64)
    i = top + tl.arange(0, ROWS)
    rows = block(a + member * n * WIDE, top, n, ROWS, WIDE, True)
    rows_low = rows if JOINED else block(low + member * n * WIDE, top, n, ROWS, WIDE, True)
    own = tl.load(norms + member * n + i, i < n, 0.0)
    b += member * m * WIDE
    b_low += member * m * WIDE
    b_norms += member * m
    total = tl.full((ROWS,), float("-inf") if LARGEST else 0.0, tl.float64)
    for start in range(part * each, tl.minimum(part * each + each, m), COLUMNS * BLOCKS):
        stop = start + COLUMNS * BLOCKS
        if (stop > m) | (SAME & (start < top + ROWS) & (top < stop)):
            span = span_sums(
                rows, rows_low, own, i, b, b_low, b_norms, start, m, WIDE, JOINED, SAME, LARGEST, ROWS, COLUMNS, BLOCKS, True
            )
        else:
            span = span_sums(
                rows, rows_low, own, i, b, b_low, b_norms, start, m, WIDE, JOINED, SAME, LARGEST, ROWS, COLUMNS, BLOCKS, False
            )
        total = tl.maximum(total, span.to(tl.float64)) if LARGEST else total + span.to(tl.float64)
    tl.store(out + (part * tl.num_programs(2) + member) * n + i, total, i < n)


@triton.jit
def span_moments(  # noqa: ANN201
    a, low, norms, p, i, b, b_low, b_norms, upper, lower, q, start, m,
    WIDE: tl.constexpr, DEEP: tl.constexpr, JOINED: tl.constexpr, SAME: tl.constexpr, ROWS: tl.constexpr,
    COLUMNS: tl.constexpr, BLOCKS: tl.constexpr, EDGE: tl.constexpr,
):  # fmt: skip
    """Sum W_ij b_j and W_ij over one span of columns; both factors of the product are split, as those of an exponent."""
    span = tl.zeros((ROWS, DEEP), tl.float32)
    weight = tl.zeros((ROWS,), tl.float32)
    for s in tl.static_range(BLOCKS):
        first = start + s * COLUMNS
        j = first + tl.arange(0, COLUMNS)
        right = tl.load(q + j, j < m, 0.0) if EDGE else tl.load(q + j)
        e = exponent(a, low, norms, b, b_low, b_norms, first, m, COLUMNS, WIDE, JOINED, EDGE)
        w = kernel(e, i, j, m, SAME, EDGE) * (p[:, None] + right[None, :])
        columns = block(upper, first, m, COLUMNS, DEEP, EDGE)
        span = tl.dot(high(w), columns, span, input_precision="tf32")
        span = tl.dot(w - high(w), columns, span, input_precision="tf32")
        span = tl.dot(high(w), block(lower, first, m, COLUMNS, DEEP, EDGE), span, input_precision="tf32")
        weight += tl.sum(w, 1)
    return span, weight


@triton.jit
def moments(  # noqa: ANN201
    a, low, norms, b, b_low, b_norms, z, upper, lower, p, q, out, n, m, each,
    WIDE: tl.constexpr, DEEP: tl.constexpr, JOINED: tl.constexpr, SAME: tl.constexpr, ROWS: tl.constexpr,
    COLUMNS: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    """Sum W_ij (b_j - a_i), W_ij = (p_i + q_j) K_ij, over one part of `each` columns, kernels formed again."""
    top, part, member = tl.program_id(0) * ROWS, tl.program_id(1), tl.program_id(2).to(tl.int64)
    i = top + tl.arange(0, ROWS)
    rows = block(a + member * n * WIDE, top, n, ROWS, WIDE, True)
    rows_low = rows if JOINED else block(low + member * n * WIDE, top, n, ROWS, WIDE, True)
    own = tl.load(norms + member * n + i, i < n, 0.0)
    left = tl.load(p + member * n + i, i < n, 0.0)
    b += member * m * WIDE
    b_low += member * m * WIDE
    b_norms += member * m
    upper += member * m * DEEP
    lower += member * m * DEEP
    q += member * m
    pull = tl.zeros((ROWS, DEEP), tl.float64)
    weight = tl.zeros((ROWS,), tl.float64)
    for start in range(part * each, tl.minimum(part * each + each, m), COLUMNS * BLOCKS):
        stop = start + COLUMNS * BLOCKS
        if (stop > m) | (SAME & (start < top + ROWS) & (top < stop)):
            span, sums = span_moments(
                rows,
                rows_low,
                own,
                left,
                i,
                b,
                b_low,
                b_norms,
                upper,
                lower,
                q,
                start,
                m,
                WIDE,
                DEEP,
                JOINED,
                SAME,
                ROWS,
                COLUMNS,
                BLOCKS,
                True,
            )
        else:
            span, sums = span_moments(
                rows,
                rows_low,
                own,
                left,
                i,
                b,
                b_low,
                b_norms,
                upper,
                lower,
                q,
                start,
                m,
                WIDE,
                DEEP,
                JOINED,
                SAME,
                ROWS,
                COLUMNS,
                BLOCKS,
                False,
            )
        pull += span.to(tl.float64)
        weight += sums.to(tl.float64)
    pull -= weight[:, None] * block(z + member * n * DEEP, top, n, ROWS, DEEP, True).to(tl.float64)
    place = ((part * tl.num_programs(2) + member) * n + i[:, None]) * DEEP + tl.arange(0, DEEP)[None, :]
    tl.store(out + place, pull, i[:, None] < n)


def half_norms(z: Tensor) -> Tensor:
    """Return -|z|^2 / 2, (r, n, d) -> (r, n)."""
    return -0.5 * z.square().sum(-1)


def split(z: Tensor) -> tuple[Tensor, Tensor]:
    """Return z rounded to the 11 bits of TF32, and the rest."""
    upper = ((z.view(torch.int32) + 4096) & -8192).view(torch.float32)
    return upper, z - upper


def padded(z: Tensor) -> Tensor:
    """Fill the last axis with zeros up to a power of two of at least 16, as tensor cores want it."""
    return functional.pad(z, (0, max(16, triton.next_power_of_2(z.shape[-1])) - z.shape[-1]))


def operands(z: Tensor, norms: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return what an exponent takes of samples as rows and as columns, (r, n, d), (r, n): two padded factors and the norms.

    With x = h + l, a high and a low part, e_ij = h_i.h_j + h_i.l_j + l_i.h_j + norms_i + norms_j. Joined, the first factor
    holds it all, (r, n, 3 d + 4, padded), and the others are not read.
    """
    h, low = split(z)
    if z.shape[-1] > MOST_JOINED:
        both = padded(h), padded(low), norms
        return both, both
    norm_h, norm_l = split(norms[..., None])
    one = torch.ones_like(norm_h)
    rows = padded(torch.cat([h, h, low, norm_h, norm_l, one, one], -1))
    columns = padded(torch.cat([h, low, h, one, one, norm_h, norm_l], -1))
    return (rows, rows, norms), (columns, columns, norms)


def plan(a: Tensor, b: Tensor, t: Tile) -> tuple[tuple[int, int, int], int]:
    """Return the grid (row tiles, parts, members) and the columns of a part.

    Parts depend on sizes only; they hold O(n + PROGRAMS * rows) partial sums.
    """
    span = t.columns * t.blocks
    tiles, spans = -(-a.shape[1] // t.rows), -(-b.shape[1] // span)
    parts = min(spans, -(-PROGRAMS // (tiles * len(a))))
    each = -(-spans // parts) * span
    return (tiles, -(-b.shape[1] // each), len(a)), each


def options(t: Tile) -> dict[str, int]:
    """Return a tile as a kernel takes it."""
    return {"ROWS": t.rows, "COLUMNS": t.columns, "BLOCKS": t.blocks, "num_warps": t.warps, "num_stages": 1}


def widths(d: int) -> dict[str, int]:
    """Return how wide factors of d features are, and whether one holds all parts."""
    joined = d <= MOST_JOINED
    return {"WIDE": max(16, triton.next_power_of_2(3 * d + 4 if joined else d)), "JOINED": joined}


def reduced(a: Tensor, b: Tensor, shift: Tensor | None, *, same: bool, largest: bool) -> Tensor:
    """Return the row sums of 2^(e - shift_i), or the largest e; (r, n, d), (r, m, d), (r, n) -> (parts, r, n) float64."""
    na = half_norms(a) if shift is None else half_norms(a) - shift
    rows, columns = operands(a, na)[0], operands(b, half_norms(b))[1]
    t = tile(a.shape[-1], gradient=False)
    grid, each = plan(a, b, t)
    out = a.new_empty(grid[1], *a.shape[:2], dtype=torch.float64)
    sizes = a.shape[1], b.shape[1], each
    reduce_rows[grid](*rows, *columns, out, *sizes, **widths(a.shape[-1]), SAME=same, LARGEST=largest, **options(t))
    return out


def pulled(rows: tuple[Tensor, Tensor, Tensor], columns: tuple[Tensor, Tensor, Tensor], *, same: bool) -> Tensor:
    """Return sum_j (p_i + q_j) K_ij (b_j - a_i) from (a, terms of the exponent, p) and (b, terms, q), (r, n, d)."""
    (a, na, p), (b, nb, q) = rows, columns
    left, right, z = operands(a, na)[0], operands(b, nb)[1], padded(a)
    upper, lower = split(padded(b))
    t = tile(a.shape[-1], gradient=True)
    grid, each = plan(a, b, t)
    out = a.new_empty(grid[1], *z.shape, dtype=torch.float64)
    sizes = a.shape[1], b.shape[1], each
    fixed = widths(a.shape[-1]) | {"DEEP": z.shape[-1], "SAME": same} | options(t)
    moments[grid](*left, *right, z, upper, lower, p, q, out, *sizes, **fixed)
    return out.sum(0)[..., : a.shape[-1]].to(a.dtype)


def members(z: Tensor) -> Tensor:
    """Return stacked samples as (r, n, d), without gaps."""
    return z.reshape(-1, *z.shape[-2:]).contiguous()


def largest_exponents(a: Tensor, b: Tensor) -> Tensor:
    """Return max_j e_ij, (..., n, d) and (..., m, d) -> (..., n)."""
    return reduced(members(a), members(b), None, same=False, largest=True).amax(0).to(a.dtype).reshape(a.shape[:-1])


class Fused(torch.autograd.Function):
    """Row sums of 2^(e_ij - shift_i), float32, at most MOST_FEATURES features; b=None means b=a, self pairs exactly 1."""

    @staticmethod
    def forward(ctx: FunctionCtx, a: Tensor, b: Tensor | None, shift: Tensor | None) -> Tensor:
        """Sum; keep the samples only."""
        u = members(a)
        v = u if b is None else members(b)
        shift = None if shift is None else shift.reshape(u.shape[:2])
        ctx.save_for_backward(u, v, shift)
        ctx.shapes = a.shape, None if b is None else b.shape
        sums = reduced(u, v, shift, same=b is None, largest=False).sum(0)
        return (sums + 1 if b is None else sums).to(a.dtype).reshape(a.shape[:-1])

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Return ln 2 times the pulls; towards b, rows and columns change places."""
        u, v, shift = ctx.saved_tensors
        shape_a, shape_b = ctx.shapes
        g = grad.reshape(u.shape[:2]).contiguous()
        na = half_norms(u) if shift is None else half_norms(u) - shift
        if shape_b is None:
            return (math.log(2) * pulled((u, na, g), (v, na, g), same=True)).reshape(shape_a), None, None
        nb, nothing = half_norms(v), g.new_zeros(v.shape[:2])
        to_a = to_b = None
        if ctx.needs_input_grad[0]:
            to_a = (math.log(2) * pulled((u, na, g), (v, nb, nothing), same=False)).reshape(shape_a)
        if ctx.needs_input_grad[1]:
            to_b = (math.log(2) * pulled((v, nb, nothing), (u, na, g), same=False)).reshape(shape_b)
        return to_a, to_b, None
