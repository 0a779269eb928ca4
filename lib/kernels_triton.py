"""Sums of Gaussian kernels over pairs on a GPU, in the manner of flash attention: exponents never leave the multiprocessor.

Rows are a_i, columns b_j, both centred and scaled so that a kernel is 2^(e_ij), e_ij = -|a_i - b_j|^2 / 2. A program owns a
block of rows, walks the columns in a fixed order and adds float32 sums of SPAN columns to float64 totals; no two programs
write to one place, so repeats are bit-identical. Memory is O(n d). Products are 3xTF32 (each factor split into a high and a
low part), as plain TF32 would put its 2^-11 straight into the exponent; norms are float32.

One block of columns in BLOCKS = 4 takes its powers by a polynomial on the multiply-add units, beside the special units that
serve the others. On paper: with 16 special and 128 multiply-add results a clock, a share p at degree 5 is free while
8 (1 - p) >= 9 p + 2.5, that is p <= 0.32, and one quarter takes a quarter off the special units' time.
Neither this nor any speed has been measured on a GPU; values and gradients are tested by Triton's interpreter on a CPU.
"""

import math

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

MOST_FEATURES = 64  # that a program holds in registers
ROWS = 64
COLUMNS = 32  # wider blocks and more stages were seen to spill registers, compiled for compute capability 9.0
LAUNCH = {"num_warps": 4, "num_stages": 1}
BLOCKS: tl.constexpr = tl.constexpr(4)  # blocks of columns whose sums stay in float32; the last one's powers are polynomials
SPAN = COLUMNS * BLOCKS.value
PROGRAMS = 1024  # below this many, columns are split between programs too, to keep every multiprocessor busy


@triton.jit
def polynomial_exp2(t):  # noqa: ANN201
    """Return 2^t for t in [-126, 0]: degree 5 on [-1/2, 1/2], relative error 2.3e-7, then n added to the exponent field."""
    n = tl.floor(t + 0.5)
    f = t - n
    p = 0.001327647 * f + 0.009675541
    p = p * f + 0.055507133
    p = p * f + 0.240221197
    p = p * f + 0.693146967
    p = p * f + 1.000000072
    return (p.to(tl.int32, bitcast=True) + (n.to(tl.int32) << 23)).to(tl.float32, bitcast=True)


@triton.jit
def block(z, norms, first, size, d, COUNT: tl.constexpr, WIDE: tl.constexpr):  # noqa: ANN201
    """Load COUNT samples from `first` on, with their terms of the exponent; absent ones are zero."""
    index = first + tl.arange(0, COUNT)
    feature = tl.arange(0, WIDE)
    inside = (index[:, None] < size) & (feature[None, :] < d)
    return index, tl.load(z + index[:, None] * d + feature[None, :], inside, 0.0), tl.load(norms + index, index < size, 0.0)


@triton.jit
def exponent(a, na, b, nb):  # noqa: ANN201
    """Return -|a_i - b_j|^2 / 2 of a block of rows and a block of columns."""
    return tl.dot(a, tl.trans(b), input_precision="tf32x3") + na[:, None] + nb[None, :]


@triton.jit
def kernel(e, i, j, m, SAME: tl.constexpr, POLYNOMIAL: tl.constexpr):  # noqa: ANN201
    """Return 2^e; 0 for absent columns and for self pairs, which are counted apart."""
    e = tl.minimum(tl.maximum(e, -126.0), 0.0)
    k = polynomial_exp2(e) if POLYNOMIAL else tl.exp2(e)
    present = (j[None, :] < m) & (i[:, None] != j[None, :]) if SAME else (j[None, :] < m)
    return tl.where(present, k, 0.0)


@triton.jit
def reduce_rows(  # noqa: ANN201
    a, na, b, nb, out, n, m, d, each,
    WIDE: tl.constexpr, SAME: tl.constexpr, LARGEST: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Sum the kernels of a block of rows, or find its largest exponents, over one part of `each` columns."""
    part, member = tl.program_id(1), tl.program_id(2).to(tl.int64)
    i, rows, norms = block(a + member * n * d, na + member * n, tl.program_id(0) * ROWS, n, d, ROWS, WIDE)
    total = tl.full((ROWS,), float("-inf") if LARGEST else 0.0, tl.float64)
    for start in range(part * each, tl.minimum(part * each + each, m), COLUMNS * BLOCKS):
        span = tl.full((ROWS,), float("-inf") if LARGEST else 0.0, tl.float32)
        for s in tl.static_range(BLOCKS):
            j, columns, nj = block(b + member * m * d, nb + member * m, start + s * COLUMNS, m, d, COLUMNS, WIDE)
            e = exponent(rows, norms, columns, nj)
            if LARGEST:
                span = tl.maximum(span, tl.max(tl.where(j[None, :] < m, e, float("-inf")), 1))
            else:
                span += tl.sum(kernel(e, i, j, m, SAME, s == BLOCKS - 1), 1)
        total = tl.maximum(total, span.to(tl.float64)) if LARGEST else total + span.to(tl.float64)
    tl.store(out + (part * tl.num_programs(2) + member) * n + i, total, i < n)


@triton.jit
def moments(  # noqa: ANN201
    a, na, b, nb, p, q, out, n, m, d, each,
    WIDE: tl.constexpr, SAME: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Sum W_ij (b_j - a_i), W_ij = (p_i + q_j) K_ij, over one part of `each` columns, kernels formed again."""
    part, member = tl.program_id(1), tl.program_id(2).to(tl.int64)
    i, rows, norms = block(a + member * n * d, na + member * n, tl.program_id(0) * ROWS, n, d, ROWS, WIDE)
    left = tl.load(p + member * n + i, i < n, 0.0)
    pull = tl.zeros((ROWS, WIDE), tl.float64)
    weight = tl.zeros((ROWS,), tl.float64)
    for start in range(part * each, tl.minimum(part * each + each, m), COLUMNS * BLOCKS):
        span = tl.zeros((ROWS, WIDE), tl.float32)
        sums = tl.zeros((ROWS,), tl.float32)
        for s in tl.static_range(BLOCKS):
            j, columns, nj = block(b + member * m * d, nb + member * m, start + s * COLUMNS, m, d, COLUMNS, WIDE)
            right = tl.load(q + member * m + j, j < m, 0.0)
            w = kernel(exponent(rows, norms, columns, nj), i, j, m, SAME, s == BLOCKS - 1) * (left[:, None] + right[None, :])
            span += tl.dot(w, columns, input_precision="tf32x3")
            sums += tl.sum(w, 1)
        pull += span.to(tl.float64)
        weight += sums.to(tl.float64)
    feature = tl.arange(0, WIDE)
    place = out + ((part * tl.num_programs(2) + member) * n + i[:, None]) * d + feature[None, :]
    pull -= weight[:, None] * rows.to(tl.float64)
    tl.store(place, pull, (i[:, None] < n) & (feature[None, :] < d))


def half_norms(z: Tensor) -> Tensor:
    """Return -|z|^2 / 2, (r, n, d) -> (r, n)."""
    return -0.5 * z.square().sum(-1)


def plan(a: Tensor, b: Tensor) -> tuple[tuple[int, int, int], int, int]:
    """Return the grid (row blocks, parts, members), the columns of a part, and the features filled up to a power of two.

    Parts depend on sizes only; they hold O(n + PROGRAMS * ROWS) partial sums.
    """
    blocks, spans = -(-a.shape[1] // ROWS), -(-b.shape[1] // SPAN)
    parts = min(spans, -(-PROGRAMS // (blocks * len(a))))
    each = -(-spans // parts) * SPAN
    return (blocks, -(-b.shape[1] // each), len(a)), each, max(16, triton.next_power_of_2(a.shape[2]))


def reduced(a: Tensor, b: Tensor, shift: Tensor | None, *, same: bool, largest: bool) -> Tensor:
    """Return the row sums of 2^(e - shift_i), or the largest e; (r, n, d), (r, m, d), (r, n) -> (parts, r, n) float64."""
    grid, each, wide = plan(a, b)
    na = half_norms(a) if shift is None else half_norms(a) - shift
    out = a.new_empty(grid[1], *a.shape[:2], dtype=torch.float64)
    sizes = a.shape[1], b.shape[1], a.shape[2], each
    options = {"WIDE": wide, "SAME": same, "LARGEST": largest, "ROWS": ROWS, "COLUMNS": COLUMNS}
    reduce_rows[grid](a, na, b, half_norms(b), out, *sizes, **options, **LAUNCH)
    return out


def pulled(rows: tuple[Tensor, Tensor, Tensor], columns: tuple[Tensor, Tensor, Tensor], *, same: bool) -> Tensor:
    """Return sum_j (p_i + q_j) K_ij (b_j - a_i) from (a, terms of the exponent, p) and (b, terms, q), (r, n, d)."""
    (a, na, p), (b, nb, q) = rows, columns
    grid, each, wide = plan(a, b)
    out = a.new_empty(grid[1], *a.shape, dtype=torch.float64)
    sizes = a.shape[1], b.shape[1], a.shape[2], each
    options = {"WIDE": wide, "SAME": same, "ROWS": ROWS, "COLUMNS": COLUMNS}
    moments[grid](a, na, b, nb, p, q, out, *sizes, **options, **LAUNCH)
    return out.sum(0).to(a.dtype)


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
